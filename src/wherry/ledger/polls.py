"""What a poll looks at, in one query: it's what agents ask most often."""

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, select

from wherry.contract.enumerations import SourceState, TaskState
from wherry.ledger import schema
from wherry.ledger.commands import WaitingCommand
from wherry.ledger.prepared import Prepared
from wherry.migration.records import SourceRecord, TaskRecord

_source, _task, _command = schema.source, schema.task, schema.command
_older = schema.command.alias()

_OLDEST = (
    select(func.min(_older.c.sequence))
    .where(_older.c.source_id == _source.c.id, _older.c.answered_at.is_(None), _older.c.withdrawn_at.is_(None))
    .scalar_subquery()
)
_POLL = Prepared(
    select(
        _source.c.state,
        _source.c.migration_cycle,
        _source.c.connected,
        _source.c.enterprise_project_id,
        _task.c.id,
        _task.c.type,
        _task.c.os_type,
        _task.c.state,
        _task.c.syncing,
        _command.c.id,
        _command.c.name,
        _command.c.task_id,
        _command.c.bucket,
    )
    .select_from(
        _source.outerjoin(_task, _task.c.source_id == _source.c.id).outerjoin(
            _command, and_(_command.c.source_id == _source.c.id, _command.c.sequence == _OLDEST)
        )
    )
    .where(_source.c.id == bindparam("source"), _source.c.account_id == bindparam("account"))
)


class Poll(msgspec.Struct, frozen=True):
    """A source as a poll sees it.

    `task` says what the task is and how it stands, without its subtasks and the switches that are in its document.
    """

    source: SourceRecord
    enterprise_project_id: str
    task: TaskRecord | None
    pending: WaitingCommand | None


def look(connection: Connection, account_id: str, source_id: str) -> Poll | None:
    """Return what the agent of a source is to be told from; None where the account has no such source."""
    row = _POLL.first(connection, source=source_id, account=account_id)
    if row is None:
        return None
    (
        state,
        cycle,
        connected,
        project,
        task_id,
        type_,
        os_type,
        task_state,
        syncing,
        command_id,
        name,
        for_task,
        bucket,
    ) = row
    task = None
    if task_id is not None:
        task = TaskRecord(task_id, source_id, TaskState(task_state), type_, os_type, syncing, exist_server=True)
    pending = None if command_id is None else WaitingCommand(command_id, name, for_task, bucket)
    return Poll(SourceRecord(source_id, SourceState(state), cycle, connected), project, task, pending)
