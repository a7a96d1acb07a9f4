"""A whole control plane inside the test: a real ledger in a temporary directory, no network, no process."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from wherry.iam.directory import UserName
from wherry.ledger import audit
from wherry.server import installation
from wherry.server.app import Application
from wherry.server.data_directory import DataDirectory
from wherry.server.main import Surface, open_services
from wherry.server.notifications.settings import USUAL, NotificationSettings
from wherry.server.routes import ROUTES
from wherry.server.routing import Router
from wherry.server.services import Services

ENDPOINT = "http://wherry.test"
_made: list[Path] = []


@dataclass
class Harness:
    """The control plane, and a client for each caller."""

    services: Services
    data: Path
    transport: httpx.ASGITransport
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        """Return a client that sends *headers* with everything."""
        client = httpx.AsyncClient(transport=self.transport, base_url=ENDPOINT, headers=dict(headers or {}))
        self.clients.append(client)
        return client

    async def admin(self) -> httpx.AsyncClient:
        """Return a client of the administrator."""
        return await self.user("admin")

    async def user(self, name: str, account: str = "default") -> httpx.AsyncClient:
        """Return a client of a user, with a new token."""
        user = await self.services.directory.user(UserName(name=name, domain_name=account))
        assert user is not None
        token, _ = self.services.tokens.issue(user_id=user.id, domain_id=user.domain_id, era=user.token_era)
        return self.client({"X-Auth-Token": token})

    async def audit_entries(self) -> list[audit.Entry]:
        """Return the whole audit log, after having checked its chain."""
        account = json.loads((self.data / "admin.json").read_text())["domain_id"]

        def read(connection: Any) -> list[audit.Entry]:
            assert audit.first_broken(connection) is None
            return list(audit.of_account(connection, account, limit=100_000))

        return await self.services.ledger.read(read)


@asynccontextmanager
async def control_plane(
    data: Path, surface: Surface | None = None, notifications: NotificationSettings = USUAL
) -> AsyncIterator[Harness]:
    """Open a control plane over *data*, which is made, or used as it is; *surface* adds routes."""
    if not data.exists():
        await _fresh(data)
    with DataDirectory(data) as directory:
        keys = installation.open_keys(directory)
        async with open_services(directory, keys, ENDPOINT, tls=False, notifications=notifications) as services:
            routes = ROUTES if surface is None else surface(services, ROUTES)
            application = Application(services, Router(routes))
            # A fault of the application is a 500 here as over the network: the tests look at the answer.
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            harness = Harness(services, data, transport)
            yield harness
            for client in harness.clients:
                await client.aclose()


def run(
    data: Path,
    check: Callable[[Harness], Awaitable[None]],
    surface: Surface | None = None,
    notifications: NotificationSettings = USUAL,
) -> None:
    """Run *check* against a control plane over *data*."""

    async def inside() -> None:
        async with control_plane(data, surface, notifications) as harness:
            await check(harness)

    asyncio.run(inside())


async def _fresh(data: Path) -> None:
    """Copy a directory that has seen its first start: hashing the password takes longer than most tests."""
    if not _made or not _made[0].exists():
        _made[:] = [data.parent / "fresh"]
        with DataDirectory(_made[0]) as directory:
            keys = installation.open_keys(directory)
            async with open_services(directory, keys, ENDPOINT, tls=False):
                pass
    shutil.copytree(_made[0], data)


def registration(name: str = "web", **changes: Any) -> dict[str, Any]:
    """Return a registration that passes all checks."""
    disk = {
        "name": "/dev/vda",
        "partition_style": "GPT",
        "device_use": "OS",
        "size": 2 * 10**9,
        "used_size": 10**8,
        "physical_volumes": [
            {
                "name": "/dev/vda1",
                "device_use": "OS",
                "file_system": "ext4",
                "index": 1,
                "size": 10**9,
                "mount_point": "/",
            }
        ],
    }
    document: dict[str, Any] = {
        "name": name,
        "ip": "192.0.2.10",
        "hostname": name,
        "os_type": "LINUX",
        "os_version": "DEBIAN_12_64BIT",
        "firmware": "BIOS",
        "boot_loader": "GRUB",
        "agent_version": "1.0",
        "cpu_quantity": 2,
        "memory": 2048,
        "has_rsync": True,
        "has_tc": True,
        "paravirtualization": True,
        "raw_devices": "",
        "volume_groups": [],
        "btrfs_list": [],
        "networks": [{"name": "eth0", "ip": "192.0.2.10", "mac": f"52:54:00:{name}"}],
        "disks": [disk],
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def task(source_id: str, **changes: Any) -> dict[str, Any]:
    """Return a task for a source that `registration` describes."""
    document: dict[str, Any] = {
        "name": "move",
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "syncing": True,
        "exist_server": True,
        "migration_ip": "192.0.2.20",
        "region_name": "region-1",
        "region_id": "region-1",
        "project_name": "project",
        "project_id": "project",
        "source_server": {"id": source_id},
        "target_server": {
            "name": "target",
            "vm_id": f"vm-{source_id}",
            "disks": [{"name": "disk 0", "size": 2 * 10**9, "device_use": "OS", "disk_id": "disk-0"}],
        },
    }
    return {**document, **changes}


async def created(client: httpx.AsyncClient, path: str, body: Any) -> str:
    """Post *body* and return the id of what it made."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["id"]
    return identifier
