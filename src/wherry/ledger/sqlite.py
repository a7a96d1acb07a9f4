"""The ledger on SQLite: how the file is opened, the writer's session, and the reader.

WAL lets readers go on while the writer commits; synchronous=FULL makes every commit durable. Transactions are begun
by hand (the driver is in autocommit mode), because the driver's own habit of beginning them late breaks savepoints.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from wherry.errors import WherryError
from wherry.ledger.audit import AuditEntries
from wherry.ledger.errors import CommitFailed, ValueRefused, origin, words
from wherry.ledger.transaction import Transaction

T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",  # readers wait for recovery after a crash
    "PRAGMA cache_size=-16384",
)


def open_engine(path: Path) -> Engine:
    """Return an engine for the database file at *path*; connections may be handed from thread to thread."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # errors are logged, and parameters may be secrets
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma).close()

    return engine


class SqliteReader:
    """Runs queries inline, on a connection of its own: far cheaper than handing them to a thread (ADR 0006).

    Queries of one turn of the event loop share a view, up to the moment when somebody is told that something was
    committed: to open and close one costs as much as a query.
    """

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._driver: sqlite3.Connection = _driver(self._connection)
        self._viewing = False

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run *query* on one consistent view of all that's committed."""
        if not self._viewing:
            self._driver.execute("BEGIN")
            self._viewing = True
            asyncio.get_running_loop().call_soon(self.refresh)
        try:
            return query(self._connection)
        except (sqlite3.DataError, OverflowError) as error:
            raise ValueRefused(reason=words(error)) from error

    def refresh(self) -> None:
        """See what was committed up to now, from the next query on."""
        if self._viewing:
            self._viewing = False
            self._driver.execute("ROLLBACK")

    async def close(self) -> None:
        """Close the connection."""
        self.refresh()
        self._connection.close()


class SqliteBatch:
    """The writer's session: one connection, one transaction at a time.

    BEGIN IMMEDIATE takes the write lock of the whole file, whatever the scopes of the units are.

    Args:
        wait_s: how long it waits for the lock, in seconds, when another program holds it.
        savepoints: a savepoint around each unit. Without, a unit that fails takes the transaction with it, unless it
            has changed nothing, as is the rule for one that is refused.
    """

    # On the event loop everybody waits while the units of a batch run.
    largest = 64

    def __init__(self, engine: Engine, *, wait_s: float = 10, savepoints: bool = True) -> None:
        self._engine = engine
        self._wait_ms = int(wait_s * 1000)
        self._savepoints = savepoints
        self._connection: Connection | None = None
        self._driver: Any = None
        self._entries = AuditEntries()
        self._entries_before = 0
        self._changes_before = 0

    def begin(self, _scopes: Sequence[str]) -> None:
        """Start the transaction and take the write lock."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._driver = _driver(self._connection)
            self._driver.execute(f"PRAGMA busy_timeout={self._wait_ms}")
        self._entries.cut(0)
        self._driver.execute("BEGIN IMMEDIATE")

    def enter_unit(self, scope: str) -> Transaction:
        """Note where the unit begins, by a savepoint if need be."""
        if self._connection is None:
            message = "no transaction has begun"
            raise RuntimeError(message)
        if self._savepoints:
            self._driver.execute("SAVEPOINT unit")
        else:
            self._changes_before = self._driver.total_changes
        self._entries_before = len(self._entries)
        return Transaction(self._connection, self._entries, scope)

    def keep_unit(self) -> None:
        """Release the savepoint."""
        if self._savepoints:
            self._driver.execute("RELEASE unit")

    def undo_unit(self) -> None:
        """Roll back to where the unit began. Raises where that takes the whole transaction."""
        self._entries.cut(self._entries_before)
        if self._savepoints:
            self._driver.execute("ROLLBACK TO unit")
            self._driver.execute("RELEASE unit")
        elif not self._driver.in_transaction or self._driver.total_changes != self._changes_before:
            message = "the unit has changed something, and there's no savepoint"
            raise RuntimeError(message)

    def seal(self) -> None:
        """Append the audit entries."""
        if self._entries and self._connection is not None:
            self._entries.append(self._connection)

    def commit(self) -> None:
        """Make the transaction durable."""
        self._driver.execute("COMMIT")

    def reset(self) -> None:
        """Throw the connection away: SQLite rolls back what it had open, and an I/O error can't stick to it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Close the connection; the last one to close moves the log into the database file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def passes(self, _error: Exception) -> bool:
        """Nobody gets in the way: there's one writer, and SQLite itself waits for the lock."""
        return False

    def explain(self, error: Exception) -> Exception:
        """Return CommitFailed where the database refused (disk full, I/O error), a unit's own errors as they are."""
        cause = origin(error)
        if isinstance(cause, sqlite3.OperationalError):
            return self.failed(error)
        if isinstance(cause, (sqlite3.DataError, OverflowError)):
            return ValueRefused(reason=words(error))
        return error

    def failed(self, error: Exception) -> Exception:
        """Return CommitFailed with the database's words."""
        if isinstance(error, WherryError):
            return error
        failed = CommitFailed(reason=words(error))
        failed.__cause__ = error
        return failed


def _driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection: SQLAlchemy has nothing to add to what is run on it directly."""
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver
