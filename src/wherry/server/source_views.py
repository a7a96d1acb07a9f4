"""Source servers as answers show them: what was registered, and what was found out since."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert

from wherry.contract.sources import (
    CurrentTask,
    CurrentTaskInList,
    SourceDetail,
    SourceSummary,
)
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import SubtaskRow, TaskRow
from wherry.migration import disk_choice
from wherry.server import task_views

_TARGET_USES = frozenset({"NORMAL", "OS", "BOOT", ""})


def detail(row: SourceRow, task: TaskRow | None, subtasks: Sequence[SubtaskRow]) -> SourceDetail:
    """Return what ShowServer answers."""
    shown = _common(row)
    shown["migprojectid"] = row.migproject_id
    if task is not None:
        shown["current_task"] = _current_task(task, subtasks)
    return convert(shown, SourceDetail)


def summary(
    row: SourceRow,
    task: TaskRow | None,
    subtasks: Sequence[SubtaskRow],
    *,
    has_consistency_result: bool,
    endpoint: str,
    at: int,
) -> SourceSummary:
    """Return an item of ListServers; *endpoint* is the control plane's URL, *at* the moment of the call."""
    shown = _common(row)
    shown["is_consistency_result_exist"] = has_consistency_result
    if task is not None:
        shown["current_task"] = convert(
            {**_task_fields(task, subtasks), **task_views.log_fields(task, endpoint, at)}, CurrentTaskInList
        )
    return convert(shown, SourceSummary)


def _common(row: SourceRow) -> dict[str, Any]:
    storage = disk_choice.shown(row.id, row.document, row.choices)
    return {
        **row.document,
        **storage,
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "migration_cycle": row.migration_cycle,
        "connected": row.connected,
        "enterprise_project_id": row.enterprise_project_id,
        "add_date": row.add_date,
        "state_action_time": row.state_action_time,
        "stage_action_time": row.stage_action_time,
        "last_visit_time": row.last_visit_time,
        "replicatesize": row.replicatesize,
        "totalsize": row.totalsize,
        "checks": row.checks,
        "init_target_server": _recommended_target(storage),
    }


def _recommended_target(storage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the target that mirrors the source: a disk of the same size for each, with the same partitions."""
    disks = [{**disk, "device_use": _target_use(disk)} for disk in storage.get("disks", ())]
    return {"disks": disks, "volume_groups": storage.get("volume_groups")}


def _target_use(disk: Mapping[str, Any]) -> str:
    use = disk.get("device_use", "")
    return use if use in _TARGET_USES else "NORMAL"


def _current_task(task: TaskRow, subtasks: Sequence[SubtaskRow]) -> CurrentTask:
    return convert(_task_fields(task, subtasks), CurrentTask)


def _task_fields(task: TaskRow, subtasks: Sequence[SubtaskRow]) -> dict[str, Any]:
    shown = task_views.common(task, subtasks)
    target = task.document.get("target_server", {})
    shown["target_server"] = {"vm_id": target.get("vm_id"), "name": target.get("name")}
    return shown
