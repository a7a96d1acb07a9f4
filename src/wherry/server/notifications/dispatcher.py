"""The loop that tells subscriptions what has happened: it claims deliveries from the ledger, tries them, and settles.

Each process has one. The ledger keeps their claims apart, so no two try the same delivery at the same time; one that
dies leaves claims behind which others take over. Hence a delivery comes twice only where a process died in between, or
where the other side took it and its answer was lost; its id is the same then.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeVar

import structlog

from wherry.contract.notifications import DeliveryError
from wherry.errors import WherryError
from wherry.iam.keys import SecretBox
from wherry.ledger import deliveries, outbox
from wherry.ledger.deliveries import SCOPE, Claimed
from wherry.ledger.ledger import Ledger
from wherry.ledger.transaction import EVERYTHING
from wherry.migration.delivering import next_due
from wherry.server.notifications.errors import DeliveryFault, Undeliverable, WayMissing
from wherry.server.notifications.message import message_of
from wherry.server.notifications.way import Way

MOST: Final = 16
"""Deliveries that a process tries at a time."""
MOST_EACH: Final = 4
"""The same for one subscription: one that hangs leaves room for others."""

_IDLE_S: Final = 60.0
_SHORTEST_WAIT_S: Final = 0.5
_SWEEP_MS: Final = 600_000
_DRAIN_S: Final = 5.0
"""How long what is under way may take when the control plane stops."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Dispatcher:
    """Delivers what is in the outbox. Belongs to one event loop.

    Args:
        ways: by the kinds of subscriptions.
        box: opens the secrets of subscriptions.
        endpoint: the control plane's URL, as it stands in events.
        clock: the time in epoch milliseconds.
        chance: a number from 0 to 1, by which repetitions are spread.
    """

    def __init__(
        self,
        ledger: Ledger,
        ways: Mapping[str, Way],
        *,
        box: SecretBox,
        endpoint: str,
        clock: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._ways = ways
        self._box = box
        self._endpoint = endpoint
        self._clock = clock
        self._chance = chance
        self._news = asyncio.Event()
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swept_at = 0

    async def run(self) -> None:
        """Deliver until cancelled."""
        if not self._ledger.shared:
            await self._quietly(self._release_left_behind())
        while True:
            self._news.clear()
            wait_s = await self._quietly(self._begin())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S if wait_s is None else wait_s):
                    await self._news.wait()

    def hear(self, topics: frozenset[str]) -> None:
        """Look for something to deliver when *topics* say so; for `Ledger.listen`."""
        if outbox.TOPIC in topics or EVERYTHING in topics:
            self._news.set()

    async def drain(self) -> None:
        """Wait for what is under way; what takes too long is left to the next process."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self) -> float:
        """Begin what is due, and return after how many seconds to look again."""
        now = self._clock()
        await self._sweep(now)
        due_at = await self._ledger.read(deliveries.next_due)
        room = MOST - len(self._tasks)
        if due_at is not None and room and not deliveries.is_later(due_at, now):
            claim = partial(deliveries.claim, now=now, most=room, most_each=MOST_EACH, under_way=dict(self._under_way))
            claimed = await self._ledger.write(lambda tx: claim(tx.connection), SCOPE)
            for each in claimed:
                self._start(each)
            if claimed:
                return _SHORTEST_WAIT_S  # the end of one wakes the loop too
        return _IDLE_S if due_at is None else min(max((due_at - now) / 1000, _SHORTEST_WAIT_S), _IDLE_S)

    def _start(self, claimed: Claimed) -> None:
        subscription_id = claimed.row.subscription_id

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._under_way[subscription_id] -= 1
            self._news.set()  # there is room again, and what waited behind it may follow

        self._under_way[subscription_id] += 1
        task = asyncio.create_task(self._deliver(claimed))
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def _deliver(self, claimed: Claimed) -> None:
        row = claimed.row
        failure = await self._tried(claimed)
        now = self._clock()
        if failure is None:
            await self._quietly(
                self._ledger.write(lambda tx: deliveries.delivered(tx.connection, row.id, at=now), SCOPE)
            )
            return
        final = isinstance(failure, Undeliverable) and failure.final
        due_at = None if final else next_due(now, row.first_due_at, row.attempts + 1, self._chance())
        if due_at is None:
            log.warning("notification given up", delivery=row.id, subscription=row.subscription_id, **failure.facts)
        error = DeliveryError(
            code=failure.code, message=failure.message[:2048], cause=failure.cause[:2048], fix=failure.fix[:2048]
        )
        settle = partial(deliveries.failed, error=error, at=now, due_at=due_at)
        await self._quietly(self._ledger.write(lambda tx: settle(tx.connection, row.id), SCOPE))

    async def _tried(self, claimed: Claimed) -> WherryError | None:
        """Try a delivery, and return why it didn't arrive; None: it did."""
        try:
            way = self._ways.get(claimed.kind)
            if way is None:
                return WayMissing(kind=claimed.kind)
            secret = "" if claimed.sealed_secret is None else self._box.open(claimed.sealed_secret)
            await way.tell(message_of(claimed.row, self._endpoint), claimed.target, secret)
        except WherryError as error:
            return error
        except Exception as error:  # one delivery's fault isn't to end the loop for all
            log.exception("notification failed by a fault", delivery=claimed.row.id)
            return DeliveryFault(reason=type(error).__name__)
        return None

    async def _release_left_behind(self) -> None:
        await self._ledger.write(lambda tx: deliveries.release_claims(tx.connection), SCOPE)

    async def _sweep(self, now: int) -> None:
        """Remove what was kept for its time, now and then; look before, since there seldom is anything."""
        if abs(now - self._swept_at) < _SWEEP_MS:
            return
        self._swept_at = now
        if await self._ledger.read(partial(deliveries.any_outdated, at=now)):
            await self._ledger.write(lambda tx: deliveries.remove_outdated(tx.connection, at=now), SCOPE)

    async def _quietly(self, step: Awaitable[T]) -> T | None:
        """Return what *step* returns; None where the ledger couldn't be asked: the next look will do."""
        try:
            return await step
        except WherryError as error:
            log.warning("notifications not delivered for now", **error.facts)
            return None
