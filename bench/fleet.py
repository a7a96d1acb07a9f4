"""Agents of a control plane that is raced: each has joined and registered, with its own key, source and task."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.load import Job, run_load
from bench.services import CONNECTIONS, HOST, spread
from bench.signed import Signer, as_bytes

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: it signs with its own key for its own source; `task_id` is empty where it has no task."""

    signer: Signer
    source_id: str
    task_id: str = ""


def enlist(port: int, administrator: Signer, count: int, *, tasks: bool) -> list[Agent]:
    """Let *count* agents join and register over HTTP; with *tasks*, each source gets one."""
    tokens = _ask(
        port, [administrator.request("POST", "/wherry/v1/join-tokens", {"role": "agent"}) for _ in range(count)]
    )
    joining = [_join(port, token["token"], number) for number, token in enumerate(tokens)]
    signers = [Signer(HOST, port, joined["access_key"], joined["secret_key"]) for joined in _ask(port, joining)]
    registering = [signer.request("POST", "/v3/sources", registration(number)) for number, signer in enumerate(signers)]
    source_ids = [registered["id"] for registered in _ask(port, registering)]
    if not tasks:
        return [Agent(signer, source_id) for signer, source_id in zip(signers, source_ids, strict=True)]
    creating = [administrator.request("POST", "/v3/tasks", task(source_id)) for source_id in source_ids]
    task_ids = [created["id"] for created in _ask(port, creating)]
    return [Agent(*parts) for parts in zip(signers, source_ids, task_ids, strict=True)]


def start_one(port: int, administrator: Signer, agent: Agent) -> float:
    """Create a task for the source of *agent* and start it; return when, in seconds of the clock of the day."""
    [created] = _ask(port, [administrator.request("POST", "/v3/tasks", task(agent.source_id))])
    action = administrator.request("POST", f"/v3/tasks/{created['id']}/action", {"operation": "start"})
    at: list[float] = []
    load = run_load(Job(HOST, port, [[action]]), before=lambda: at.append(time.time()))
    if set(load.statuses) != {"200"}:
        raise RuntimeError(load.statuses)
    return at[0]


def registration(number: int) -> dict[str, Any]:
    """Return what an agent registers: a small server with one disk."""
    partition = {
        "device_use": "OS",
        "file_system": "ext4",
        "index": 1,
        "mount_point": "/",
        "name": "/dev/vda1",
        "size": 20 * GIB,
        "used_size": 7 * GIB,
        "uuid": "0f3f9f0e-6f0a-4a5c-8a7e-1f5f3f3f3f3f",
    }
    disk = {
        "name": "/dev/vda",
        "partition_style": "GPT",
        "device_use": "BOOT",
        "size": 21 * GIB,
        "used_size": 7 * GIB,
        "physical_volumes": [partition],
        "os_disk": True,
    }
    return {
        "name": f"server-{number}",
        "hostname": f"server-{number}",
        "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "os_type": "LINUX",
        "os_version": "DEBIAN_12_64",
        "firmware": "UEFI",
        "boot_loader": "GRUB",
        "cpu_quantity": 4,
        "memory": 16 * GIB,
        "disks": [disk],
        "networks": [{"name": "eth0", "ip": "10.0.0.1", "mac": "52:54:" + os.urandom(4).hex(":")}],
        "agent_version": "bench",
        "has_rsync": True,
        "volume_groups": [],
        "btrfs_list": [],
    }


def task(source_id: str) -> dict[str, Any]:
    """Return what an operator creates for a source."""
    partition = {"index": 1, "name": "/dev/vda1", "size": 20 * GIB, "file_system": "ext4", "mount_point": "/"}
    disk = {
        "device_use": "BOOT",
        "disk_id": source_id,
        "name": "disk 1",
        "size": 21 * GIB,
        "physical_volumes": [partition],
    }
    return {
        "name": f"move-{source_id[:8]}",
        "type": "MIGRATE_BLOCK",
        "os_type": "LINUX",
        "start_target_server": False,
        "auto_start": False,
        "source_server": {"id": source_id},
        "target_server": {"name": "copy", "disks": [disk], "vm_id": source_id, "btrfs_list": [], "volume_groups": []},
        "region_name": "region-1",
        "region_id": "region-1",
        "project_name": "region-1",
        "project_id": "0",
        "exist_server": True,
        "use_public_ip": False,
        "syncing": True,
    }


def _join(port: int, token: str, number: int) -> bytes:
    body = msgspec.json.encode({"token": token, "name": f"server-{number}"})
    headers = {"host": f"{HOST}:{port}", "content-type": "application/json", "content-length": str(len(body))}
    return as_bytes("POST", "/wherry/v1/join", headers, body)


def _ask(port: int, requests: Sequence[bytes]) -> list[dict[str, Any]]:
    """Send *requests* and return the answers in their order. Raises RuntimeError where one isn't a 200."""
    load = run_load(Job(HOST, port, spread(requests), keep=True))
    if set(load.statuses) != {"200"}:
        bad = next(body for bodies in load.answers for body in bodies if b"error" in body)
        raise RuntimeError(f"{load.statuses}: {bad[:500]!r}")
    answers: list[dict[str, Any]] = [{}] * len(requests)
    for number, bodies in enumerate(load.answers[: len(requests)]):
        answers[number::CONNECTIONS] = [msgspec.json.decode(body) for body in bodies]
    return answers
