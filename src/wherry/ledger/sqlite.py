"""The ledger on SQLite: how the file is opened, and the writer's session.

WAL lets readers go on while the writer commits; synchronous=FULL makes every commit durable. Transactions are begun
by hand (the driver is in autocommit mode), because the driver's own habit of beginning them late breaks savepoints.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from wherry.ledger.audit import AuditChain
from wherry.ledger.transaction import Transaction

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=10000",
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


class SqliteBatch:
    """The writer's session: one connection, one transaction at a time, a savepoint around each unit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._chain = AuditChain()
        self._chain_before = self._chain.head

    def begin(self) -> None:
        """Start the transaction and take the write lock."""
        if self._connection is None:
            self._connection = self._engine.connect()
        self._chain.head = None
        self._execute("BEGIN IMMEDIATE")

    def enter_unit(self) -> Transaction:
        """Open a savepoint."""
        self._execute("SAVEPOINT unit")
        self._chain_before = self._chain.head
        return Transaction(self._opened(), self._chain)

    def keep_unit(self) -> None:
        """Release the savepoint."""
        self._execute("RELEASE unit")

    def undo_unit(self) -> None:
        """Roll back to the savepoint. Raises where SQLite has rolled the whole transaction back by itself."""
        self._chain.head = self._chain_before
        self._execute("ROLLBACK TO unit")
        self._execute("RELEASE unit")

    def commit(self) -> None:
        """Make the transaction durable."""
        self._execute("COMMIT")

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

    def _opened(self) -> Connection:
        if self._connection is None:
            message = "no transaction has begun"
            raise RuntimeError(message)
        return self._connection

    def _execute(self, statement: str) -> None:
        # Straight to the driver: these run several times a unit, and SQLAlchemy has nothing to add to them.
        driver: sqlite3.Connection = self._opened().connection.driver_connection  # type: ignore[assignment]
        driver.execute(statement).close()
