"""What a launched target shows: having it recorded by its receiver, and reading the newest recording."""

from collections.abc import Callable

from sqlalchemy import Connection

from wherry.contract.enumerations import OrderKind
from wherry.contract.errors import ApiError
from wherry.contract.values import CreatedId
from wherry.ledger import landings, recordings
from wherry.ledger.transaction import Transaction
from wherry.migration import landing as rules
from wherry.server.access import task_of
from wherry.server.answers import Answer, json_answer, recorded_answer
from wherry.server.call import Call
from wherry.server.landings import receiver_boots, request_of, source_of


async def record_target(call: Call) -> Answer:
    """Have the receiver record console and screen of a launched target; the answer is the order's id.

    While an order for that is under way, it's that one's.
    """

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        source = source_of(tx.connection, task)
        changes = rules.record(
            landings.of_task(tx.connection, task.id).record(),
            [order.record() for order in landings.orders_of_task(tx.connection, task.id)],
            receiver_boots=receiver_boots(tx.connection, task),
            request=request_of(tx.connection, task, source),
        )
        tx.apply(changes, source_id=source.id, task_id=task.id, at=call.at, reason=call.route.operation)
        call.record(tx, task.id)
        orders = landings.orders_of_task(tx.connection, task.id)
        return next(order.id for order in orders if order.kind is OrderKind.RECORD)

    return json_answer(CreatedId(id=await call.services.ledger.write(unit)))


async def show_console(call: Call) -> Answer:
    """Return the end of what the target had written to its console when it was recorded last; 1 MiB at most."""
    return await _recorded(call, recordings.console_of, "text/plain; charset=utf-8")


async def show_screenshot(call: Call) -> Answer:
    """Return a picture of the target's screen when it was recorded last, as PNG."""
    return await _recorded(call, recordings.screenshot_of, "image/png")


async def _recorded(call: Call, find: Callable[[Connection, str], bytes | None], media_type: str) -> Answer:
    def read(connection: Connection) -> bytes | None:
        return find(connection, task_of(connection, call, call.parameters["task_id"]).id)

    content = await call.services.ledger.read(read)
    if not content:
        raise ApiError("WHERRY.5610", params=(call.parameters["task_id"],))
    return recorded_answer(content, media_type)
