"""The user's part of a migration: tokens to join, a task, its start, its cutover, its figures, its proof."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from demo.api import PublicApi
from demo.errors import MigrationFailed
from wherry.contract.wherry import ReplicationFigures

FAILED_STATES = frozenset({"MIGRATE_FAIL", "SYNC_FAIL", "ABORT", "ABORTING"})
TASK_NAME = "demo"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the control plane tells about the task at one moment."""

    task_state: str
    source_state: str
    figures: ReplicationFigures | None

    @property
    def newest_pass(self) -> int:
        """Return the number of the newest committed pass, -1 while there is none."""
        return self.figures.passes[-1].number if self.figures and self.figures.passes else -1

    @property
    def sent_in_pass(self) -> int:
        """Return the payload bytes sent in the pass that runs now."""
        if self.figures is None:
            return 0
        return self.figures.sent_bytes - sum(done.sent_bytes for done in self.figures.passes)


@dataclass(slots=True)
class Migration:
    """One source server and its task, through the public API."""

    api: PublicApi
    source_id: str = ""
    task_id: str = ""

    def write_join_token(self, role: str, path: Path) -> None:
        """Have a one-time token made for *role* ("agent", "receiver") and put it into a file for our eyes only."""
        token = self.api.post("/wherry/v1/join-tokens", {"role": role, "expires_s": 600})["token"]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)

    def receiver_is_there(self) -> bool:
        """Tell whether a receiver has joined and is connected."""
        return any(receiver["connected"] for receiver in self.api.get("/wherry/v1/receivers")["receivers"])

    def source_is_there(self, name: str) -> bool:
        """Tell whether the source *name* is registered, and remember its id.

        Raises MigrationFailed when its environment checks say that it can't be migrated.
        """
        found = [server for server in self.api.get("/v3/sources")["source_servers"] if server["name"] == name]
        if not found:
            return False
        self.source_id = found[0]["id"]
        if found[0]["state"] == "unavailable":
            checks = self.api.get(f"/v3/sources/{self.source_id}")["checks"]
            failed = [f"{check['name']} ({check['error_code']})" for check in checks if check["result"] == "ERROR"]
            raise MigrationFailed(state="not possible", reason=f"environment checks failed: {', '.join(failed)}")
        return bool(found[0]["connected"])

    def create_task(self, project_id: str, *, speed_limit: int) -> None:
        """Create a task that keeps the copy in sync until it's told to cut over. *speed_limit* in Mbit/s, 0 = none."""
        source = self.api.get(f"/v3/sources/{self.source_id}")
        body = {
            "name": TASK_NAME,
            "type": "MIGRATE_BLOCK",
            "os_type": "LINUX",
            "source_server": {"id": self.source_id},
            "target_server": {
                "name": "landed",
                "vm_id": "00000000-0000-0000-0000-000000000000",
                "disks": [target_disk(index, disk) for index, disk in enumerate(source["disks"])],
            },
            "region_name": "local",
            "region_id": "local",
            "project_name": "local",
            "project_id": project_id,
            "migration_ip": "127.0.0.1",
            "exist_server": True,
            "syncing": True,
            "speed_limit": speed_limit,
        }
        self.task_id = self.api.post("/v3/tasks", body)["id"]

    def act(self, operation: str) -> None:
        """Order *operation* ("start", "cutover", ...) of the task."""
        self.api.post(f"/v3/tasks/{self.task_id}/action", {"operation": operation})

    def snapshot(self) -> Snapshot:
        """Ask how things stand. Raises MigrationFailed when the task has failed or was paused."""
        task = self.api.get(f"/v3/tasks/{self.task_id}")
        if task["state"] in FAILED_STATES:
            raise MigrationFailed(state=task["state"], reason=task.get("error_json") or "no reason was given")
        figures = self.api.find(f"/wherry/v1/tasks/{self.task_id}/replication")
        return Snapshot(
            task_state=task["state"],
            source_state=(task.get("source_server") or {}).get("state", ""),
            figures=_figures(figures.content) if figures is not None else None,
        )

    def proof(self) -> bytes | None:
        """Return the newest signed proof, None while there is none."""
        answer = self.api.find(f"/wherry/v1/tasks/{self.task_id}/proof")
        return None if answer is None else answer.content


def _figures(document: bytes) -> ReplicationFigures | None:
    """Return the figures, None while the agent hasn't written any (an empty document)."""
    return None if msgspec.json.decode(document) == {} else msgspec.json.decode(document, type=ReplicationFigures)


def target_disk(index: int, disk: dict[str, Any]) -> dict[str, Any]:
    """Return the disk of the target that mirrors *disk* of the source."""
    return {
        "name": f"disk {index}",
        "relation_name": disk["name"],
        "disk_id": f"{index}",
        "disk_index": f"{index}",
        "device_use": disk.get("device_use") or "NORMAL",
        "size": disk["size"],
        "used_size": disk.get("used_size") or 0,
        "partition_style": disk.get("partition_style") or "GPT",
        "os_disk": bool(disk.get("os_disk")),
        "physical_volumes": disk.get("physical_volumes") or [],
    }
