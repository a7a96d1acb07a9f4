"""When agents and receivers were last heard of.

A poll must not cost a durable write, so contacts of agents are kept in memory for a while.

Only the turns are written at once, when a silent agent speaks again; the moments themselves follow at intervals, and
who has been silent for the window is found in the ledger then, which knows what all processes have heard.

The moments are wall time, since processes share them, and a clock may be set. Nobody counts as silent because it was
set ahead, nor as present for hours because it was set back.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from wherry.errors import WherryError
from wherry.iam.memory import Memory
from wherry.ledger import sources
from wherry.ledger.ledger import Ledger
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.transaction import EVERYTHING, Transaction, source_scope
from wherry.migration import events
from wherry.migration.events import Event

CONTACT_WINDOW_S = 120
"""An agent that wasn't heard of for so long isn't connected any more. Twice the longest wait of a long poll."""

RECEIVER_WINDOW_S = 90
"""The same for receivers, which announce themselves more often."""

FLUSH_S = 10
"""How often last contacts are written, and silent agents looked for."""

_SET_MS = 5000
"""A clock that differs by more from what has really gone by was set, and not merely adjusted."""

_LARGEST_FLUSH = 500
"""Contacts in one unit: it holds everybody up."""

_SILENT = "silent:"

log = structlog.get_logger(__name__)


class Contacts:
    """The last contacts of the agents that speak to this process. Belongs to one event loop.

    Args:
        clock: the time in epoch milliseconds.
        steady: seconds of a clock that is never set.
        window_ms: how long an agent counts as connected after its last contact.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], int],
        steady: Callable[[], float] = time.monotonic,
        *,
        window_ms: int = CONTACT_WINDOW_S * 1000,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._steady = steady
        self._offset_ms = self._offset()
        self._window_ms = window_ms
        self._unwritten: dict[str, int] = {}
        self._connected: set[str] = set()
        # Until then silence was our own: nobody could be heard.
        self._listening_since = 0

    async def load(self) -> None:
        """Read who is connected. The time during which the control plane was down isn't held against any agent."""
        self._listening_since = self._clock()
        self._connected = set(await self._ledger.read(partial(sources.all_connected, connected=True)))

    async def touch(self, source_id: str) -> None:
        """Note that the agent of a source has just been heard of."""
        now = self._unwritten[source_id] = self._clock()
        if source_id not in self._connected:
            self._connected.add(source_id)
            await self._ledger.write(_turn(source_id, connected=True, at=now), source_scope(source_id))

    def registered(self, source_id: str) -> None:
        """Note that a source has registered; its record says already that it's connected."""
        self._connected.add(source_id)

    def forget(self, source_id: str) -> None:
        """Drop a deleted source."""
        self._connected.discard(source_id)
        self._unwritten.pop(source_id, None)

    def changed(self, topics: frozenset[str]) -> None:
        """Take note of agents that another process found silent; for `Ledger.listen`."""
        if EVERYTHING in topics:
            return  # the next flush sets right what was missed
        self._connected.difference_update(topic.removeprefix(_SILENT) for topic in topics if topic.startswith(_SILENT))

    async def flush(self) -> None:
        """Write the last contacts, and note who has been silent for too long."""
        heard, self._unwritten = self._unwritten, {}
        try:
            while heard:
                some = dict(list(heard.items())[:_LARGEST_FLUSH])
                await self._ledger.write(_heard(some, self._clock()))
                for source_id in some:
                    del heard[source_id]
            await self._find_silent(self._clock())
        except WherryError:
            self._unwritten = heard | self._unwritten
            # What was heard couldn't be written, perhaps by any process: silence in the ledger says nothing.
            self._listening_since = self._clock()
            raise

    async def _find_silent(self, now: int) -> None:
        self._mind_the_clock(now)
        if self._listening_since >= now - self._window_ms:
            return
        find = partial(sources.silent, earliest=now - self._window_ms, latest=now + self._window_ms)
        if await self._ledger.read(find):
            self._connected.difference_update(await self._ledger.write(_disconnect_silent(find, now)))

    def _offset(self) -> int:
        """Return by how many milliseconds the clock is ahead of the steady one. That changes when it's set only."""
        return self._clock() - int(self._steady() * 1000)

    def _mind_the_clock(self, now: int) -> None:
        """Begin to listen anew when the clock was set: what was heard before tells nothing by the new time."""
        offset_ms = self._offset()
        if abs(offset_ms - self._offset_ms) > _SET_MS:
            log.warning("clock_was_set", forward_s=round((offset_ms - self._offset_ms) / 1000))
            self._listening_since = now
        self._offset_ms = offset_ms

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
        note_connected(tx, source_id, connected=connected, at=at)

    return unit


def note_connected(tx: Transaction, source_id: str, *, connected: bool, at: int) -> None:
    """Note that an agent is connected now, or isn't any more, and tell who wants to know if that is news."""
    if sources.set_connected(tx.connection, source_id, connected=connected, at=at):
        tx.tell(Event(events.of_contact(connected=connected), source_id), at=at)


class ReceiverContacts:
    """Which receivers are there: by the moments in the ledger, and by what this process has heard itself.

    Args:
        steady: seconds of a clock that is never set.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._heard: Memory[str, bool] = Memory(RECEIVER_WINDOW_S, steady)

    def heard_of(self, receiver_id: str) -> None:
        """Note that a receiver has just been heard of."""
        self._heard.put(receiver_id, True)  # noqa: FBT003 - a set with a time limit

    def connected(self, row: ReceiverRow, now: int) -> bool:
        """Tell whether a receiver has been heard of lately, at *now* (epoch milliseconds)."""
        # A moment in the future was noted before the clock was set back.
        return bool(self._heard.get(row.id)) or abs(now - row.last_contact) <= RECEIVER_WINDOW_S * 1000


def _heard(contacts: Mapping[str, int], now: int) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        sources.note_contacts(tx.connection, contacts, now=now)
        # Another process may have found them silent before this one came to write what it had heard.
        for source_id in sources.all_connected(tx.connection, connected=False) & contacts.keys():
            note_connected(tx, source_id, connected=True, at=contacts[source_id])

    return unit


def _disconnect_silent(find: Callable[[Connection], Sequence[str]], now: int) -> Callable[[Transaction], Sequence[str]]:
    def unit(tx: Transaction) -> Sequence[str]:
        silent = find(tx.connection)
        for source_id in silent:
            note_connected(tx, source_id, connected=False, at=now)
            tx.topics.add(f"{_SILENT}{source_id}")
        return silent

    return unit
