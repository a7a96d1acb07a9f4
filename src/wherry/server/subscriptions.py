"""Subscriptions: who is told of what. Their secrets are sealed, and told to nobody but the webhook by its signatures.

Who may see the sources of some enterprise projects only may subscribe to what happens in these: a subscription is
allowed or refused by the project that it's narrowed to.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.notifications import (
    MAX_SUBSCRIPTIONS,
    EventType,
    Subscription,
    SubscriptionCreated,
    SubscriptionCreation,
    SubscriptionKind,
    SubscriptionList,
    SubscriptionUpdate,
)
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource, why_not
from wherry.ledger import outbox, subscriptions
from wherry.ledger.subscriptions import SubscriptionRow, Undelivered
from wherry.ledger.transaction import Transaction
from wherry.migration.events import Event
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.notifications.signing import is_secret, new_secret

_NOTHING_WAITS = Undelivered()
_TEST = "A test: somebody has asked for it, and nothing has happened."


async def create_subscription(call: Call) -> Answer:
    """Store a subscription and return its id, with the secret of a webhook where it was made here."""
    wanted = call.decode(SubscriptionCreation)
    allow(call, Resource(enterprise_project_id=wanted.enterprise_project_id))
    webhook = wanted.kind is SubscriptionKind.WEBHOOK
    if not webhook and not call.services.sends_mail:
        raise ApiError("WHERRY.5532")
    target = _target(wanted.kind, wanted.url, wanted.addresses)
    secret = (wanted.secret or new_secret()) if webhook else None
    row = SubscriptionRow(
        id=str(uuid4()),
        account_id=call.account_id,
        name=wanted.name,
        kind=wanted.kind,
        enabled=wanted.enabled,
        event_types=_event_types(wanted.event_types),
        enterprise_project_id=wanted.enterprise_project_id,
        source_id=wanted.source_id,
        target=target,
        sealed_secret=None if secret is None else _sealed(call, secret),
        created_at=call.at,
        updated_at=call.at,
    )

    def unit(tx: Transaction) -> None:
        if subscriptions.count_of(tx.connection, call.account_id) >= MAX_SUBSCRIPTIONS:
            raise ApiError("WHERRY.5533")
        subscriptions.insert(tx.connection, row)
        call.record(tx, row.id, f"{row.kind} {row.name}")

    await call.services.ledger.write(unit)
    return json_answer(SubscriptionCreated(id=row.id, secret=None if wanted.secret else secret))


async def list_subscriptions(call: Call) -> Answer:
    """Return the subscriptions of the account, as far as the caller may see them."""

    def read(connection: Connection) -> SubscriptionList:
        rows = subscriptions.every(connection, call.account_id)
        seen = [row for row in rows if not why_not(call.principal, call.route.operation, _resource(row))]
        if not seen:
            allow(call)
        waiting = subscriptions.undelivered(connection, [row.id for row in seen])
        shown = [_shown(row, waiting.get(row.id, _NOTHING_WAITS)) for row in seen]
        return SubscriptionList(count=len(shown), subscriptions=shown)

    return json_answer(await call.services.ledger.read(read))


async def show_subscription(call: Call) -> Answer:
    """Return a subscription."""
    return json_answer(await call.services.ledger.read(lambda connection: _look(connection, call)))


async def update_subscription(call: Call) -> Answer:
    """Change what the request names; the rest stays. What is on its way goes to the new place."""
    wanted = call.decode(SubscriptionUpdate)

    def unit(tx: Transaction) -> Subscription:
        row = subscription_of(tx.connection, call)
        if wanted.enterprise_project_id is not None:
            allow(call, Resource(row.id, enterprise_project_id=wanted.enterprise_project_id))
        subscriptions.change(tx.connection, row.id, {**_changes(call, row, wanted), "updated_at": call.at})
        tx.topics.add(outbox.TOPIC)  # one that is enabled again may have deliveries that wait
        call.record(tx, row.id)
        return _look(tx.connection, call)

    return json_answer(await call.services.ledger.write(unit))


async def delete_subscription(call: Call) -> Answer:
    """Remove a subscription. What is on its way to it isn't told any more."""

    def unit(tx: Transaction) -> None:
        row = subscription_of(tx.connection, call)
        subscriptions.delete(tx.connection, row.id)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return EMPTY


