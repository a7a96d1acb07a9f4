"""Results of consistency checks, append-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from wherry.ledger import schema

_result = schema.consistency_result


@dataclass(frozen=True, slots=True)
class ConsistencyRow:
    """One report: a list of folders with their counts."""

    task_id: str
    source_id: str
    finished_time: int
    document: Sequence[Any]


def append(connection: Connection, row: ConsistencyRow) -> None:
    """Store a report."""
    connection.execute(_result.insert().inline(), {name: getattr(row, name) for name in ConsistencyRow.__slots__})


def of_task(connection: Connection, task_id: str) -> Sequence[ConsistencyRow]:
    """Return the reports of a task, oldest first."""
    columns = [_result.c[name] for name in ConsistencyRow.__slots__]
    query = select(*columns).where(_result.c.task_id == task_id).order_by(_result.c.sequence)
    return [ConsistencyRow(**row) for row in connection.execute(query).mappings()]
