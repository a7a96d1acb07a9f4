"""Migration tasks and their subtasks as the ledger keeps them."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, null, select

from wherry.contract.enumerations import LogCollectStatus, TaskState
from wherry.ledger import schema, state_changes
from wherry.ledger.prepared import Prepared, PreparedUpdate
from wherry.migration.records import SetSubtask, SetTaskState, SubtaskRecord, TaskRecord

_task = schema.task
_subtask = schema.subtask

_FIND = Prepared(select(_task).where(_task.c.id == bindparam("task"), _task.c.account_id == bindparam("account")))
_OF_SOURCE = Prepared(select(_task).where(_task.c.source_id == bindparam("source")))
_REPORTING = Prepared(
    select(
        _task.c.id,
        _task.c.source_id,
        _task.c.receiver_id,
        _task.c.enterprise_project_id,
        _task.c.state,
        _task.c.figures,
    ).where(_task.c.id == bindparam("task"), _task.c.account_id == bindparam("account"))
)
_STANDING = Prepared(
    select(_task.c.state, _task.c.source_id, _task.c.start_date, _task.c.receiver_id).where(
        _task.c.id == bindparam("task")
    )
)
_CHANGE = PreparedUpdate(_task, "id")
_NAMES = tuple(column.name for column in _task.c)

_SUBTASKS = Prepared(select(_subtask).where(_subtask.c.task_id == bindparam("task")).order_by(_subtask.c.position))
_STEPS = Prepared(
    select(_subtask.c.name, _subtask.c.progress)
    .where(_subtask.c.task_id == bindparam("task"))
    .order_by(_subtask.c.position)
)

_ENDED = frozenset({TaskState.MIGRATE_SUCCESS, TaskState.MIGRATE_FAIL, TaskState.SYNC_SUCCESS, TaskState.SYNC_FAIL})


class TaskRow(msgspec.Struct, frozen=True):
    """A migration task.

    Attributes:
        document: the task as it was created, with what UpdateTask changed since.
        figures: the agent's last progress report: rate, sizes, resource usage.
        settings: what belongs to the task besides: speed limits, configuration settings, network check, log.
    """

    id: str
    account_id: str
    source_id: str
    name: str
    type: str
    os_type: str
    state: TaskState
    syncing: bool
    enterprise_project_id: str
    target_vm_id: str
    template_id: str
    receiver_id: str | None
    create_date: int
    start_date: int | None
    finish_date: int | None
    error_code: str
    error_params: Sequence[str]
    log_collect_status: str
    document: Mapping[str, Any]
    figures: Mapping[str, Any]
    settings: Mapping[str, Any]

    def record(self, subtasks: Sequence["SubtaskRow"]) -> TaskRecord:
        """Return what the rules look at."""
        flag = self.document.get
        exist_server, start_target_server = flag("exist_server"), flag("start_target_server")
        return TaskRecord(
            id=self.id,
            source_id=self.source_id,
            state=self.state,
            type=self.type,
            os_type=self.os_type,
            syncing=self.syncing,
            exist_server=exist_server is not False,
            start_target_server=start_target_server is not False,
            need_consistency_check=flag("is_need_consistency_check") is True,
            need_migration_test=flag("need_migration_test") is True,
            subtasks=tuple(SubtaskRecord(subtask.name, subtask.progress) for subtask in subtasks),
            error_code=self.error_code,
            error_params=tuple(self.error_params),
            last_words=self.figures.get("process_trace", ""),
        )


class SubtaskRow(msgspec.Struct, frozen=True):
    """One step of a task, in the order of `position`. Progress in per cent, times in epoch milliseconds."""

    task_id: str
    position: int
    name: str
    progress: int
    start_date: int | None
    end_date: int | None
    migrate_speed: float | None
    user_op: str
    process_trace: str


class ReportingTask(msgspec.Struct, frozen=True):
    """As much of a task as a report of its progress is about; what comes every second doesn't read its documents."""

    id: str
    source_id: str
    receiver_id: str | None
    enterprise_project_id: str
    state: TaskState
    figures: Mapping[str, Any]
    subtasks: Sequence[SubtaskRecord]


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list of tasks is narrowed by; empty means: not at all. Names match by substring.

    `labels`: the enterprise projects of which anything may be listed; None for all.
    """

    state: str = ""
    name: str = ""
    id: str = ""
    source_id: str = ""
    enterprise_project_id: str = ""
    labels: frozenset[str] | None = None


def find(connection: Connection, account_id: str, task_id: str) -> TaskRow | None:
    """Return the task, None where the account has no such one."""
    row = _FIND.first(connection, task=task_id, account=account_id)
    return None if row is None else _row(dict(zip(_NAMES, row, strict=True)))


def find_reporting(connection: Connection, account_id: str, task_id: str) -> ReportingTask | None:
    """Return what a report of progress needs of the task, None where the account has no such one."""
    row = _REPORTING.first(connection, task=task_id, account=account_id)
    if row is None:
        return None
    steps = tuple(SubtaskRecord(*step) for step in _STEPS.all(connection, task=task_id))
    id_, source_id, receiver_id, label, state, figures = row
    return ReportingTask(id_, source_id, receiver_id, label, TaskState(state), figures, steps)


def of_source(connection: Connection, source_id: str) -> TaskRow | None:
    """Return the task of a source, None where it has none."""
    row = _OF_SOURCE.first(connection, source=source_id)
    return None if row is None else _row(dict(zip(_NAMES, row, strict=True)))


def of_sources(connection: Connection, source_ids: Sequence[str]) -> Mapping[str, TaskRow]:
    """Return the tasks of many sources, by source id."""
    query = select(_task).where(_task.c.source_id.in_(source_ids))
    return {row["source_id"]: _row(row) for row in connection.execute(query).mappings()}


def of_receiver(connection: Connection, receiver_id: str) -> Sequence[TaskRow]:
    """Return the tasks that are assigned to a receiver, the oldest first."""
    query = select(_task).where(_task.c.receiver_id == receiver_id).order_by(_task.c.create_date, _task.c.id)
    return [_row(row) for row in connection.execute(query).mappings()]


def using_target(connection: Connection, account_id: str, target_vm_id: str) -> TaskRow | None:
    """Return a task of the account that migrates to this target server."""
    query = select(_task).where(_task.c.account_id == account_id, _task.c.target_vm_id == target_vm_id)
    return _first(connection, query)


def using_template(connection: Connection, account_id: str, template_id: str) -> TaskRow | None:
    """Return a task of the account that creates its target from this template."""
    query = select(_task).where(_task.c.account_id == account_id, _task.c.template_id == template_id)
    return _first(connection, query)


def find_page(
    connection: Connection, account_id: str, wanted: TaskFilter, *, limit: int, offset: int
) -> tuple[int, Sequence[TaskRow]]:
    """Return how many tasks match, and one page of them, the oldest first."""
    return _page(connection, [_task.c.account_id == account_id, *_conditions(wanted)], limit=limit, offset=offset)


def find_failed(
    connection: Connection, account_id: str, wanted: TaskFilter, *, limit: int, offset: int
) -> tuple[int, Sequence[TaskRow]]:
    """Return how many of the tasks that match show an error, and one page of them, the oldest first."""
    conditions = [_task.c.account_id == account_id, _task.c.error_code != "", *_conditions(wanted)]
    return _page(connection, conditions, limit=limit, offset=offset)


def count_of(connection: Connection, account_id: str) -> int:
    """Return how many tasks the account has."""
    query = select(func.count()).select_from(_task).where(_task.c.account_id == account_id)
    return connection.execute(query).scalar_one()


def insert(connection: Connection, row: TaskRow, subtasks: Sequence[SubtaskRow], *, reason: str) -> None:
    """Store a new task with its subtasks."""
    connection.execute(_task.insert().inline(), {name: getattr(row, name) for name in TaskRow.__struct_fields__})
    for subtask in subtasks:
        _insert_subtask(connection, subtask)
    state_changes.append(
        connection,
        state_changes.StateChange(row.create_date, row.source_id, row.id, "task", "", row.state, reason),
    )


def change(connection: Connection, task_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a task, other than its state, which `set_state` does."""
    _CHANGE.run(connection, (task_id,), values)


