"""Long polls: callers that wait until something they care about changes. A waiter costs one future and one timer."""

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import Self

from wherry.ledger.transaction import EVERYTHING

LONGEST_WAIT_S = 60
_WAIT = re.compile(rb"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:$|[,;])", re.IGNORECASE)


def wait_preference(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how many seconds the caller wants to wait (``Prefer: wait=30``, RFC 7240), 60 at most; 0: not at all."""
    for name, value in headers:
        if name == b"prefer" and (found := _WAIT.search(value)):
            return min(int(found[1]), LONGEST_WAIT_S)
    return 0


class Waiters:
    """Everybody who waits, by topic. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[bool]]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody waits any more because the control plane is shutting down."""
        return self._closed

    def expect(self, topic: str) -> "Expectation":
        """Start to listen for *topic*, so that nothing is missed between the look at the state and the wait."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result(True)
        else:
            self._waiting.setdefault(topic, set()).add(future)
        return Expectation(self, topic, future)

    def publish(self, topics: Collection[str]) -> None:
        """Wake everybody who waits for one of *topics*."""
        for topic in list(self._waiting) if EVERYTHING in topics else topics:
            for future in self._waiting.pop(topic, ()):
                if not future.done():
                    future.set_result(True)

    def close(self) -> None:
        """Wake everybody, now and from now on."""
        self._closed = True
        self.publish({EVERYTHING})

    def count(self) -> int:
        """Return how many wait."""
        return sum(len(futures) for futures in self._waiting.values())

    def drop(self, topic: str, future: asyncio.Future[bool]) -> None:
        """Forget a waiter."""
        futures = self._waiting.get(topic)
        if futures is not None:
            futures.discard(future)
            if not futures:
                del self._waiting[topic]


class Expectation:
    """One caller's interest in a topic; a context manager."""

    __slots__ = ("_future", "_topic", "_waiters")

    def __init__(self, waiters: Waiters, topic: str, future: asyncio.Future[bool]) -> None:
        self._waiters = waiters
        self._topic = topic
        self._future = future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._waiters.drop(self._topic, self._future)

    async def wait(self, timeout_s: float) -> bool:
        """Wait until the topic is published or the control plane closes; False: the time was over first."""
        timer = asyncio.get_running_loop().call_later(max(timeout_s, 0), _expire, self._future)
        try:
            return await self._future
        finally:
            timer.cancel()


def _expire(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
