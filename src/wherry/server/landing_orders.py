"""What receivers report of their orders."""

from typing import Any

from msgspec import convert, structs, to_builtins

from wherry.contract.enumerations import OrderKind
from wherry.contract.errors import ApiError
from wherry.contract.landing import LandingOrder, OrderReport, RehearsalResult
from wherry.ledger import landings, recordings, rehearsals, sources, tasks
from wherry.ledger.landings import OrderRow
from wherry.ledger.rehearsals import RehearsalRow
from wherry.ledger.transaction import Transaction
from wherry.migration import events
from wherry.migration import landing as rules
from wherry.migration.events import Event
from wherry.server.access import receiver_of
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call


async def update_order(call: Call) -> Answer:
    """Take a receiver's word on how far it is with an order. Repeating it changes nothing.

    The first report of a rehearsal's result counts; console text and picture are kept as long as the task.
    """
    told = call.decode(OrderReport)
    receiver_id, order_id = call.parameters["receiver_id"], call.parameters["order_id"]

    def unit(tx: Transaction) -> None:
        receiver_of(tx.connection, call, receiver_id)
        order = landings.find_order(tx.connection, call.account_id, order_id)
        task = None if order is None else tasks.find(tx.connection, call.account_id, order.task_id)
        if order is None or task is None or task.receiver_id != receiver_id:
            raise ApiError("WHERRY.5609")
        source = sources.find(tx.connection, call.account_id, order.source_id)
        if told.rehearsal is not None and order.kind in rules.REHEARSING:
            _keep(tx, order, told.rehearsal, at=call.at)
        if told.recording is not None and order.kind is OrderKind.RECORD and order.stage not in rules.ENDED:
            shown = told.recording
            recordings.keep(tx.connection, order.id, task.id, shown.console, shown.screenshot)
        changes = rules.report(
            None if source is None else source.record(),
            task.record(tasks.subtasks_of(tx.connection, task.id)),
            landings.of_task(tx.connection, task.id).record(),
            order.record(),
            told,
        )
        reason = f"{call.route.operation}: {order.kind} {told.stage}"
        tx.apply(changes, source_id=order.source_id, task_id=task.id, at=call.at, reason=reason)
        if told.stage is not order.stage:
            call.record(tx, order_id, f"{order.kind} {told.stage}")  # progress alone is worth no entry

    await call.services.ledger.write(unit)
    return EMPTY


def order_to_send(order: OrderRow) -> LandingOrder:
    """Return an order as the receiver gets it."""
    known: dict[str, Any] = {"id": order.id, "task_id": order.task_id, "kind": order.kind}
    server_id = order.request.get("server_id") or order.id
    return convert({**order.request, **known, "checkpoint": order.checkpoint, "server_id": server_id}, LandingOrder)


def _keep(tx: Transaction, order: OrderRow, result: RehearsalResult, *, at: int) -> None:
    if order.stage in rules.ENDED or rehearsals.find(tx.connection, order.id) is not None:
        return
    document = to_builtins(structs.replace(result, console=b"", screenshot=b""))
    del document["console"], document["screenshot"]
    row = RehearsalRow(order.id, order.account_id, order.task_id, order.source_id, result.verdict, at, document)
    rehearsals.append(tx.connection, row, result.console, result.screenshot)
    told: dict[str, Any] = {"rehearsal": {"id": order.id, "kind": order.kind, "verdict": result.verdict}}
    if result.error is not None:
        told["error"] = to_builtins(result.error)
    tx.tell(Event(events.REHEARSAL[result.verdict], order.source_id, order.task_id, data=told), at=at)
