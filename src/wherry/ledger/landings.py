"""What becomes of landed systems: the landing of each task, and the orders that receivers get for it."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, select, update

from wherry.contract.enumerations import CloneState, LandingState, OrderKind, OrderStage
from wherry.ledger import schema, state_changes
from wherry.migration.landing import ENDED
from wherry.migration.records import (
    LandingRecord,
    OrderLanding,
    OrderRecord,
    SetClone,
    SetLanding,
    SetOrder,
    SetTarget,
)

_landing = schema.landing
_order = schema.landing_order
_task = schema.task


class LandingRow(msgspec.Struct, frozen=True):
    """A task's landing. `version` counts its changes and those of the task's orders."""

    task_id: str
    state: LandingState = LandingState.NONE
    kind: str = ""
    checkpoint: int | None = None
    order_id: str = ""
    server_id: str = ""
    progress: int = 0
    note: str = ""
    error: Mapping[str, Any] | None = None
    version: int = 0
    changed_at: int = 0

    def record(self) -> LandingRecord:
        """Return what the rules look at."""
        return LandingRecord(self.state, self.kind, self.checkpoint, self.order_id)


class OrderRow(msgspec.Struct, frozen=True):
    """An order. `request`: what is ordered; `checkpoint`: which one it was of, once that is known."""

    id: str
    account_id: str
    task_id: str
    source_id: str
    kind: OrderKind
    checkpoint: int | None
    stage: OrderStage
    progress: int
    note: str
    error: Mapping[str, Any] | None
    request: Mapping[str, Any]
    ordered_at: int
    changed_at: int
    ended_at: int | None

    def record(self) -> OrderRecord:
        """Return what the rules look at."""
        return OrderRecord(self.id, self.kind, self.stage, self.checkpoint, self.request)


ORDER_COLUMNS = tuple(_order.c[name] for name in OrderRow.__struct_fields__)


def of_task(connection: Connection, task_id: str) -> LandingRow:
    """Return the landing of a task; one that never was has the state NONE."""
    row = connection.execute(select(_landing).where(_landing.c.task_id == task_id)).mappings().first()
    return LandingRow(task_id) if row is None else LandingRow(**{**row, "state": LandingState(row["state"])})


def orders_of_task(connection: Connection, task_id: str) -> Sequence[OrderRow]:
    """Return the task's orders that haven't ended, the oldest first."""
    return _orders(connection, _order.c.task_id == task_id)


def orders_of_receiver(connection: Connection, receiver_id: str) -> Mapping[str, Sequence[OrderRow]]:
    """Return the orders that a receiver has to carry out, by task, the oldest first."""
    assigned = select(_task.c.id).where(_task.c.receiver_id == receiver_id)
    found: dict[str, list[OrderRow]] = {}
    for row in _orders(connection, _order.c.task_id.in_(assigned)):
        found.setdefault(row.task_id, []).append(row)
    return found


def find_order(connection: Connection, account_id: str, order_id: str) -> OrderRow | None:
    """Return an order of the account, ended or not."""
    query = select(*ORDER_COLUMNS).where(_order.c.id == order_id, _order.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else order_row(row)


def order_row(row: Mapping[Any, Any]) -> OrderRow:
    """Return the order that a row of `ORDER_COLUMNS` holds."""
    return OrderRow(**{**row, "kind": OrderKind(row["kind"]), "stage": OrderStage(row["stage"])})


def set_landing(connection: Connection, task_id: str, wanted: SetLanding, *, at: int, reason: str) -> LandingState:
    """Bring a task's landing to a state, return the one before; the history tells of it like of states of the task."""
    before = of_task(connection, task_id)
    values: dict[str, object] = {
        "state": wanted.state,
        "progress": wanted.progress,
        "note": wanted.note,
        "error": None if wanted.error is None else msgspec.to_builtins(wanted.error),
        "version": before.version + 1,
        "changed_at": at,
    }
    given = {"kind": wanted.kind, "checkpoint": wanted.checkpoint, "server_id": wanted.server_id}
    values |= {name: value for name, value in given.items() if value is not None}
    _put(connection, before, values)
    if wanted.state != before.state:
        source_id = connection.execute(select(_task.c.source_id).where(_task.c.id == task_id)).scalar_one()
        moved = state_changes.StateChange(at, source_id, task_id, "landing", before.state, wanted.state, reason)
        state_changes.append(connection, moved)
    return before.state


