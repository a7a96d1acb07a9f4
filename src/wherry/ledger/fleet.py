"""The fleet as the ledger finds it: sources beside their tasks, in one query, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Float, case, cast, false, func, or_, select

from wherry.contract.enumerations import TaskState
from wherry.contract.fleet import FleetOrder, TaskWork
from wherry.ledger import schema, sources, tasks
from wherry.ledger.sources import SourceRow
from wherry.ledger.tasks import TaskRow

_source = schema.source
_task = schema.task

WORK: Final = MappingProxyType(
    {
        TaskWork.OPEN: frozenset({TaskState.READY, TaskState.ABORT}),
        TaskWork.RUNNING: frozenset(
            {
                TaskState.RUNNING,
                TaskState.SYNCING,
                TaskState.ABORTING,
                TaskState.SKIPPING,
                TaskState.DELETING,
                TaskState.RESETTING,
            }
        ),
        TaskWork.DONE: frozenset({TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS}),
        TaskWork.FAILED: frozenset({TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL}),
    }
)
"""The states of a task behind each word for its work."""

_SORTED_BY: Final = MappingProxyType(
    {
        FleetOrder.NAME: func.lower(_source.c.name),
        FleetOrder.IP: _source.c.ip,
        FleetOrder.STATE: _source.c.state,
        FleetOrder.STAGE: _source.c.migration_cycle,
        FleetOrder.PROGRESS: case(
            (_source.c.totalsize > 0, cast(_source.c.replicatesize, Float) / _source.c.totalsize), else_=0.0
        ),
        FleetOrder.ADDED: _source.c.add_date,
        FleetOrder.CONTACT: _source.c.last_contact,
    }
)


@dataclass(frozen=True, slots=True)
class FleetFilter:
    """What the fleet is narrowed by; empty and None mean: not at all. `labels` as in `SourceFilter`."""

    search: str = ""
    id: str = ""
    state: str = ""
    stage: str = ""
    connected: bool | None = None
    work: TaskWork | None = None
    migproject_id: str = ""
    receiver_id: str = ""
    labels: frozenset[str] | None = None


def work_of(state: TaskState) -> TaskWork:
    """Return the one word for how a task in *state* stands."""
    return next(work for work, states in WORK.items() if state in states)


def find_page(
    connection: Connection,
    account_id: str,
    wanted: FleetFilter,
    *,
    order: FleetOrder,
    descending: bool,
    limit: int,
    offset: int,
) -> tuple[int, Sequence[tuple[SourceRow, TaskRow | None]]]:
    """Return how many sources match, and one page of them with their tasks."""
    conditions = [_source.c.account_id == account_id, *_conditions(wanted)]
    both = _source.outerjoin(_task, _task.c.source_id == _source.c.id)
    count = connection.execute(select(func.count()).select_from(both).where(*conditions)).scalar_one()
    by = _SORTED_BY[order]
    query = (
        select(_source.c.id)
        .select_from(both)
        .where(*conditions)
        .order_by(by.desc() if descending else by, _source.c.id)
        .limit(limit)
        .offset(offset)
    )
    ids = list(connection.execute(query).scalars())
    rows, current = sources.find_many(connection, account_id, ids), tasks.of_sources(connection, ids)
    return count, [(rows[source_id], current.get(source_id)) for source_id in ids]


def _conditions(wanted: FleetFilter) -> list[ColumnElement[bool]]:
    equal: dict[ColumnElement[Any], str] = {
        _source.c.id: wanted.id,
        _source.c.state: wanted.state,
        _source.c.migration_cycle: wanted.stage,
        _source.c.migproject_id: wanted.migproject_id,
        _task.c.receiver_id: wanted.receiver_id,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if wanted.search:
        parts = (_source.c.name, _source.c.ip, _source.c.ipv6)
        found = (column.icontains(wanted.search, autoescape=True) for column in parts)
        conditions.append(or_(_source.c.id == wanted.search, *found))
    if wanted.connected is not None:
        conditions.append(_source.c.connected == wanted.connected)
    if wanted.work is TaskWork.NONE:
        conditions.append(_task.c.id.is_(None))
    elif wanted.work is TaskWork.ANY:
        conditions.append(_task.c.id.is_not(None))
    elif wanted.work is not None:
        conditions.append(_task.c.state.in_(sorted(WORK[wanted.work])))
    if wanted.labels is not None:
        labels = sorted(wanted.labels)
        conditions.append(_source.c.enterprise_project_id.in_(labels) if labels else false())
    return conditions
