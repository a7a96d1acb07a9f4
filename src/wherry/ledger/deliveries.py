"""Deliveries: events on their way to subscriptions. They are claimed, tried, and delivered, tried again or given up.

A claim holds for `LEASE_MS`; a process that dies leaves it behind, and after that another one takes over. Units that
claim and settle have the scope `SCOPE`: they keep each other apart, and nobody else.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, exists, func, select, update

from wherry.contract.notifications import DeliveryError, DeliveryState
from wherry.ledger import schema
from wherry.migration.delivering import HOLDS_BACK, LONGEST_PAUSE_S

SCOPE: Final = "deliveries"
LEASE_MS: Final = 60_000
KEPT_MS: Final = 7 * 86_400_000
"""How long what has arrived is kept."""
DEAD_KEPT_MS: Final = 30 * 86_400_000
"""How long what was given up is kept."""
_FARTHEST_MS: Final = 2 * LONGEST_PAUSE_S * 1000
"""What is due later than this was written before the clock was set back."""

_delivery = schema.delivery
_subscription = schema.subscription


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery. `subject`: what the event is about; its events arrive in their order as far as that goes."""

    sequence: int
    id: str
    account_id: str
    subscription_id: str
    event_id: str
    event_type: str
    subject: str
    at: int
    data: Mapping[str, Any]
    state: DeliveryState
    attempts: int
    first_due_at: int
    due_at: int
    claimed_at: int | None
    ended_at: int | None
    last_error: Mapping[str, Any] | None


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that this process is to try, and where to."""

    row: DeliveryRow
    kind: str
    target: Mapping[str, Any]
    sealed_secret: str | None


def claim(
    connection: Connection, *, now: int, most: int, most_each: int, under_way: Mapping[str, int]
) -> Sequence[Claimed]:
    """Claim what is due, the oldest first, *most* at most.

    *under_way*: how many this process is trying for each subscription already; it may have *most_each* of one.
    """
    place = func.row_number().over(partition_by=_delivery.c.subscription_id, order_by=_delivery.c.sequence)
    ready = select(_delivery.c.sequence.label("ready"), place.label("place")).join(_subscription)
    ready = ready.where(*_heads(), _unclaimed(now), _due(now))
    found = ready.subquery()
    query = (
        select(_delivery, _subscription.c.kind, _subscription.c.target, _subscription.c.sealed_secret)
        .join(_subscription)
        .join(found, found.c.ready == _delivery.c.sequence)
        .where(found.c.place <= most_each)
        .order_by(_delivery.c.sequence)
    )
    room = {**under_way}
    claimed: list[Claimed] = []
    for row in connection.execute(query).mappings():
        subscription_id = row["subscription_id"]
        if len(claimed) == most:
            break
        if room.get(subscription_id, 0) < most_each:
            room[subscription_id] = room.get(subscription_id, 0) + 1
            claimed.append(Claimed(_row(row), row["kind"], row["target"], row["sealed_secret"]))
    ids = [each.row.id for each in claimed]
    connection.execute(update(_delivery).where(_delivery.c.id.in_(ids)).values(claimed_at=now))
    return claimed


def next_due(connection: Connection) -> int | None:
    """Return when a delivery is due next, or a claim runs out; None: nothing is on its way."""
    moment = case((_delivery.c.claimed_at.is_not(None), _delivery.c.claimed_at + LEASE_MS), else_=_delivery.c.due_at)
    query = select(func.min(moment)).select_from(_delivery.join(_subscription)).where(*_heads())
    return connection.execute(query).scalar()


def is_later(due_at: int, now: int) -> bool:
    """Tell whether what is due at *due_at* has to wait; a moment too far away is from before the clock was set."""
    return now < due_at <= now + _FARTHEST_MS


def release_claims(connection: Connection) -> None:
    """Release all claims: for a process that is alone, and hence finds its own of before a crash."""
    connection.execute(update(_delivery).where(_delivery.c.claimed_at.is_not(None)).values(claimed_at=None))


def delivered(connection: Connection, delivery_id: str, *, at: int) -> None:
    """Note that a delivery has arrived."""
    values = {"state": DeliveryState.DELIVERED, "attempts": _delivery.c.attempts + 1, "ended_at": at}
    _settle(connection, delivery_id, {**values, "claimed_at": None, "last_error": None})


def failed(connection: Connection, delivery_id: str, error: DeliveryError, *, at: int, due_at: int | None) -> None:
    """Note that a delivery didn't arrive, and when it's tried again; None: it's given up."""
    values: dict[str, Any] = {"attempts": _delivery.c.attempts + 1, "last_error": error, "claimed_at": None}
    values |= {"state": DeliveryState.DEAD, "ended_at": at} if due_at is None else {"due_at": due_at}
    _settle(connection, delivery_id, values)


def repeat(connection: Connection, delivery_id: str, *, at: int) -> None:
    """Send a delivery that has ended once more, with the whole budget."""
    values = {"state": DeliveryState.WAITING, "attempts": 0, "first_due_at": at, "due_at": at, "ended_at": None}
    connection.execute(update(_delivery).where(_delivery.c.id == delivery_id).values(values))


def find(connection: Connection, account_id: str, delivery_id: str) -> DeliveryRow | None:
    """Return the delivery, None where the account has no such one."""
    mine = (_delivery.c.id == delivery_id, _delivery.c.account_id == account_id)
    row = connection.execute(select(_delivery).where(*mine)).mappings().first()
    return None if row is None else _row(row)


def find_page(
    connection: Connection, subscription_id: str, state: str, *, limit: int, offset: int
) -> tuple[int, Sequence[DeliveryRow]]:
    """Return how many deliveries of a subscription match, and one page of them, the newest first."""
    conditions: list[ColumnElement[bool]] = [_delivery.c.subscription_id == subscription_id]
    if state:
        conditions.append(_delivery.c.state == state)
    count = connection.execute(select(func.count()).select_from(_delivery).where(*conditions)).scalar_one()
    query = select(_delivery).where(*conditions).order_by(_delivery.c.sequence.desc()).limit(limit).offset(offset)
    return count, [_row(row) for row in connection.execute(query).mappings()]


def any_outdated(connection: Connection, *, at: int) -> bool:
    """Tell whether a delivery is kept beyond its time."""
    return bool(connection.execute(select(exists().where(_outdated(at)))).scalar())


def remove_outdated(connection: Connection, *, at: int) -> None:
    """Remove the deliveries whose time is over."""
    connection.execute(_delivery.delete().where(_outdated(at)))


def _heads() -> Sequence[ColumnElement[bool]]:
    """Return what tells deliveries that nothing earlier of the same subject holds back."""
    earlier = _delivery.alias("earlier")
    held_back = exists().where(
        earlier.c.subscription_id == _delivery.c.subscription_id,
        earlier.c.subject == _delivery.c.subject,
        earlier.c.sequence < _delivery.c.sequence,
        earlier.c.ended_at.is_(None),
        earlier.c.attempts < HOLDS_BACK,
    )
    return (_delivery.c.ended_at.is_(None), _subscription.c.enabled.is_(True), ~held_back)


def _unclaimed(now: int) -> ColumnElement[bool]:
    claimed_at = _delivery.c.claimed_at
    return claimed_at.is_(None) | (claimed_at <= now - LEASE_MS) | (claimed_at > now + LEASE_MS)


def _due(now: int) -> ColumnElement[bool]:
    return (_delivery.c.due_at <= now) | (_delivery.c.due_at > now + _FARTHEST_MS)


def _outdated(at: int) -> ColumnElement[bool]:
    ended_at, dead = _delivery.c.ended_at, _delivery.c.state == DeliveryState.DEAD
    return (dead & (ended_at < at - DEAD_KEPT_MS)) | (~dead & (ended_at < at - KEPT_MS))


def _settle(connection: Connection, delivery_id: str, values: Mapping[str, Any]) -> None:
    # One that has ended, or is gone with its subscription, is left as it is.
    conditions = (_delivery.c.id == delivery_id, _delivery.c.ended_at.is_(None))
    connection.execute(update(_delivery).where(*conditions).values(values))


def _row(row: Mapping[Any, Any]) -> DeliveryRow:
    values = {name: row[name] for name in DeliveryRow.__struct_fields__}
    return DeliveryRow(**{**values, "state": DeliveryState(values["state"])})
