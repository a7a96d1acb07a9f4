"""The outbox: who gets which delivery, in which order, and what a claim keeps others from."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.unit.test_ledger_resources import add, prepare, source_row
from wherry.contract.notifications import DeliveryError, EventType
from wherry.ledger import deliveries, outbox, sources, subscriptions
from wherry.ledger.deliveries import LEASE_MS
from wherry.ledger.ledger import open_ledger
from wherry.ledger.subscriptions import SubscriptionRow
from wherry.ledger.transaction import Transaction
from wherry.migration.delivering import HOLDS_BACK
from wherry.migration.events import Event

T0 = 1_800_000_000_000
ERROR = DeliveryError(code="WHERRY.5422", message="it answered 500")
Within = Callable[[Callable[[Connection], None]], None]


@pytest.fixture
def within(tmp_path: Path) -> Within:
    """Run a check in a ledger with two sources and one subscription to everything."""

    def start(check: Callable[[Connection], None]) -> None:
        def unit(tx: Transaction) -> None:
            prepare(tx)
            for name in ("web", "db"):
                add(tx, source_id=name, name=name)
            subscribe(tx.connection, "all")
            check(tx.connection)

        async def inside() -> None:
            ledger = open_ledger(tmp_path / "ledger")
            try:
                await ledger.write(unit)
            finally:
                await ledger.close()

        asyncio.run(inside())

    return start


def subscribe(connection: Connection, subscription_id: str, **changes: Any) -> None:
    values = {
        "id": subscription_id,
        "account_id": "account",
        "name": subscription_id,
        "kind": "webhook",
        "enabled": True,
        "event_types": [],
        "enterprise_project_id": "",
        "source_id": "",
        "target": {"url": "https://hooks.example"},
        "sealed_secret": None,
        "created_at": 1,
        "updated_at": 1,
    }
    subscriptions.insert(connection, SubscriptionRow(**{**values, **changes}))


def happen(connection: Connection, kind: EventType, source: str = "web", at: int = T0) -> bool:
    return outbox.put(connection, Event(kind, source), at=at)


def claim(connection: Connection, now: int, **limits: Any) -> Sequence[deliveries.Claimed]:
    return deliveries.claim(connection, now=now, **{"most": 100, "most_each": 100, "under_way": {}, **limits})


def claimed(connection: Connection, now: int, **limits: Any) -> list[tuple[str, str]]:
    return [(each.row.subject, each.row.event_type) for each in claim(connection, now, **limits)]


def test_events_of_one_source_come_one_after_the_other(within: Within) -> None:
    def check(connection: Connection) -> None:
        for kind in (EventType.TASK_STARTED, EventType.TASK_FAILED):
            for source in ("web", "db"):
                assert happen(connection, kind, source)
        first = claim(connection, T0)
        assert [(each.row.subject, each.row.event_type) for each in first] == [
            ("source:web", "wherry.task.started"),
            ("source:db", "wherry.task.started"),
        ]
        assert claim(connection, T0) == []
        deliveries.delivered(connection, first[0].row.id, at=T0 + 1)
        assert claimed(connection, T0 + 1) == [("source:web", "wherry.task.failed")]

    within(check)


def test_one_that_never_arrives_holds_others_back_for_a_while_only(within: Within) -> None:
    def check(connection: Connection) -> None:
        happen(connection, EventType.TASK_STARTED)
        happen(connection, EventType.TASK_FAILED)
        now = T0
        for _ in range(HOLDS_BACK):
            (head,) = claim(connection, now)
            assert head.row.event_type == "wherry.task.started"
            deliveries.failed(connection, head.row.id, ERROR, at=now, due_at=now + 5000)
            now += 5000
            if head.row.attempts + 1 < HOLDS_BACK:
                assert claim(connection, now - 1) == []
                assert deliveries.next_due(connection) == now
        assert claimed(connection, now - 1) == [("source:web", "wherry.task.failed")]
        assert claimed(connection, now) == [("source:web", "wherry.task.started")]

    within(check)


def test_a_claim_runs_out_when_nobody_settles_it(within: Within) -> None:
    def check(connection: Connection) -> None:
        happen(connection, EventType.TASK_STARTED)
        (first,) = claim(connection, T0)
        assert claim(connection, T0 + LEASE_MS - 1) == []
        assert deliveries.next_due(connection) == T0 + LEASE_MS
        (again,) = claim(connection, T0 + LEASE_MS)
        assert again.row.id == first.row.id
        deliveries.release_claims(connection)
        assert len(claim(connection, T0 + LEASE_MS + 1)) == 1

    within(check)


def test_a_clock_that_is_set_back_stops_nothing(within: Within) -> None:
    def check(connection: Connection) -> None:
        happen(connection, EventType.TASK_STARTED)
        (first,) = claim(connection, T0)
        deliveries.failed(connection, first.row.id, ERROR, at=T0, due_at=T0 + 5000)
        happen(connection, EventType.TASK_STARTED, "db")
        claim(connection, T0)
        assert len(claim(connection, T0 - 86_400_000)) == 2
        assert not deliveries.is_later(T0, T0 - 86_400_000)

    within(check)


def test_no_subscription_takes_all_the_room(within: Within) -> None:
    def check(connection: Connection) -> None:
        subscribe(connection, "other", source_id="db")
        for number in range(5):
            source = f"source-{number}"
            sources.insert(connection, source_row(source, source), reason="test")
            happen(connection, EventType.TASK_STARTED, source)
        happen(connection, EventType.TASK_STARTED, "db")
        taken = claim(connection, T0, most_each=2)
        assert sorted(each.row.subscription_id for each in taken) == ["all", "all", "other"]
        assert claim(connection, T0, most_each=2, under_way={"all": 2}) == []
        assert len(claim(connection, T0, most_each=2, under_way={"all": 1})) == 1
        assert len(claim(connection, T0, most=1)) == 1

    within(check)


def test_who_is_switched_off_is_not_told_and_not_tried(within: Within) -> None:
    def check(connection: Connection) -> None:
        happen(connection, EventType.TASK_STARTED)
        subscriptions.change(connection, "all", {"enabled": False})
        assert not happen(connection, EventType.TASK_FAILED)
        assert claim(connection, T0) == []
        assert deliveries.next_due(connection) is None
        subscriptions.change(connection, "all", {"enabled": True})
        assert claimed(connection, T0) == [("source:web", "wherry.task.started")]

    within(check)


def test_other_accounts_hear_nothing(within: Within) -> None:
    def check(connection: Connection) -> None:
        subscriptions.delete(connection, "all")
        subscribe(connection, "theirs", account_id="other")
        assert not happen(connection, EventType.TASK_STARTED)

    within(check)


def test_what_has_ended_is_settled_once(within: Within) -> None:
    def check(connection: Connection) -> None:
        happen(connection, EventType.TASK_STARTED)
        (first,) = claim(connection, T0)
        deliveries.delivered(connection, first.row.id, at=T0 + 1)
        # A process that was held up for long comes with its own outcome.
        deliveries.failed(connection, first.row.id, ERROR, at=T0 + 2, due_at=None)
        found = deliveries.find(connection, "account", first.row.id)
        assert found is not None
        assert (found.state, found.attempts, found.ended_at, found.last_error) == ("delivered", 1, T0 + 1, None)
        assert deliveries.find(connection, "other", first.row.id) is None

    within(check)
