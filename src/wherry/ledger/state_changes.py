"""The history of states: one row for each change of a source's or a task's state, append-only."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared

_change = schema.state_change
_source = schema.source


class StateChange(msgspec.Struct, frozen=True, gc=False):
    """One change. `entity` is ``source``, ``task`` or ``landing``; `from_state` is empty where it came into being."""

    at: int
    source_id: str
    task_id: str | None
    entity: str
    from_state: str
    to_state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """A change with its number and the name of its source."""

    sequence: int
    source_name: str
    change: StateChange


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which changes are meant. *before* and *after* are sequence numbers; *labels* None: those of all sources."""

    source_id: str = ""
    before: int | None = None
    after: int | None = None
    labels: frozenset[str] | None = None


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


def of_account(connection: Connection, account_id: str, wanted: EventFilter, *, limit: int) -> Sequence[Event]:
    """Return the changes of the account's sources that match, the newest first. Deleted sources have none here."""
    columns = [_change.c[name] for name in StateChange.__struct_fields__]
    query = select(_change.c.sequence, _source.c.name, *columns).join(_source, _source.c.id == _change.c.source_id)
    query = query.where(_source.c.account_id == account_id)
    if wanted.source_id:
        query = query.where(_change.c.source_id == wanted.source_id)
    if wanted.before is not None:
        query = query.where(_change.c.sequence < wanted.before)
    if wanted.after is not None:
        query = query.where(_change.c.sequence > wanted.after)
    if wanted.labels is not None:
        query = query.where(_source.c.enterprise_project_id.in_(sorted(wanted.labels)))
    rows = connection.execute(query.order_by(_change.c.sequence.desc()).limit(limit))
    return [Event(row[0], row[1], StateChange(*row[2:])) for row in rows]


def _select(connection: Connection, condition: ColumnElement[bool]) -> Sequence[StateChange]:
    columns = [_change.c[name] for name in StateChange.__struct_fields__]
    query = select(*columns).where(condition).order_by(_change.c.sequence)
    return [StateChange(**row) for row in connection.execute(query).mappings()]
