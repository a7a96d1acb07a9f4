"""The history of states: one row for each change of a source's or a task's state, append-only."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared

_change = schema.state_change


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """One change. `entity` is ``source``, ``task`` or ``landing``; `from_state` is empty where it came into being."""

    at: int
    source_id: str
    task_id: str | None
    entity: str
    from_state: str
    to_state: str
    reason: str


_APPEND = Prepared(_change.insert().inline(), StateChange.__struct_fields__)


def append(connection: Connection, change: StateChange) -> None:
    """Add *change* to the history."""
    _APPEND.run(connection, **msgspec.structs.asdict(change))


def of_task(connection: Connection, task_id: str) -> Sequence[StateChange]:
    """Return the history of a task and of its source while it had the task, oldest first."""
    return _select(connection, _change.c.task_id == task_id)


def of_source(connection: Connection, source_id: str) -> Sequence[StateChange]:
    """Return the history of a source and of all its tasks, oldest first."""
    return _select(connection, _change.c.source_id == source_id)


def _select(connection: Connection, condition: ColumnElement[bool]) -> Sequence[StateChange]:
    columns = [_change.c[name] for name in StateChange.__struct_fields__]
    query = select(*columns).where(condition).order_by(_change.c.sequence)
    return [StateChange(**row) for row in connection.execute(query).mappings()]
