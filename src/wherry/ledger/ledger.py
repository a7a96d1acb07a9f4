"""The ledger: what must not be lost, behind two verbs.

`write` runs a unit in the group-commit writer and returns when it's durable. `read` runs a query on a connection of
its own, inline: on SQLite that is far cheaper than handing it to a thread (ADR 0006).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from wherry.ledger import schema
from wherry.ledger.errors import LedgerUnusable
from wherry.ledger.sqlite import SqliteBatch, open_engine
from wherry.ledger.transaction import Transaction
from wherry.ledger.writer import GroupCommitWriter, Outcome

T = TypeVar("T")


class Ledger:
    """An open ledger. Make it with `open_ledger`; use it from one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._reader = engine.connect()
        self._writer = GroupCommitWriter[Transaction](SqliteBatch(engine), self._deliver)
        self._writer.start()

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run *unit* and return its result once it's durable.

        *unit* runs in the writer's thread: it may use what it's given and nothing else that changes. It may run a
        second time after everything of the first was undone. If it raises, its own changes are undone and the
        exception comes out here. Raises CommitFailed when the ledger couldn't
        make the batch durable, LedgerClosed after `close`. A caller who is cancelled doesn't stop the unit.
        """
        loop = asyncio.get_running_loop()
        self._loop = loop
        future: asyncio.Future[T] = loop.create_future()
        self._writer.submit(unit, future)
        return await future

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on one consistent view of all that's committed, and return its result.

        *query* must be short: it runs on the event loop.
        """
        driver: sqlite3.Connection = self._reader.connection.driver_connection  # type: ignore[assignment]
        driver.execute("BEGIN").close()
        try:
            return query(self._reader)
        finally:
            driver.execute("ROLLBACK").close()

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call *listener* on the event loop with the topics of each unit that changed something, after its commit."""
        self._listeners.append(listener)

    async def close(self) -> None:
        """Write what is queued, answer everybody, and close the database."""
        await asyncio.to_thread(self._writer.close)
        # The last outcomes were handed to the loop before the thread ended: let them be delivered.
        await asyncio.sleep(0)
        self._reader.close()
        self._engine.dispose()

    def _deliver(self, outcomes: Sequence[Outcome[Transaction]]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._settle, outcomes)

    def _settle(self, outcomes: Sequence[Outcome[Transaction]]) -> None:
        for outcome in outcomes:
            if outcome.scope is not None and outcome.scope.topics:
                topics = frozenset(outcome.scope.topics)
                for listener in self._listeners:
                    listener(topics)
            future: asyncio.Future[object] = outcome.token
            if future.done():
                continue  # its caller was cancelled
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


def open_ledger(path: Path) -> Ledger:
    """Open the ledger in the file *path*, making it or bringing it to this version's schema first.

    Raises LedgerUnusable where the file can't be used, LedgerTooNew where a newer Wherry wrote it.
    """
    engine = open_engine(path)
    try:
        # SQLite gives its log the mode of the database: secrets at rest are sealed, and still nobody's business.
        path.touch(mode=0o600)
        if schema_revision(engine) != schema.REVISION:
            from wherry.ledger import migrate  # noqa: PLC0415 - Alembic is slow to load, and seldom needed

            migrate.upgrade(engine, path)
        return Ledger(engine)
    except (DatabaseError, sqlite3.Error, OSError) as error:
        engine.dispose()
        raise LedgerUnusable(path=path, reason=str(getattr(error, "orig", None) or error)) from error


def schema_revision(engine: Engine) -> str | None:
    """Return the revision of the schema that the database has; None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
