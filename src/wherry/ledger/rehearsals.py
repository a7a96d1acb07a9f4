"""Rehearsals: orders that boot a copy, and what came of each. Results are append-only and outlive their tasks.

Console text and picture go with the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from wherry.contract.enumerations import OrderStage
from wherry.ledger import schema
from wherry.ledger.landings import ORDER_COLUMNS, OrderRow, order_row
from wherry.migration.landing import REHEARSING

_order = schema.landing_order
_result = schema.rehearsal
_record = schema.rehearsal_record


class RehearsalRow(msgspec.Struct, frozen=True):
    """What a rehearsal came to. `document`: a `RehearsalResult` without console and picture."""

    order_id: str
    account_id: str
    task_id: str
    source_id: str
    verdict: str
    finished_at: int
    document: Mapping[str, Any]


class RecordSizes(msgspec.Struct, frozen=True):
    """How much of a rehearsal was recorded, in bytes."""

    console: int = 0
    screenshot: int = 0


_COLUMNS = tuple(_result.c[name] for name in RehearsalRow.__struct_fields__)


@dataclass(frozen=True, slots=True)
class RehearsalFilter:
    """What a list of rehearsals is narrowed by; empty means: not at all. `labels`: None for all."""

    task_id: str = ""
    source_id: str = ""
    verdict: str = ""
    labels: frozenset[str] | None = None


def append(connection: Connection, row: RehearsalRow, console: bytes, screenshot: bytes) -> None:
    """Store what a rehearsal came to, with its console text and its picture."""
    connection.execute(_result.insert().inline(), msgspec.structs.asdict(row))
    values = {"order_id": row.order_id, "task_id": row.task_id, "console": console, "screenshot": screenshot}
    connection.execute(_record.insert().inline(), values)


def find(connection: Connection, order_id: str) -> RehearsalRow | None:
    """Return what the rehearsal of an order came to; None while it's under way."""
    row = connection.execute(select(*_COLUMNS).where(_result.c.order_id == order_id)).mappings().first()
    return None if row is None else RehearsalRow(**row)


def console_of(connection: Connection, order_id: str) -> bytes | None:
    """Return the console text of a rehearsal."""
    return connection.execute(select(_record.c.console).where(_record.c.order_id == order_id)).scalar()


def screenshot_of(connection: Connection, order_id: str) -> bytes | None:
    """Return the picture of a rehearsal's screen, as PNG."""
    return connection.execute(select(_record.c.screenshot).where(_record.c.order_id == order_id)).scalar()


def sizes_of(connection: Connection, order_ids: Sequence[str]) -> Mapping[str, RecordSizes]:
    """Return how much was recorded of rehearsals, by order."""
    lengths = (func.length(_record.c.console), func.length(_record.c.screenshot))
    query = select(_record.c.order_id, *lengths).where(_record.c.order_id.in_(order_ids))
    return {order_id: RecordSizes(*sizes) for order_id, *sizes in connection.execute(query)}


def find_page(
    connection: Connection, account_id: str, wanted: RehearsalFilter, *, limit: int, offset: int
) -> tuple[int, Sequence[tuple[OrderRow, RehearsalRow | None]]]:
    """Return how many rehearsals match, and one page of them, the newest first. Withdrawn ones aren't among them."""
    joined = _order.outerjoin(_result, _result.c.order_id == _order.c.id)
    conditions = _conditions(account_id, wanted)
    count = connection.execute(select(func.count()).select_from(joined).where(*conditions)).scalar_one()
    page = (
        select(*ORDER_COLUMNS)
        .select_from(joined)
        .where(*conditions)
        .order_by(_order.c.sequence.desc())
        .limit(limit)
        .offset(offset)
    )
    orders = [order_row(row) for row in connection.execute(page).mappings()]
    results = {row["order_id"]: RehearsalRow(**row) for row in _results(connection, orders)}
    return count, [(order, results.get(order.id)) for order in orders]


def _results(connection: Connection, orders: Sequence[OrderRow]) -> Sequence[Mapping[Any, Any]]:
    query = select(*_COLUMNS).where(_result.c.order_id.in_([order.id for order in orders]))
    return connection.execute(query).mappings().all()


def _conditions(account_id: str, wanted: RehearsalFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        _order.c.account_id == account_id,
        _order.c.kind.in_(sorted(REHEARSING)),
        _order.c.stage != OrderStage.WITHDRAWN,
    ]
    equal = {
        _order.c.task_id: wanted.task_id,
        _order.c.source_id: wanted.source_id,
        _result.c.verdict: wanted.verdict,
    }
    conditions += [column == value for column, value in equal.items() if value]
    if wanted.labels is not None:
        source = schema.source
        labelled = select(source.c.id).where(source.c.enterprise_project_id.in_(sorted(wanted.labels)))
        conditions.append(_order.c.source_id.in_(labelled))
    return conditions
