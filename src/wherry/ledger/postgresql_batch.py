"""The writer's session on PostgreSQL, where several processes write: what keeps their units apart.

Locks are advisory, taken before anything is read, and held until the transaction has become durable. Every statement
sees what was committed before it (READ COMMITTED), hence everything that earlier holders of its locks have done.

- A unit without a scope holds the whole ledger, exclusively.
- A unit with a scope holds the ledger together with others of the kind, and its scope exclusively.
- The end of the audit log is held from the sealing of a batch's entries on: the last lock of all.

They're always taken in this order, scopes in the order of their keys: nobody waits in a circle for them. See ADR 0010.
"""

from collections.abc import Sequence

import psycopg
from sqlalchemy import Connection, Engine

from wherry.errors import WherryError
from wherry.ledger.audit import AuditEntries
from wherry.ledger.errors import CommitFailed, words
from wherry.ledger.notices import announce
from wherry.ledger.postgresql import LedgerConnection, driver_of, explain, is_conflict, lock_key
from wherry.ledger.transaction import Transaction

_LEDGER = lock_key("ledger")
_AUDIT = lock_key("audit")
_NEXT_UNIT = "RELEASE SAVEPOINT unit; SAVEPOINT unit"


class PostgresBatch:
    """One connection, one transaction at a time, a savepoint around each unit.

    Args:
        engine: makes the connections.
        process: the name of this process among those that listen.
    """

    # More savepoints that write than this in a transaction, and the server has to look them up on disk.
    largest = 64

    def __init__(self, engine: Engine, process: str) -> None:
        self._engine = engine
        self._process = process
        self._connection: Connection | None = None
        self._driver: LedgerConnection | None = None
        self._entries = AuditEntries()
        self._entries_before = 0
        self._topics: set[str] = set()
        self._unit: Transaction | None = None
        self._between_units = False
        self._committing = False

    def begin(self, scopes: Sequence[str]) -> None:
        """Start the transaction, take the locks of *scopes*, and open the first savepoint.

        A connection that has gone stale is replaced once: nothing was done on it yet.
        """
        self._entries.cut(0)
        self._topics.clear()
        self._between_units = self._committing = False
        statement = f"BEGIN; {_locks(scopes)}; SAVEPOINT unit"
        fresh = self._connection is None
        try:
            self._say(statement)
        except psycopg.OperationalError:
            if fresh or not self._is_broken():
                raise
            self.reset()
            self._say(statement)

    def enter_unit(self, scope: str) -> Transaction:
        """Open a savepoint."""
        if self._between_units:
            self._say(_NEXT_UNIT)
            self._between_units = False
        if self._connection is None:
            message = "no transaction has begun"
            raise RuntimeError(message)
        self._entries_before = len(self._entries)
        self._unit = Transaction(self._connection, self._entries, scope)
        return self._unit

    def keep_unit(self) -> None:
        """Keep the unit's changes. The savepoint is released together with the next thing to say, to save a trip."""
        if self._unit is not None:
            self._topics |= self._unit.topics
        self._between_units = True

    def undo_unit(self) -> None:
        """Roll back to the savepoint, and leave it open for the next unit."""
        self._entries.cut(self._entries_before)
        self._say("ROLLBACK TO SAVEPOINT unit")

    def seal(self) -> None:
        """Append the audit entries, and announce what changed."""
        if self._connection is None or self._driver is None:
            message = "no transaction has begun"
            raise RuntimeError(message)
        if self._entries:
            self._say(f"RELEASE SAVEPOINT unit; SELECT pg_advisory_xact_lock({_AUDIT})")
            self._entries.append(self._connection)
        if self._topics:
            announce(self._driver, self._process, self._topics)

    def commit(self) -> None:
        """Make the transaction durable."""
        if self._driver is None:
            message = "no transaction has begun"
            raise RuntimeError(message)
        self._committing = True
        # Not by `say`: what the server says before it ends a session would be lost.
        done = self._driver.execute("COMMIT", prepare=False).statusmessage
        if done != "COMMIT":
            # The server answers COMMIT with ROLLBACK, and no error, when the transaction had failed before.
            raise CommitFailed(reason=f"the server answered {done}")

    def reset(self) -> None:
        """Throw the connection away, and with it what was open and what it held."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Close the connection."""
        self.reset()

    def passes(self, error: Exception) -> bool:
        """Tell whether the batch can simply run again: after a deadlock, or when the connection broke before COMMIT."""
        return is_conflict(error) or (self._is_broken() and not self._committing)

    def explain(self, error: Exception) -> Exception:
        """Return what a unit's caller is to see of *error*."""
        return explain(error)

    def failed(self, error: Exception) -> Exception:
        """Return what all callers are to see when the transaction failed."""
        explained = explain(error)
        if isinstance(explained, WherryError):
            return explained
        failed = CommitFailed(reason=words(error))
        failed.__cause__ = error
        return failed

    def _is_broken(self) -> bool:
        return self._driver is not None and self._driver.closed

    def _say(self, statements: str) -> None:
        """Send statements that return nothing, in one trip."""
        if self._driver is None:
            self._connection = self._engine.connect()
            self._driver = driver_of(self._connection)
        self._driver.say(statements)


def _locks(scopes: Sequence[str]) -> str:
    if not all(scopes):
        return f"SELECT pg_advisory_xact_lock({_LEDGER})"
    keys = ",".join(str(key) for key in sorted({lock_key(scope) for scope in scopes}))
    # The array is walked in its order, so the locks are taken in that order too.
    scoped = f"SELECT pg_advisory_xact_lock(key) FROM unnest('{{{keys}}}'::bigint[]) AS key"  # noqa: S608 - numbers
    return f"SELECT pg_advisory_xact_lock_shared({_LEDGER}); {scoped}"
