"""The ledger on PostgreSQL: how connections are made, and what its errors mean.

The driver is psycopg. Transactions are begun by hand, as on SQLite. A connection must be one to the server itself or to
a pooler in session mode: statements are prepared and notifications listened for.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import conninfo, errors, pq
from sqlalchemy import Connection, Engine, NullPool, create_engine

from wherry.errors import WherryError
from wherry.ledger.errors import (
    CommitFailed,
    DatabaseMalformed,
    LedgerAway,
    LedgerUnusable,
    ValueRefused,
    origin,
    words,
)

IDLE_LIMIT_S: Final = 20
"""A session that holds locks and has said nothing for so long is ended by the server: its process hangs."""

STATEMENT_LIMIT_S: Final = 60
"""The longest that a statement may take, its wait for locks included."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    # A server that vanishes without a word is noticed in about twenty seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
    "application_name": "wherry",
}

_PREPARE: Final = (
    f"SET idle_in_transaction_session_timeout = '{IDLE_LIMIT_S}s';"
    f" SET statement_timeout = '{STATEMENT_LIMIT_S}s';"
    " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)

_OLDEST = 130000

_GOOD: Final = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class LedgerConnection(psycopg.Connection[Any]):
    """A connection of the ledger, with two short ways for what's said on it a thousand times a second."""

    _steady: "_SteadyCursor | None" = None

    def say(self, statements: str) -> None:
        """Run statements without parameters and rows in one trip: a fifth of the cost of `execute`.

        Raises psycopg.Error, without its SQLSTATE where the connection broke; it's closed then.
        """
        result = self.pgconn.exec_(statements.encode())
        if result.status in _GOOD:
            return
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state is None:
            self.close()
            raise psycopg.OperationalError(result.get_error_message())
        raise errors.lookup(state.decode())(result.get_error_message())

    def execute(self, query: Any, params: Any = None, **options: Any) -> "psycopg.Cursor[Any]":
        """Run *query* on the connection's one cursor: to make one costs as much as to use it.

        Fetch its rows before the next call.
        """
        if self._steady is None:
            self._steady = _SteadyCursor(self)
        return self._steady.execute(query, params, **options)


class _SteadyCursor(psycopg.Cursor[Any]):
    """A cursor that is used again."""

    def close(self) -> None:
        """Stay open."""


class PostgresDatabase:
    """A database by its URL (or any connection string of libpq). Raises DatabaseMalformed for anything else."""

    def __init__(self, url: str) -> None:
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise DatabaseMalformed(reason="it is not a connection string") from error
        self._parameters = {**_DEFAULTS, **given}
        self.has_password = bool(given.get("password"))
        """Whether a secret stands in the URL."""
        self.shown = _shown(given)
        """The database as logs and messages show it, without secrets."""

    def connect(self) -> LedgerConnection:
        """Return a new connection. Raises psycopg.OperationalError where the server can't be reached."""
        connection = LedgerConnection.connect(**self._parameters, autocommit=True)
        connection.say(_PREPARE)
        return connection

    def open_engine(self) -> Engine:
        """Return an engine over `connect`."""
        return create_engine(
            "postgresql+psycopg://",
            creator=self.connect,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,  # errors are logged, and parameters may be secrets
            use_native_hstore=False,
        )

    def check(self) -> list[str]:
        """Return in words what of the server's settings takes promises back.

        Raises LedgerUnusable where the ledger can't live in this database.
        """
        try:
            with self.connect() as connection:
                version = connection.info.server_version
                encoding = connection.execute("SHOW server_encoding").fetchone()
                fsync = connection.execute("SHOW fsync").fetchone()
        except psycopg.Error as error:
            raise self.unusable(error) from error
        if version < _OLDEST:
            raise self.unusable(
                RuntimeError(f"the server is PostgreSQL {version // 10_000}, and 13 is needed at least")
            )
        if encoding != ("UTF8",):
            raise self.unusable(RuntimeError("the database's encoding is not UTF8"))
        return [] if fsync == ("on",) else ["the server runs with fsync off: what it acknowledges can be lost"]

    def unusable(self, error: Exception) -> LedgerUnusable:
        """Return the error that says why the ledger can't be opened."""
        return LedgerUnusable(
            path=self.shown,
            reason=words(error),
            cause="The server is down or refuses this user, or the database is missing or of another kind.",
            fix="Make the database (encoding UTF8) with the user as its owner, and try the address with psql.",
        )


def driver_of(connection: Connection) -> LedgerConnection:
    """Return the driver's own connection."""
    driver: LedgerConnection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


def lock_key(name: str) -> int:
    """Return the key of the advisory lock *name*: 63 bits, so that a collision is no more than a needless wait."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, person=b"wherry").digest(), "big") >> 1


_CONFLICTS: Final = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
    # The server ended the session because this process hung: even where COMMIT learns of it, nothing was committed.
    errors.IdleInTransactionSessionTimeout,
)


def is_conflict(error: BaseException) -> bool:
    """Tell whether others got in the way (a deadlock) and nothing was stored: the same again may well succeed."""
    return isinstance(origin(error), _CONFLICTS)


def is_database_error(error: BaseException) -> bool:
    """Tell whether the error is the database's, after which a transaction can't go on."""
    return isinstance(origin(error), psycopg.Error)


def explain(error: Exception) -> Exception:
    """Return what a caller is to see of an error: the database's own in words, everything else as it is."""
    cause = origin(error)
    if isinstance(cause, psycopg.DataError):
        explained: WherryError = ValueRefused(reason=words(error))
    elif isinstance(cause, (errors.DiskFull, errors.OutOfMemory, errors.IoError)):
        explained = CommitFailed(reason=words(error))
    elif isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError)):
        explained = LedgerAway(reason=words(error))
    else:
        return error
    explained.__cause__ = error
    return explained


def _shown(parameters: Mapping[str, Any]) -> str:
    place = str(parameters.get("host") or parameters.get("hostaddr") or "")
    port = f":{parameters['port']}" if parameters.get("port") and not place.startswith("/") else ""
    return f"postgresql://{'' if place.startswith('/') else place + port}/{parameters.get('dbname') or ''}"
