"""Migration tasks as answers show them: what was created, and what agents reported since.

Reads give back what was written and fill in no defaults where the client sent nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert, json

from wherry.contract.task_log import LOG_VALID_S
from wherry.contract.tasks import SubtaskDetail, SubtaskSummary, TaskDetail, TaskSummary
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import SubtaskRow, TaskRow

_USAGE = (
    "total_cpu_usage",
    "agent_cpu_usage",
    "total_mem_usage",
    "agent_mem_usage",
    "total_disk_io",
    "agent_disk_io",
)
LOG = "log"
"""Where a task's settings have what is known of its agent's log: fields of `CurrentTaskInList`, and until when."""

LOG_SHARED_UNTIL = "shared_until"
"""In it: when the stored log expires, epoch milliseconds. Absent where no log is stored."""

_SUMMARY_TARGET = ("id", "vm_id", "name", "ip", "os_type", "os_version")


def detail(row: TaskRow, source: SourceRow, subtasks: Sequence[SubtaskRow]) -> TaskDetail:
    """Return what ShowTask answers."""
    shown = common(row, subtasks)
    shown["connected"] = source.connected
    shown["start_date"] = row.start_date
    shown["finish_date"] = row.finish_date
    shown["source_server"] = {**_source(source), "migration_cycle": source.migration_cycle}
    shown["target_server"] = _target(row.document)
    shown["sub_tasks"] = [_subtask_detail(subtask) for subtask in subtasks]
    return convert(shown, TaskDetail)


def summary(row: TaskRow, source: SourceRow, subtasks: Sequence[SubtaskRow]) -> TaskSummary:
    """Return an item of ListTasks."""
    shown = common(row, subtasks)
    target = row.document.get("target_server", {})
    shown["source_server"] = _source(source)
    shown["target_server"] = {name: target.get(name) for name in _SUMMARY_TARGET}
    shown["sub_tasks"] = [_subtask_summary(subtask) for subtask in subtasks]
    return convert(shown, TaskSummary)


def common(row: TaskRow, subtasks: Sequence[SubtaskRow]) -> dict[str, Any]:
    """Return the fields that all views of a task share, under their names on the wire."""
    shown: dict[str, Any] = {
        **row.document,
        **{name: row.figures[name] for name in _USAGE if name in row.figures},
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "os_type": row.os_type or None,
        "enterprise_project_id": row.enterprise_project_id,
        "create_date": row.create_date,
        "start_date": row.start_date,
        "error_json": error_json(row),
        "log_collect_status": row.log_collect_status,
        "migrate_speed": row.figures.get("migrate_speed"),
        "compress_rate": row.figures.get("compress_rate"),
        "remain_seconds": row.figures.get("remain_time"),
        "estimate_complete_time": _estimated_end(row.figures),
        "total_time": _total_time(row),
        "network_check_info": row.settings.get("network_check_info"),
        "special_config": row.settings.get("configurations"),
        "subtask_info": _subtask_info(subtasks),
    }
    if "clone_server" in row.settings:
        shown["clone_server"] = row.settings["clone_server"]
    return shown


def log_fields(row: TaskRow, endpoint: str, at: int) -> dict[str, Any]:
    """Return what is known of the agent's log at the moment *at*; its link as long as it leads to something."""
    known = dict(row.settings.get(LOG, {}))
    if known.pop(LOG_SHARED_UNTIL, 0) > at:
        known |= {"log_expire": LOG_VALID_S, "log_share_url": f"{endpoint}/wherry/v1/tasks/{row.id}/log"}
    return known


def error_json(row: TaskRow) -> str | None:
    """Return the task's error as the text that holds JSON, `error_param` again a text; None when there's none."""
    if not row.error_code:
        return None
    params = json.encode(list(row.error_params)).decode()
    return json.encode({"error_code": row.error_code, "error_param": params}).decode()


def _estimated_end(figures: Mapping[str, Any]) -> int | None:
    remaining, at = figures.get("remain_time"), figures.get("at")
    return None if remaining is None or at is None else at + remaining * 1000


def _total_time(row: TaskRow) -> int | None:
    """Return how long a finished task took, in milliseconds. Not less than 0, should the clock have been set back."""
    return None if row.start_date is None or row.finish_date is None else max(0, row.finish_date - row.start_date)


def _subtask_info(subtasks: Sequence[SubtaskRow]) -> str | None:
    """Return the first subtask that isn't done with its progress, as text that holds JSON."""
    for subtask in subtasks:
        if subtask.progress < 100:
            return json.encode({"name": subtask.name, "progress": subtask.progress}).decode()
    return None


def _source(source: SourceRow) -> dict[str, Any]:
    return {
        "id": source.id,
        "ip": source.ip,
        "name": source.name,
        "os_type": source.os_type,
        "os_version": source.document.get("os_version"),
        "oem_system": source.document.get("oem_system"),
        "state": source.state,
    }


def _target(document: Mapping[str, Any]) -> dict[str, Any]:
    target = {"disks": [], **document.get("target_server", {})}
    if "btrfs_list" in target:
        target["btrfs_list"] = [btrfs.get("name", "") for btrfs in target["btrfs_list"]]
    return target


def _subtask_detail(subtask: SubtaskRow) -> SubtaskDetail:
    return SubtaskDetail(
        id=subtask.position,
        name=subtask.name,
        progress=subtask.progress,
        start_date=subtask.start_date,
        end_date=subtask.end_date,
        migrate_speed=subtask.migrate_speed,
        user_op=subtask.user_op,
        process_trace=subtask.process_trace,
    )


def _subtask_summary(subtask: SubtaskRow) -> SubtaskSummary:
    return SubtaskSummary(
        id=subtask.position,
        name=subtask.name,
        progress=subtask.progress,
        start_date=subtask.start_date,
        end_date=subtask.end_date,
        process_trace=subtask.process_trace,
    )
