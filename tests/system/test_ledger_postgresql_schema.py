"""The schema of the ledger on a real PostgreSQL: migrations, and tables that only grow."""

import asyncio
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from tests.system.postgresql_cluster import Cluster
from tests.system.postgresql_ledgers import NewDatabase, add_result, opened
from wherry.ledger import schema
from wherry.ledger.errors import LedgerTooNew
from wherry.ledger.ledger import open_ledger


@pytest.mark.parametrize("table", schema.APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET sequence = sequence", "DELETE FROM {}", "TRUNCATE {}"])
def test_append_only_tables_refuse_any_other_statement(filled: str, table: str, statement: str) -> None:
    with psycopg.connect(filled) as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute(statement.format(table))


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> str:
    """A database with a schema."""
    url = cluster.create("filled")

    async def fill() -> None:
        async with opened(url) as (ledger,):
            await ledger.write(add_result(b"{}"))

    asyncio.run(fill())
    return url


def test_the_migrations_make_exactly_the_schema(filled: str) -> None:
    def compare(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), schema.METADATA)

    async def check() -> None:
        async with opened(filled) as (ledger,):
            assert await ledger.read(compare) == []

    asyncio.run(check())


def test_processes_that_start_together_make_the_schema_once(new_database: NewDatabase, cluster: Cluster) -> None:
    url = new_database()
    program = f"""
import asyncio
from wherry.ledger.ledger import open_ledger
async def main():
    await open_ledger({url!r}).close()
asyncio.run(main())
"""
    starting = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(4)]
    for process in starting:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.REVISION,)]


def test_a_schema_of_a_newer_version_is_refused(new_database: NewDatabase) -> None:
    url = new_database()

    async def make() -> None:
        async with opened(url):
            pass

    asyncio.run(make())
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerTooNew, match="9999"):
        open_ledger(url)