def set_state(
    connection: Connection, task_id: str, wanted: SetTaskState, *, at: int, reason: str
) -> tuple[str, str | None]:
    """Bring the task to a state; return the one before, and its receiver. What holds already leaves no trace."""
    found = _STANDING.first(connection, task=task_id)
    if found is None:
        raise LookupError(task_id)
    state, source_id, start_date, receiver_id = found
    values: dict[str, object] = {"error_code": wanted.error_code, "error_params": list(wanted.error_params)}
    if wanted.state != state:
        moved = state_changes.StateChange(at, source_id, task_id, "task", state, wanted.state, reason)
        state_changes.append(connection, moved)
        values["state"] = wanted.state
        values["finish_date"] = at if wanted.state in _ENDED else None
        if wanted.state == TaskState.RUNNING and start_date is None:
            values["start_date"] = at
    change(connection, task_id, values)
    return state, receiver_id


def set_log_collect_status(connection: Connection, task_id: str, status: str, *, at: int) -> None:
    """Note how far the collection of the task's log is: when it was uploaded, and nothing of one that was closed."""
    values: dict[str, object] = {"log_collect_status": status}
    if status == LogCollectStatus.INIT:
        settings = connection.execute(select(_task.c.settings).where(_task.c.id == task_id)).scalar_one()
        values["settings"] = {name: value for name, value in settings.items() if name != "log"}
        connection.execute(schema.task_log.delete().where(schema.task_log.c.task_id == task_id))
    if status == LogCollectStatus.UPLOADED:
        settings = connection.execute(select(_task.c.settings).where(_task.c.id == task_id)).scalar_one()
        values["settings"] = {**settings, "log": {**settings.get("log", {}), "log_upload_time": at}}
    change(connection, task_id, values)


