"""Subscriptions: who is told of what happens in an account, and by which way."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from wherry.contract.notifications import DeliveryState
from wherry.ledger import schema

_subscription = schema.subscription
_delivery = schema.delivery


class SubscriptionRow(msgspec.Struct, frozen=True):
    """A subscription. `target`: where to, in the words of its kind (`url`, or `addresses`)."""

    id: str
    account_id: str
    name: str
    kind: str
    enabled: bool
    event_types: Sequence[str]
    enterprise_project_id: str
    source_id: str
    target: Mapping[str, Any]
    sealed_secret: str | None
    created_at: int
    updated_at: int


class Undelivered(msgspec.Struct, frozen=True):
    """How many deliveries of a subscription are on their way, and how many were given up."""

    waiting: int = 0
    dead: int = 0


def find(connection: Connection, account_id: str, subscription_id: str) -> SubscriptionRow | None:
    """Return the subscription, None where the account has no such one."""
    mine = (_subscription.c.id == subscription_id, _subscription.c.account_id == account_id)
    row = connection.execute(select(_subscription).where(*mine)).mappings().first()
    return None if row is None else SubscriptionRow(**row)


def every(connection: Connection, account_id: str) -> Sequence[SubscriptionRow]:
    """Return all subscriptions of the account, the oldest first."""
    order = (_subscription.c.created_at, _subscription.c.id)
    query = select(_subscription).where(_subscription.c.account_id == account_id).order_by(*order)
    return [SubscriptionRow(**row) for row in connection.execute(query).mappings()]


def count_of(connection: Connection, account_id: str) -> int:
    """Return how many subscriptions the account has."""
    query = select(func.count()).select_from(_subscription).where(_subscription.c.account_id == account_id)
    return connection.execute(query).scalar_one()


def insert(connection: Connection, row: SubscriptionRow) -> None:
    """Store a new subscription."""
    connection.execute(_subscription.insert().inline(), msgspec.structs.asdict(row))


def change(connection: Connection, subscription_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a subscription."""
    connection.execute(update(_subscription).where(_subscription.c.id == subscription_id).values(values))


def delete(connection: Connection, subscription_id: str) -> None:
    """Remove the subscription with its deliveries."""
    connection.execute(_subscription.delete().where(_subscription.c.id == subscription_id))


def undelivered(connection: Connection, subscription_ids: Sequence[str]) -> Mapping[str, Undelivered]:
    """Return what of these subscriptions hasn't arrived, by id."""
    query = (
        select(_delivery.c.subscription_id, _delivery.c.state, func.count())
        .where(_delivery.c.subscription_id.in_(subscription_ids), _delivery.c.state != DeliveryState.DELIVERED)
        .group_by(_delivery.c.subscription_id, _delivery.c.state)
    )
    counts: dict[str, dict[str, int]] = {}
    for subscription_id, state, count in connection.execute(query):
        counts.setdefault(subscription_id, {})[state] = count
    return {
        subscription_id: Undelivered(found.get(DeliveryState.WAITING, 0), found.get(DeliveryState.DEAD, 0))
        for subscription_id, found in counts.items()
    }
