"""Deliveries as users see them: what was told, what is still on its way, what was given up and why."""

from msgspec import convert
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.notifications import DeliveriesQuery, Delivery, DeliveryError, DeliveryList
from wherry.ledger import deliveries, outbox
from wherry.ledger.deliveries import DeliveryRow
from wherry.ledger.transaction import Transaction
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.subscriptions import subscription_of

_DEFAULT_LIMIT = 50


async def list_deliveries(call: Call) -> Answer:
    """Return the deliveries of a subscription, the newest first, and how many there are."""
    query = call.query(DeliveriesQuery)

    def read(connection: Connection) -> DeliveryList:
        row = subscription_of(connection, call)
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = deliveries.find_page(connection, row.id, query.state or "", limit=limit, offset=offset)
        return DeliveryList(count=count, deliveries=[_shown(delivery) for delivery in page])

    return json_answer(await call.services.ledger.read(read))


async def show_delivery(call: Call) -> Answer:
    """Return a delivery."""
    return json_answer(await call.services.ledger.read(lambda connection: _shown(_delivery_of(connection, call))))


async def repeat_delivery(call: Call) -> Answer:
    """Send a delivery that has ended once more, under the same id."""

    def unit(tx: Transaction) -> None:
        row = _delivery_of(tx.connection, call)
        if row.ended_at is None:
            raise ApiError("WHERRY.5534")
        deliveries.repeat(tx.connection, row.id, at=call.at)
        tx.topics.add(outbox.TOPIC)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY


def _delivery_of(connection: Connection, call: Call) -> DeliveryRow:
    row = deliveries.find(connection, call.account_id, call.parameters["delivery_id"])
    if row is None:
        raise ApiError("WHERRY.5531")
    subscription_of(connection, call, row.subscription_id)
    return row


def _shown(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        subscription_id=row.subscription_id,
        event_id=row.event_id,
        event_type=row.event_type,
        subject=row.subject,
        at=row.at,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at if row.ended_at is None else None,
        ended_at=row.ended_at,
        last_error=None if row.last_error is None else convert(row.last_error, DeliveryError),
    )
