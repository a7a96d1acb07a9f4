"""When agents were last heard of. Kept in memory: a poll must not cost a durable write.

Only the turns are written at once, when a silent agent speaks again or a connected one has been silent for the window;
the moments themselves follow at intervals.
"""

import asyncio
from collections.abc import Callable

import structlog

from wherry.errors import WherryError
from wherry.ledger import sources
from wherry.ledger.ledger import Ledger
from wherry.ledger.transaction import Transaction

CONTACT_WINDOW_S = 120
"""An agent that wasn't heard of for so long isn't connected any more. Twice the longest wait of a long poll."""

RECEIVER_WINDOW_S = 90
"""The same for receivers, which announce themselves more often."""

FLUSH_S = 10
"""How often last contacts are written, and silent agents looked for."""

log = structlog.get_logger(__name__)


class Contacts:
    """The last contacts of all agents. Belongs to one event loop.

    Args:
        clock: the time in epoch milliseconds.
        window_ms: how long an agent counts as connected after its last contact.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], int], *, window_ms: int = CONTACT_WINDOW_S * 1000) -> None:
        self._ledger = ledger
        self._clock = clock
        self._window_ms = window_ms
        self._last: dict[str, int] = {}
        self._connected: set[str] = set()
        self._unwritten: set[str] = set()

    async def load(self) -> None:
        """Read what was written. The time during which the control plane was down isn't held against any agent."""
        now = self._clock()
        for source_id, (at, connected) in (await self._ledger.read(sources.last_contacts)).items():
            self._last[source_id] = at
            if connected:
                self._connected.add(source_id)
                self._last[source_id] = now

    async def touch(self, source_id: str) -> None:
        """Note that the agent of a source has just been heard of."""
        now = self._last[source_id] = self._clock()
        self._unwritten.add(source_id)
        if source_id not in self._connected:
            self._connected.add(source_id)
            await self._ledger.write(_turn(source_id, connected=True, at=now))

    def registered(self, source_id: str) -> None:
        """Note that a source has registered; its record says already that it's connected."""
        self._last[source_id] = self._clock()
        self._connected.add(source_id)

    def forget(self, source_id: str) -> None:
        """Drop a deleted source."""
        self._last.pop(source_id, None)
        self._connected.discard(source_id)
        self._unwritten.discard(source_id)

    async def flush(self) -> None:
        """Write the last contacts, and note who has been silent for too long."""
        now = self._clock()
        silent = [source_id for source_id in self._connected if now - self._last[source_id] > self._window_ms]
        contacts = {source_id: self._last[source_id] for source_id in self._unwritten}
        if not silent and not contacts:
            return
        self._unwritten.clear()
        self._connected.difference_update(silent)

        def unit(tx: Transaction) -> None:
            sources.note_contacts(tx.connection, contacts)
            for source_id in silent:
                _turn(source_id, connected=False, at=now)(tx)

        await self._ledger.write(unit)

    async def run(self) -> None:
        """Flush at intervals, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except WherryError as error:
                log.warning("contacts not written", code=error.code, error=error.message)


def _turn(source_id: str, *, connected: bool, at: int) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        sources.set_connected(tx.connection, source_id, connected=connected, at=at)

    return unit