def order(connection: Connection, task_id: str, wanted: OrderLanding, *, at: int) -> str:
    """Store an order for the task's receiver and return its id."""
    account_id, source_id = connection.execute(
        select(_task.c.account_id, _task.c.source_id).where(_task.c.id == task_id)
    ).one()
    order_id = str(uuid4())
    row = OrderRow(
        id=order_id,
        account_id=account_id,
        task_id=task_id,
        source_id=source_id,
        kind=wanted.kind,
        checkpoint=wanted.checkpoint,
        stage=OrderStage.ORDERED,
        progress=0,
        note="",
        error=None,
        request=wanted.request,
        ordered_at=at,
        changed_at=at,
        ended_at=None,
    )
    connection.execute(_order.insert().inline(), msgspec.structs.asdict(row))
    _changed(connection, task_id, {"order_id": order_id} if wanted.leads else {})
    return order_id


def set_order(connection: Connection, task_id: str, wanted: SetOrder, *, at: int) -> None:
    """Note how far a receiver is with an order."""
    values: dict[str, object] = {
        "stage": wanted.stage,
        "progress": wanted.progress,
        "note": wanted.note,
        "error": None if wanted.error is None else msgspec.to_builtins(wanted.error),
        "changed_at": at,
        "ended_at": at if wanted.stage in ENDED else None,
    }
    if wanted.checkpoint is not None:
        values["checkpoint"] = wanted.checkpoint
    connection.execute(update(_order).where(_order.c.id == wanted.id).values(values))
    _changed(connection, task_id)


def withdraw(connection: Connection, task_id: str, kinds: Collection[OrderKind], *, at: int) -> None:
    """Take back the task's orders of these kinds that haven't ended."""
    conditions = (_order.c.task_id == task_id, _order.c.ended_at.is_(None), _order.c.kind.in_(sorted(kinds)))
    ended = {"stage": OrderStage.WITHDRAWN, "changed_at": at, "ended_at": at}
    if connection.execute(update(_order).where(*conditions).values(ended)).rowcount:
        _changed(connection, task_id)


def set_clone(connection: Connection, task_id: str, wanted: SetClone) -> None:
    """Note how far the clone of the task's server is."""
    settings = connection.execute(select(_task.c.settings).where(_task.c.id == task_id)).scalar_one()
    clone: dict[str, object] = {**settings.get("clone_server", {}), "clone_state": wanted.state}
    clone |= {name: value for name, value in (("vm_id", wanted.vm_id), ("name", wanted.name)) if value}
    if wanted.state == CloneState.ERROR and wanted.error is not None:
        clone |= {"clone_error": wanted.error.code, "error_msg": wanted.error.message[:1024]}
    else:
        clone.pop("clone_error", None)
        clone.pop("error_msg", None)
    values = {"settings": {**settings, "clone_server": clone}}
    connection.execute(update(_task).where(_task.c.id == task_id).values(values))


def set_target(connection: Connection, task_id: str, wanted: SetTarget) -> None:
    """Note which server the receiver has made of the task."""
    document = connection.execute(select(_task.c.document).where(_task.c.id == task_id)).scalar_one()
    target = {**(document.get("target_server") or {}), "vm_id": wanted.server_id}
    if wanted.name and not target.get("name"):
        target["name"] = wanted.name
    values = {"target_vm_id": wanted.server_id, "document": {**document, "target_server": target}}
    connection.execute(update(_task).where(_task.c.id == task_id).values(values))


def _changed(connection: Connection, task_id: str, values: Mapping[str, object] = MappingProxyType({})) -> None:
    """Note that something about a task's landing is new, so that whoever knows the version before hears of it."""
    before = of_task(connection, task_id)
    _put(connection, before, {"version": before.version + 1, **values})


def _put(connection: Connection, before: LandingRow, values: Mapping[str, object]) -> None:
    statement = update(_landing).where(_landing.c.task_id == before.task_id).values(values)
    if connection.execute(statement).rowcount == 0:
        connection.execute(_landing.insert().inline(), {**msgspec.structs.asdict(before), **values})


def _orders(connection: Connection, condition: Any) -> Sequence[OrderRow]:
    query = select(*ORDER_COLUMNS).where(condition, _order.c.ended_at.is_(None)).order_by(_order.c.sequence)
    return [order_row(row) for row in connection.execute(query).mappings()]
