"""The outbox: events are written in the transaction of what they tell of, one row for each subscription that wants it.

So an event is told if, and only if, its change was committed. `wherry.ledger.deliveries` takes the rows from there.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, bindparam, select

from wherry.contract.notifications import DeliveryState
from wherry.ledger import schema
from wherry.ledger.prepared import Prepared
from wherry.migration.events import Event, wanted

TOPIC = "deliveries"
"""What is published when there is something to deliver."""

_subscription = schema.subscription
_source = schema.source
_task = schema.task
_receiver = schema.receiver
_delivery = schema.delivery

_FILTER = (
    _subscription.c.id.label("subscription_id"),
    _subscription.c.account_id.label("account"),
    _subscription.c.event_types,
    _subscription.c.enterprise_project_id.label("wanted_project"),
    _subscription.c.source_id.label("wanted_source"),
)
# Every change of a state asks one of these, so they're prepared; mostly nobody has subscribed to anything.
_ABOUT_SOURCE = Prepared(
    select(*_FILTER, _source.c.name, _source.c.enterprise_project_id)
    .join(_source, _source.c.account_id == _subscription.c.account_id)
    .where(_source.c.id == bindparam("subject"), _subscription.c.enabled.is_(True))
)
_ABOUT_RECEIVER = Prepared(
    select(*_FILTER, _receiver.c.name)
    .join(_receiver, _receiver.c.account_id == _subscription.c.account_id)
    .where(_receiver.c.id == bindparam("subject"), _subscription.c.enabled.is_(True))
)


class _Wish(msgspec.Struct, frozen=True):
    subscription_id: str
    account_id: str
    event_types: list[str]
    enterprise_project_id: str
    source_id: str
    name: str
    label: str = ""


def put(connection: Connection, event: Event, *, at: int) -> bool:
    """Write *event* for all who want to be told of it; return whether there's anybody."""
    subject = event.source_id or event.receiver_id
    query = _ABOUT_SOURCE if event.source_id else _ABOUT_RECEIVER
    wishes = [_Wish(*row) for row in query.all(connection, subject=subject)]
    told = [
        wish.subscription_id
        for wish in wishes
        if wanted(
            event,
            wish.label,
            event_types=wish.event_types,
            enterprise_project_id=wish.enterprise_project_id,
            source_id=wish.source_id,
        )
    ]
    if not told:
        return False
    kind = "source" if event.source_id else "receiver"
    about: dict[str, Any] = {"id": subject, "name": wishes[0].name}
    if event.source_id:
        about["enterprise_project_id"] = wishes[0].label
    facts = {kind: about}
    if event.task_id:
        facts["task"] = _task_facts(connection, event.task_id)
    event_id, data = str(uuid4()), {**facts, **event.data}
    for subscription_id in told:
        row = _row(event, wishes[0].account_id, subscription_id, f"{kind}:{subject}", at)
        _write(connection, {**row, "data": data, "event_id": event_id})
    return True


def put_test(connection: Connection, event: Event, *, account_id: str, subscription_id: str, at: int) -> str:
    """Write *event* for one subscription, whatever it wants; return the delivery's id."""
    subject = f"subscription:{subscription_id}"
    row = _row(event, account_id, subscription_id, subject, at)
    _write(connection, {**row, "event_id": str(uuid4())})
    return str(row["id"])


def _task_facts(connection: Connection, task_id: str) -> dict[str, Any]:
    found = connection.execute(select(_task.c.name, _task.c.state).where(_task.c.id == task_id)).first()
    return {"id": task_id} if found is None else {"id": task_id, "name": found.name, "state": found.state}


def _row(event: Event, account_id: str, subscription_id: str, subject: str, at: int) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "account_id": account_id,
        "subscription_id": subscription_id,
        "event_type": event.type,
        "subject": subject,
        "at": at,
        "data": event.data,
        "state": DeliveryState.WAITING,
        "attempts": 0,
        "first_due_at": at,
        "due_at": at,
    }


def _write(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(_delivery.insert().inline(), row)
