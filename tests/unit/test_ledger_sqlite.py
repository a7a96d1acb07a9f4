"""The ledger over a real SQLite file: durability settings, isolation, a full disk, append-only tables, the schema."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from wherry.ledger import accounts, audit, commands, migrate, schema, sqlite
from wherry.ledger.errors import CommitFailed, LedgerClosed, LedgerTooNew, LedgerUnusable
from wherry.ledger.ledger import Ledger, open_ledger
from wherry.ledger.transaction import Transaction


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Ledger]:
    ledger = open_ledger(path)
    try:
        yield ledger
    finally:
        await ledger.close()


def add_account(name: str) -> Callable[[Transaction], str]:
    def unit(tx: Transaction) -> str:
        accounts.insert(tx.connection, accounts.AccountRow(name, name, "project", 1))
        return name

    return unit


def add_result(detail: bytes) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        report = commands.CommandResult("account", "source", None, "START", "success", detail, 1, "request")
        commands.append_result(tx.connection, report)

    return unit


def record(event: str) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        tx.record(audit.Entry(1, "account", "user", "id", "admin", "AK", "Task", event, "resource", "request"))

    return unit


def names(connection: Connection) -> list[str]:
    return [account.name for account in accounts.every(connection)]


def test_commits_are_durable_and_readers_are_not_blocked(tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:

            def pragmas(tx: Transaction) -> tuple[Any, ...]:
                values = (tx.connection.execute(text(f"PRAGMA {name}")).scalar() for name in wanted)
                return tuple(values)

            wanted = ("journal_mode", "synchronous", "foreign_keys")
            assert await ledger.write(pragmas) == ("wal", 2, 1)

    asyncio.run(check())


def test_what_was_written_is_read_at_once_and_after_reopening(tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            assert await ledger.write(add_account("one")) == "one"
            assert await ledger.read(names) == ["one"]
        async with opened(tmp_path / "ledger") as ledger:
            assert await ledger.read(names) == ["one"]

    asyncio.run(check())


def test_concurrent_units_fail_and_succeed_for_themselves(tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            units = [add_account(f"account-{number % 40}") for number in range(80)]
            results = await asyncio.gather(*(ledger.write(unit) for unit in units), return_exceptions=True)
            assert sum(isinstance(result, IntegrityError) for result in results) == 40
            assert sorted(await ledger.read(names)) == sorted(f"account-{number}" for number in range(40))

    asyncio.run(check())


def test_a_unit_that_raises_leaves_nothing_and_its_listeners_hear_nothing(tmp_path: Path) -> None:
    class RefusedError(Exception):
        pass

    async def check() -> None:
        heard: list[frozenset[str]] = []
        async with opened(tmp_path / "ledger") as ledger:
            ledger.listen(heard.append)

            def unit(tx: Transaction) -> None:
                add_account("half")(tx)
                tx.topics.add("source:half")
                raise RefusedError

            with pytest.raises(RefusedError):
                await ledger.write(unit)

            def whole(tx: Transaction) -> None:
                add_account("whole")(tx)
                tx.topics.add("source:whole")

            await ledger.write(whole)
            assert await ledger.read(names) == ["whole"]
            assert heard == [frozenset({"source:whole"})]

    asyncio.run(check())


def test_a_full_disk_fails_the_write_with_words_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make() -> int:
        async with opened(tmp_path / "ledger") as ledger:
            return await ledger.write(lambda tx: int(tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one()))

    # A ceiling for every connection: above it SQLite answers SQLITE_FULL, as it does for ENOSPC.
    limit = f"PRAGMA max_page_count={asyncio.run(make()) + 4}"
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, limit))

    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            small, large = add_result(b'"small"'), add_result(b'"' + b"x" * 200_000 + b'"')
            writes = [ledger.write(unit) for unit in (small, large, small)]
            results = await asyncio.gather(*writes, return_exceptions=True)
            assert (results[0], results[2]) == (None, None)
            assert isinstance(results[1], CommitFailed)
            assert "full" in results[1].message
            await ledger.write(small)
            stored = await ledger.read(lambda connection: commands.results_of(connection, "source"))
            assert [result.result_detail for result in stored] == [b'"small"'] * 3

    asyncio.run(check())


def test_after_close_writes_are_refused(tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            pass
        with pytest.raises(LedgerClosed):
            await ledger.write(add_account("late"))

    asyncio.run(check())


def test_writes_that_were_under_way_are_answered_by_close(tmp_path: Path) -> None:
    async def check() -> None:
        ledger = open_ledger(tmp_path / "ledger")
        writes = [asyncio.ensure_future(ledger.write(add_account(str(number)))) for number in range(300)]
        await asyncio.sleep(0)
        await ledger.close()
        assert await asyncio.gather(*writes) == [str(number) for number in range(300)]

    asyncio.run(check())


@pytest.mark.parametrize("table", schema.APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET sequence = sequence", "DELETE FROM {}"])
def test_append_only_tables_refuse_any_other_statement(tmp_path: Path, table: str, statement: str) -> None:
    async def fill() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            await ledger.write(add_result(b"{}"))
            await ledger.write(record("CreateTask"))

    asyncio.run(fill())
    connection = sqlite3.connect(tmp_path / "ledger")
    connection.execute(
        "INSERT INTO state_change (at, source_id, entity, from_state, to_state, reason)"
        " VALUES (1, 's', 'source', '', 'waiting', '')"
    )
    connection.execute(
        "INSERT INTO consistency_result (task_id, source_id, finished_time, document) VALUES ('t', 's', 1, '[]')"
    )
    connection.execute(
        "INSERT INTO rehearsal (order_id, account_id, task_id, source_id, verdict, finished_at, document)"
        " VALUES ('o', 'a', 't', 's', 'passed', 1, '{}')"
    )
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement.format(table))
    connection.close()


def test_the_audit_log_notices_what_was_changed_behind_its_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger"

    async def fill() -> None:
        async with opened(path) as ledger:
            await asyncio.gather(*(ledger.write(record(f"event-{number}")) for number in range(20)))
            assert await ledger.read(audit.first_broken) is None

    async def first_broken() -> int | None:
        async with opened(path) as ledger:
            return await ledger.read(audit.first_broken)

    asyncio.run(fill())
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER audit_no_update")
    connection.execute("UPDATE audit SET caller_name = 'somebody else' WHERE sequence = 7")
    connection.commit()
    connection.close()
    assert asyncio.run(first_broken()) == 7


def test_the_chain_goes_on_over_failed_units_and_restarts(tmp_path: Path) -> None:
    def refused(tx: Transaction) -> None:
        record("refused")(tx)
        raise ValueError

    async def fill() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            units = [record("a"), refused, record("b"), refused, record("c")]
            await asyncio.gather(*(ledger.write(unit) for unit in units), return_exceptions=True)
            assert await ledger.read(audit.first_broken) is None

    asyncio.run(fill())
    asyncio.run(fill())

    async def events() -> list[str]:
        async with opened(tmp_path / "ledger") as ledger:
            return await ledger.read(
                lambda connection: [entry.event for entry in audit.of_account(connection, "account")]
            )

    assert asyncio.run(events()) == ["a", "b", "c"] * 2


def test_the_migrations_make_exactly_the_schema(tmp_path: Path) -> None:
    async def differences(ledger: Ledger) -> Any:
        def compare(connection: Connection) -> Any:
            return compare_metadata(MigrationContext.configure(connection), schema.METADATA)

        return await ledger.read(compare)

    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            assert await differences(ledger) == []

    asyncio.run(check())


def test_the_revision_of_the_schema_is_the_newest_script() -> None:
    assert ScriptDirectory.from_config(migrate.configuration()).get_current_head() == schema.REVISION


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async def make() -> None:
        async with opened(tmp_path / "ledger"):
            pass

    asyncio.run(make())
    connection = sqlite3.connect(tmp_path / "ledger")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerTooNew, match="9999"):
        open_ledger(tmp_path / "ledger")


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerUnusable, match="not a database"):
        open_ledger(tmp_path / "ledger")


@pytest.mark.parametrize(
    "detail", [b'{"a": 1.50,  "b":[]}', b'"text"', b"12345678901234567890", '{"ü": "\\u0000"}'.encode()]
)
def test_a_result_detail_is_kept_byte_for_byte(tmp_path: Path, detail: bytes) -> None:
    async def check() -> None:
        async with opened(tmp_path / "ledger") as ledger:
            await ledger.write(add_result(detail))
            stored = await ledger.read(lambda connection: commands.results_of(connection, "source"))
            assert stored[0].result_detail == detail

    asyncio.run(check())
