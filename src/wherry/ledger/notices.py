"""What one process tells the others through PostgreSQL's LISTEN and NOTIFY: the topics of what it committed.

A notice is sent inside the transaction and delivered with its commit, so nobody is woken by what may still be undone.
While the listening connection is broken notices are lost; when it stands again everything counts as changed.
"""

import random
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import psycopg
import structlog

from wherry.ledger.postgresql import LedgerConnection
from wherry.ledger.transaction import EVERYTHING

_CHANNEL = "wherry"
_LONGEST = 7900
"""Bytes of a notice at most; PostgreSQL takes 7,999."""

_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0

log = structlog.get_logger(__name__)


def new_process_name() -> str:
    """Return a name by which a process knows its own notices again."""
    return secrets.token_hex(6)


def announce(driver: LedgerConnection, process: str, topics: Iterable[str]) -> None:
    """Send *topics* with the commit of the open transaction."""
    for notice in _notices(process, topics):
        driver.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, notice))


class NoticeListener:
    """A thread that hears what other processes announce.

    Args:
        connect: makes the connection, again and again while the server is away.
        process: whose notices are left out: its own.
    """

    def __init__(self, connect: Callable[[], LedgerConnection], process: str) -> None:
        self._connect = connect
        self._process = process
        self._deliver: Callable[[frozenset[str]], None] = _ignore
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-listener", daemon=True)

    def start(self, deliver: Callable[[frozenset[str]], None]) -> None:
        """Call *deliver* in the thread with topics; with `EVERYTHING` after notices may have been missed."""
        self._deliver = deliver
        self._ends = socket.socketpair()
        self._thread.start()

    def close(self) -> None:
        """End the thread, if it was started."""
        if self._ends is None:
            return
        ours, theirs = self._ends
        ours.send(b"x")
        self._thread.join()
        ours.close()
        theirs.close()

    def _run(self) -> None:
        if self._ends is None:
            return
        ending = self._ends[1]
        with selectors.DefaultSelector() as selector:
            selector.register(ending, selectors.EVENT_READ)
            failures = 0
            while True:
                started = time.monotonic()
                try:
                    with self._connect() as connection:
                        connection.execute(f"LISTEN {_CHANNEL}")
                        self._deliver(frozenset({EVERYTHING}))
                        self._hear(connection, selector, ending)
                        return
                except psycopg.Error as error:
                    failures = 0 if time.monotonic() - started > _LONGEST_PAUSE_S else failures + 1
                    log.warning("no notices from other processes", error=str(error).splitlines()[0])
                pause_s = min(_PAUSE_S * 2**failures, _LONGEST_PAUSE_S)
                if selector.select(random.uniform(pause_s / 2, pause_s)):  # noqa: S311 - no secret
                    return

    def _hear(self, connection: LedgerConnection, selector: selectors.BaseSelector, ending: socket.socket) -> None:
        """Deliver notices until *ending* says so. Raises psycopg.Error when the connection breaks."""
        wire = connection.fileno()
        selector.register(wire, selectors.EVENT_READ)
        try:
            while True:
                for notice in connection.notifies(timeout=0):
                    process, *topics = notice.payload.split(" ")
                    if process != self._process and topics:
                        self._deliver(frozenset(topics))
                if any(key.fileobj is ending for key, _ in selector.select()):
                    return
        finally:
            selector.unregister(wire)


def _ignore(_topics: frozenset[str]) -> None:
    pass


def _notices(process: str, topics: Iterable[str]) -> Iterator[str]:
    notice = process
    for topic in topics:
        if len(notice) + len(topic) >= _LONGEST:
            yield notice
            notice = process
        notice += f" {topic}"
    yield notice
