"""Where a server of the tests keeps its ledger, and a look into it without Wherry.

SQLite in its data directory; with WHERRY_TEST_DATABASE, the URL of a PostgreSQL database from which others can be made,
a new database for each data directory, and WHERRY_TEST_WORKERS processes that serve it.
"""

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

VARIABLE = "WHERRY_TEST_DATABASE"
WORKERS_VARIABLE = "WHERRY_TEST_WORKERS"


def workers() -> Sequence[str]:
    """Return the options by which the server of a test gets its number of processes."""
    return ("--workers", os.environ[WORKERS_VARIABLE]) if os.environ.get(WORKERS_VARIABLE) else ()


def environment_of(data: Path) -> Mapping[str, str]:
    """Return the environment of the server on *data*; its database is made if need be."""
    if not os.environ.get(VARIABLE):
        return os.environ
    import psycopg  # noqa: PLC0415 - only for who asked for it
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    maintenance, name = os.environ[VARIABLE], _name_of(data)
    with psycopg.connect(maintenance, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    return {**os.environ, "WHERRY_DATABASE": make_conninfo(maintenance, dbname=name)}


def rows(data: Path, query: str) -> Sequence[tuple[Any, ...]]:
    """Return what *query* finds in the database of the server on *data*."""
    environment = environment_of(data)
    if "WHERRY_DATABASE" in environment:
        import psycopg  # noqa: PLC0415 - only for who asked for it

        with psycopg.connect(environment["WHERRY_DATABASE"]) as connection:
            return connection.execute(query.encode()).fetchall()
    (path,) = data.glob("*.sqlite3")
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def _name_of(data: Path) -> str:
    return f"wherry_test_{hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:24]}"
