"""The ledger: what must not be lost, behind two verbs.

`write` runs a unit in the group-commit writer and returns when it's durable. `read` runs a query on one consistent
view. It lives in an SQLite file or in a PostgreSQL database; only `open_ledger` knows which.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from wherry.ledger import schema
from wherry.ledger.errors import LedgerUnusable, words
from wherry.ledger.loop_writer import LoopWriter
from wherry.ledger.sqlite import SqliteBatch, SqliteReader, open_engine
from wherry.ledger.transaction import Transaction
from wherry.ledger.writer import BatchRunner, Outcome

T = TypeVar("T")
Outcomes = Sequence[Outcome[Transaction]]
Deliver = Callable[[Outcomes], None]


class Writer(Protocol):
    """How units are written."""

    def submit(self, unit: Callable[[Transaction], Any], token: "asyncio.Future[Any]", scope: str = "") -> None:
        """Queue *unit*; its outcome is delivered with *token* once it's durable. Raises LedgerClosed."""

    async def close(self) -> None:
        """Write what is queued, and close the session."""


class Reader(Protocol):
    """How queries are run."""

    def read(self, query: Callable[[Connection], T]) -> Awaitable[T]:
        """Run *query* on one consistent view of all that's committed, and return its result."""

    def refresh(self) -> None:
        """See what was committed up to now, from the next query on."""

    async def close(self) -> None:
        """Close its connections; nobody reads any more."""


class Listener(Protocol):
    """How a ledger hears of what other processes commit."""

    def start(self, deliver: Callable[[frozenset[str]], None]) -> None:
        """Call *deliver*, in a thread, with the topics of what others commit from now on."""

    def close(self) -> None:
        """End it."""


class Ledger:
    """An open ledger. Make it with `open_ledger`; use it from one event loop."""

    def __init__(
        self, engine: Engine, new_writer: Callable[[Deliver], Writer], reader: Reader, listener: Listener | None = None
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._watchers: list[Callable[[str], None]] = []
        self._reader = reader
        self._writer = new_writer(self._settle)

    async def write(self, unit: Callable[[Transaction], T], scope: str = "") -> T:
        """Run *unit* and return its result once it's durable.

        *unit* may run in a thread: it uses what it's given and nothing else that changes, and it's short. It may run
        again after everything of the first time was undone. If it raises, its own changes are undone and the exception
        comes out here. A caller who is cancelled doesn't stop the unit.

        No other unit, of whatever process, changes anything beside it, unless both name a *scope*: then only units of
        the same scope are kept apart. A unit with a scope changes, and goes by, nothing that units of other scopes
        change. See `wherry.ledger.transaction.source_scope` and ADR 0010.

        Raises CommitFailed when the ledger couldn't make the batch durable, LedgerAway when its database doesn't
        answer, ValueRefused for a value that can't be stored, LedgerClosed after `close`.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(unit, future, scope)
        return await future

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on one consistent view of all that's committed, and return its result.

        *query* must be short: on SQLite it runs on the event loop, on PostgreSQL others wait behind it. It may run
        twice. Raises LedgerAway when the database doesn't answer, ValueRefused for a value that it can't look for.
        """
        return await self._reader.read(query)

    @property
    def shared(self) -> bool:
        """Whether other processes may write to it too."""
        return self._listener is not None

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call *listener* on the event loop with the topics of each unit that changed something, after its commit.

        Units of other processes count too; `wherry.ledger.transaction.EVERYTHING` is the topic when some of their
        topics may have been missed.
        """
        if not self._listeners and self._listener is not None:
            self._loop = asyncio.get_running_loop()
            self._listener.start(self._overhear)
        self._listeners.append(listener)

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Call *watcher* on the event loop with the scope of each unit of this process, empty for one without.

        It's called before anybody is answered or woken, whether the unit changed something or failed.
        """
        self._watchers.append(watcher)

    async def close(self) -> None:
        """Write what is queued, answer everybody, and close the database."""
        if self._listener is not None:
            await asyncio.to_thread(self._listener.close)
        await self._writer.close()
        # The last outcomes may have been handed to the loop by a thread: let them be delivered.
        await asyncio.sleep(0)
        await self._reader.close()
        self._engine.dispose()

    def _overhear(self, topics: frozenset[str]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._publish, topics)

    def _publish(self, topics: frozenset[str]) -> None:
        for listener in self._listeners:
            listener(topics)

    def _settle(self, outcomes: Outcomes) -> None:
        self._reader.refresh()  # who is answered or woken finds what was written
        for outcome in outcomes:
            scope = "" if outcome.scope is None else outcome.scope.scope
            for watcher in self._watchers:
                watcher(scope)
        for outcome in outcomes:
            if outcome.scope is not None and outcome.scope.topics:
                self._publish(frozenset(outcome.scope.topics))
            future: asyncio.Future[Any] = outcome.token
            if future.done():
                continue  # its caller was cancelled
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


def open_ledger(place: Path | str) -> Ledger:
    """Open the ledger in the file *place*, or in the PostgreSQL database of the URL *place*.

    It's made, or brought to this version's schema, first. Raises LedgerUnusable where it can't be used, LedgerTooNew
    where a newer Wherry wrote it, DatabaseMalformed where the URL isn't one.
    """
    if isinstance(place, str):
        from wherry.ledger.postgresql_ledger import open_postgresql  # noqa: PLC0415 - SQLite needs no driver loaded

        return open_postgresql(place)
    engine = open_engine(place)
    try:
        # SQLite gives its log the mode of the database: secrets at rest are sealed, and still nobody's business.
        place.touch(mode=0o600)
        bring_up_to_date(engine, place)
        quick = BatchRunner(SqliteBatch(engine, wait_s=0, savepoints=False))
        patient = BatchRunner(SqliteBatch(engine))
        return Ledger(engine, partial(LoopWriter, quick, patient), SqliteReader(engine))
    except (DatabaseError, sqlite3.Error, OSError) as error:
        engine.dispose()
        raise LedgerUnusable(path=place, reason=words(error)) from error


def bring_up_to_date(engine: Engine, shown: object) -> None:
    """Bring the database to this version's schema. Raises LedgerTooNew, with *shown* as the ledger's place."""
    if schema_revision(engine) != schema.REVISION:
        from wherry.ledger import migrate  # noqa: PLC0415 - Alembic is slow to load, and seldom needed

        migrate.upgrade(engine, shown)


def schema_revision(engine: Engine) -> str | None:
    """Return the revision of the schema that the database has; None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