async def test_subscription(call: Call) -> Answer:
    """Send a test by the way of all events and return the delivery's id; ShowDelivery tells what became of it."""

    def unit(tx: Transaction) -> str:
        row = subscription_of(tx.connection, call)
        event = Event(EventType.TEST, data={"subscription": {"id": row.id, "name": row.name}, "note": _TEST})
        delivery_id = outbox.put_test(
            tx.connection, event, account_id=row.account_id, subscription_id=row.id, at=call.at
        )
        tx.topics.add(outbox.TOPIC)
        call.record(tx, row.id, delivery_id)
        return delivery_id

    return json_answer(CreatedId(id=await call.services.ledger.write(unit)))


def subscription_of(connection: Connection, call: Call, subscription_id: str | None = None) -> SubscriptionRow:
    """Return the subscription that the call is about. Raises ApiError WHERRY.5530 or PermissionMissing."""
    wanted = call.parameters["subscription_id"] if subscription_id is None else subscription_id
    row = subscriptions.find(connection, call.account_id, wanted)
    if row is None:
        raise ApiError("WHERRY.5530")
    allow(call, _resource(row))
    return row


def _resource(row: SubscriptionRow) -> Resource:
    return Resource(row.id, enterprise_project_id=row.enterprise_project_id)


def _look(connection: Connection, call: Call) -> Subscription:
    row = subscription_of(connection, call)
    return _shown(row, subscriptions.undelivered(connection, [row.id]).get(row.id, _NOTHING_WAITS))


def _changes(call: Call, row: SubscriptionRow, wanted: SubscriptionUpdate) -> Mapping[str, Any]:
    given = {
        "name": wanted.name,
        "enterprise_project_id": wanted.enterprise_project_id,
        "source_id": wanted.source_id,
        "enabled": wanted.enabled,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if wanted.event_types is not None:
        changes["event_types"] = _event_types(wanted.event_types)
    if wanted.url is not None or wanted.addresses is not None:
        changes["target"] = _target(SubscriptionKind(row.kind), wanted.url, wanted.addresses)
    if wanted.secret is not None and row.kind == SubscriptionKind.WEBHOOK:
        changes["sealed_secret"] = _sealed(call, wanted.secret)
    return changes


def _target(kind: SubscriptionKind, url: str | None, addresses: list[str] | None) -> dict[str, Any]:
    if kind is SubscriptionKind.EMAIL:
        if not addresses or url:
            raise ApiError(
                "SMS.9001", "addresses: an e-mail goes to one at least, and to no URL", params=("addresses",)
            )
        return {"addresses": list(dict.fromkeys(addresses))}
    if not url or addresses:
        raise ApiError("SMS.9001", "url: a webhook has one, and no addresses", params=("url",))
    _check_url(url)
    return {"url": url}


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and parts.port != 0 and parts.username is None and not parts.fragment
        parts.netloc.encode("ascii")
    except ValueError:
        sound = False
    if not sound:
        raise ApiError("SMS.9001", "url: it's no https URL without credentials and fragment", params=("url",))


def _event_types(wanted: list[EventType]) -> list[str]:
    return [str(each) for each in dict.fromkeys(wanted)]


def _sealed(call: Call, secret: str) -> str:
    if not is_secret(secret):
        raise ApiError("SMS.9001", "secret: it isn't whsec_ and the base64 of 24 to 64 bytes", params=("secret",))
    return call.services.secret_box.seal(secret)


def _shown(row: SubscriptionRow, waiting: Undelivered) -> Subscription:
    return Subscription(
        id=row.id,
        name=row.name,
        kind=SubscriptionKind(row.kind),
        enabled=row.enabled,
        url=row.target.get("url", ""),
        addresses=list(row.target.get("addresses", ())),
        event_types=list(row.event_types),
        enterprise_project_id=row.enterprise_project_id,
        source_id=row.source_id,
        waiting=waiting.waiting,
        dead=waiting.dead,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