def receiver_of(connection: Connection, task_id: str) -> str | None:
    """Return the receiver that the task is assigned to."""
    return connection.execute(select(_task.c.receiver_id).where(_task.c.id == task_id)).scalar()


def delete(connection: Connection, task_id: str) -> None:
    """Remove the task with all that hangs on it; its history and its proofs stay."""
    connection.execute(_task.delete().where(_task.c.id == task_id))


def subtasks_of(connection: Connection, task_id: str) -> Sequence[SubtaskRow]:
    """Return the subtasks of a task in their order."""
    return [SubtaskRow(*row) for row in _SUBTASKS.all(connection, task=task_id)]


def subtasks_of_many(connection: Connection, task_ids: Sequence[str]) -> Mapping[str, Sequence[SubtaskRow]]:
    """Return the subtasks of many tasks in their order, by task id."""
    query = select(_subtask).where(_subtask.c.task_id.in_(task_ids)).order_by(_subtask.c.position)
    found: dict[str, list[SubtaskRow]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["task_id"], []).append(SubtaskRow(**row))
    return found


def set_subtask(connection: Connection, task_id: str, wanted: SetSubtask, *, at: int) -> None:
    """Bring a subtask to its progress; one that's new is appended."""
    started = at if wanted.progress > 0 else None
    ended = at if wanted.progress >= 100 else None
    values: dict[str, object] = {"progress": wanted.progress}
    if wanted.user_op:
        values["user_op"] = wanted.user_op
    if wanted.migrate_speed is not None:
        values["migrate_speed"] = wanted.migrate_speed
    if wanted.process_trace is not None:
        values["process_trace"] = wanted.process_trace
    statement = _subtask_update(tuple(values), ended=ended is not None)
    dates = {"started": started} if ended is None else {"started": started, "ended": ended}
    if statement.run(connection, key_task=task_id, key_name=wanted.name, **dates, **values):
        return
    last = connection.execute(select(func.max(_subtask.c.position)).where(_subtask.c.task_id == task_id)).scalar()
    position = 0 if last is None else last + 1
    row = SubtaskRow(
        task_id,
        position,
        wanted.name,
        wanted.progress,
        started,
        ended,
        wanted.migrate_speed,
        wanted.user_op,
        wanted.process_trace or "",
    )
    _insert_subtask(connection, row)


@functools.cache
def _subtask_update(columns: tuple[str, ...], *, ended: bool) -> Prepared:
    """Return the update of a subtask's *columns*. Its dates stay where they are set; one that goes on has no end."""
    table = _subtask
    values: dict[str, Any] = {name: bindparam(name, type_=table.c[name].type) for name in columns}
    values["start_date"] = func.coalesce(table.c.start_date, bindparam("started", type_=table.c.start_date.type))
    values["end_date"] = null()
    if ended:
        values["end_date"] = func.coalesce(table.c.end_date, bindparam("ended", type_=table.c.end_date.type))
    conditions = (table.c.task_id == bindparam("key_task"), table.c.name == bindparam("key_name"))
    return Prepared(table.update().where(*conditions).values(values))


def _page(
    connection: Connection, conditions: Sequence[ColumnElement[bool]], *, limit: int, offset: int
) -> tuple[int, Sequence[TaskRow]]:
    count = connection.execute(select(func.count()).select_from(_task).where(*conditions)).scalar_one()
    order = (_task.c.create_date, _task.c.id)
    query = select(_task).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return count, [_row(row) for row in connection.execute(query).mappings()]


def _insert_subtask(connection: Connection, row: SubtaskRow) -> None:
    connection.execute(_subtask.insert().inline(), {name: getattr(row, name) for name in SubtaskRow.__struct_fields__})


def _conditions(wanted: TaskFilter) -> list[ColumnElement[bool]]:
    equal = {
        _task.c.state: wanted.state,
        _task.c.id: wanted.id,
        _task.c.source_id: wanted.source_id,
        _task.c.enterprise_project_id: wanted.enterprise_project_id,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if wanted.name:
        conditions.append(_task.c.name.icontains(wanted.name, autoescape=True))
    if wanted.labels is not None:
        conditions.append(_task.c.enterprise_project_id.in_(sorted(wanted.labels)))
    return conditions


def _first(connection: Connection, query: Select[Any]) -> TaskRow | None:
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else _row(row)


def _row(row: Mapping[Any, Any]) -> TaskRow:
    values = dict(row)
    values["state"] = TaskState(values["state"])
    return TaskRow(**values)
