"""The ledger on a real PostgreSQL: what keeps units of several writers apart, and what its sessions survive."""

import asyncio
import multiprocessing
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.system.postgresql_cluster import Cluster
from tests.system.postgresql_ledgers import SOURCES, NewDatabase, add_result, add_sources, opened
from wherry.contract.enumerations import SourceState
from wherry.ledger import accounts, audit, commands, postgresql, sources, state_changes
from wherry.ledger.errors import DatabaseMalformed, LedgerAway, LedgerUnusable, ValueRefused
from wherry.ledger.ledger import open_ledger
from wherry.ledger.transaction import EVERYTHING, Transaction, source_scope
from wherry.migration.records import SetSourceState


def read_then_write(source_id: str, column: str) -> Callable[[Transaction], None]:
    """Return a unit that decides on what it has read: a lost update would show."""

    def unit(tx: Transaction) -> None:
        row = sources.find(tx.connection, "account", source_id)
        assert row is not None
        sources.change(tx.connection, source_id, {column: getattr(row, column) + 1})
        tx.record(audit.Entry(1, "account", "user", "id", "admin", "AK", "server", "count", source_id, "request"))

    return unit


def add_account(name: str) -> Callable[[Transaction], str]:
    def unit(tx: Transaction) -> str:
        accounts.insert(tx.connection, accounts.AccountRow(name, name, "project", 1))
        return name

    return unit


def count_up(url: str, start: Any, times: int) -> None:
    """Write from a process of its own: half of the units name their source, half hold the whole ledger."""

    async def write() -> None:
        async with opened(url) as (ledger,):
            start.wait()

            async def count(source_id: str) -> None:
                for _ in range(times):
                    await asyncio.gather(
                        ledger.write(read_then_write(source_id, "totalsize"), source_scope(source_id)),
                        ledger.write(read_then_write(source_id, "replicatesize"), source_scope(source_id)),
                        ledger.write(read_then_write(source_id, "totalsize")),
                    )

            await asyncio.gather(*(count(source_id) for source_id in SOURCES))

    asyncio.run(write())


def test_no_update_is_lost_between_processes_and_the_audit_chain_stays_whole(new_database: NewDatabase) -> None:
    url, processes, times = new_database(), 3, 25

    async def prepare() -> None:
        async with opened(url) as (ledger,):
            await ledger.write(add_sources)

    async def check() -> None:
        async with opened(url) as (ledger,):
            found = await ledger.read(lambda connection: sources.find_many(connection, "account", SOURCES))
            assert [row.totalsize for row in found.values()] == [2 * processes * times] * len(SOURCES)
            assert [row.replicatesize for row in found.values()] == [processes * times] * len(SOURCES)
            assert await ledger.read(audit.first_broken) is None
            entries = await ledger.read(
                lambda connection: list(audit.of_account(connection, "account", limit=1_000_000))
            )
            assert len(entries) == 3 * processes * times * len(SOURCES)

    asyncio.run(prepare())
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes)
    writers = [context.Process(target=count_up, args=(url, start, times)) for _ in range(processes)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    asyncio.run(check())


def test_units_of_different_scopes_run_beside_each_other_and_those_of_one_do_not(new_database: NewDatabase) -> None:
    url = new_database()

    async def check() -> None:
        async with opened(url, url) as (one, other):
            await one.write(add_sources)

            async def overlap(first: str, second: str) -> bool:
                """Tell whether the second unit was done while the first one was still at work."""
                started, done = asyncio.Event(), asyncio.Event()
                loop = asyncio.get_running_loop()

                def slow(_tx: Transaction) -> bool:
                    loop.call_soon_threadsafe(started.set)
                    deadline = time.monotonic() + 1.5
                    while time.monotonic() < deadline and not done.is_set():
                        time.sleep(0.02)
                    return done.is_set()

                working = asyncio.ensure_future(one.write(slow, first))
                await started.wait()
                await other.write(lambda _tx: None, second)
                done.set()
                return await working

            a, b = source_scope("a"), source_scope("b")
            assert await overlap(a, b)
            assert not await overlap(a, a)
            assert not await overlap(a, "")
            assert not await overlap("", a)
            assert not await overlap("", "")

    asyncio.run(check())


def test_a_unit_cannot_change_a_source_outside_its_scope(new_database: NewDatabase) -> None:
    def unit(tx: Transaction) -> None:
        change = SetSourceState(SourceState.INITIALIZE, None)
        tx.apply([change], source_id=SOURCES[0], task_id="", at=1, reason="test")

    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            await ledger.write(add_sources)
            with pytest.raises(RuntimeError, match="scope"):
                await ledger.write(unit, source_scope(SOURCES[1]))
            await ledger.write(unit, source_scope(SOURCES[0]))
            changes = await ledger.read(lambda connection: state_changes.of_source(connection, SOURCES[0]))
            assert [change.to_state for change in changes] == ["waiting", "initialize"]

    asyncio.run(check())


def test_a_process_that_hangs_with_locks_in_its_hands_is_cut_off_and_its_unit_runs_again(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = postgresql._PREPARE.replace(f"'{postgresql.IDLE_LIMIT_S}s'", "'1s'")
    assert shorter != postgresql._PREPARE
    monkeypatch.setattr(postgresql, "_PREPARE", shorter)
    naps = [3.0]

    async def check() -> None:
        url = new_database()
        async with opened(url, url) as (one, other):

            def hanging(tx: Transaction) -> None:
                add_account("hung")(tx)
                if naps:
                    time.sleep(naps.pop())

            hung = asyncio.ensure_future(one.write(hanging))
            await asyncio.sleep(0.3)
            await asyncio.wait_for(other.write(add_account("other")), 2.5)
            await hung
            assert {row.name for row in await one.read(accounts.every)} == {"hung", "other"}

    asyncio.run(check())


def test_topics_reach_the_other_ledger_after_the_commit_and_never_before(new_database: NewDatabase) -> None:
    async def check() -> None:
        url = new_database()
        async with opened(url, url) as (one, other):
            heard: list[str] = []
            arrived = asyncio.Event()

            def hear(topics: frozenset[str]) -> None:
                heard.extend(topics - {EVERYTHING})
                if topics - {EVERYTHING}:
                    arrived.set()

            other.listen(hear)
            await asyncio.sleep(0.5)

            def failing(tx: Transaction) -> None:
                tx.topics.add("source:undone")
                raise KeyError

            with pytest.raises(KeyError):
                await one.write(failing)
            many = {f"source:{number:036d}" for number in range(1000)}  # more than one notice holds
            await one.write(lambda tx: tx.topics.update(many))
            await asyncio.wait_for(arrived.wait(), 5)
            await asyncio.sleep(0.2)
            assert sorted(heard) == sorted(many)

    asyncio.run(check())


def test_each_read_sees_one_state_and_everything_that_was_written_before_it(new_database: NewDatabase) -> None:
    async def check() -> None:
        url = new_database()
        async with opened(url, url) as (one, other):
            loop = asyncio.get_running_loop()

            def twice(connection: Connection) -> tuple[int, int]:
                before = len(accounts.every(connection))
                asyncio.run_coroutine_threadsafe(one.write(add_account("between")), loop).result(10)
                return before, len(accounts.every(connection))

            assert await other.read(twice) == (0, 0)
            for number in range(50):
                await one.write(add_account(str(number)))
                assert len(await other.read(accounts.every)) == number + 2

    asyncio.run(check())


def test_a_failing_query_does_not_fail_its_neighbours(new_database: NewDatabase) -> None:
    def broken(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")

    def refused(_connection: Connection) -> None:
        raise KeyError

    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            queries: list[Callable[[Connection], Any]] = [accounts.every, broken, accounts.every, refused] * 10
            answers = await asyncio.gather(*(ledger.read(query) for query in queries), return_exceptions=True)
            assert [answer for answer in answers if answer == []] == [[]] * 20
            assert sum(isinstance(answer, KeyError) for answer in answers) == 10
            assert sum("nowhere" in str(answer) for answer in answers) == 10

    asyncio.run(check())


def test_a_deadlock_is_nobodys_error(new_database: NewDatabase) -> None:
    """Rows that belong to no scope, taken in opposite order by two processes: one of the two runs again."""

    def both(first: str, second: str, met: Callable[[], None]) -> Callable[[Transaction], None]:
        def unit(tx: Transaction) -> None:
            sources.change(tx.connection, first, {"totalsize": 1})
            met()
            sources.change(tx.connection, second, {"totalsize": 1})

        return unit

    async def check() -> None:
        url, meeting, tries = new_database(), threading.Barrier(2), [0]

        def meet() -> None:
            tries[0] += 1
            if tries[0] <= 2:
                meeting.wait(10)

        async with opened(url, url) as (one, other):
            await one.write(add_sources)
            await asyncio.gather(
                one.write(both(SOURCES[0], SOURCES[1], meet), source_scope("x")),
                other.write(both(SOURCES[1], SOURCES[0], meet), source_scope("y")),
            )
        assert tries[0] == 3

    asyncio.run(check())


@pytest.mark.parametrize("detail", [b'{"a": 1.50,  "b":[]}', '{"ü": "\\u0000"}'.encode()])
def test_a_result_detail_is_kept_byte_for_byte(new_database: NewDatabase, detail: bytes) -> None:
    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            await ledger.write(add_result(detail))
            stored = await ledger.read(lambda connection: commands.results_of(connection, "source"))
            assert [result.result_detail for result in stored] == [detail]

    asyncio.run(check())


def test_what_cannot_be_stored_is_refused_alone(new_database: NewDatabase) -> None:
    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            units = [add_account(name) for name in ("good", "nul\0", "x" * 300, "better")]
            results = await asyncio.gather(*(ledger.write(unit) for unit in units), return_exceptions=True)
            assert (results[0], results[3]) == ("good", "better")
            assert isinstance(results[1], ValueRefused)
            assert isinstance(results[2], ValueRefused)
            with pytest.raises(ValueRefused):
                await ledger.read(lambda connection: accounts.find_by_name(connection, "nul\0"))
            assert [row.name for row in await ledger.read(accounts.every)] == ["good", "better"]

    asyncio.run(check())


@contextmanager
def without_server(cluster: Cluster, number: signal.Signals = signal.SIGINT) -> Iterator[None]:
    cluster.stop(number)
    try:
        yield
    finally:
        cluster.start()


async def soon(attempt: Callable[[], Awaitable[Any]], within_s: float = 10.0) -> Any:
    """Return what *attempt* gives once it doesn't raise LedgerAway any more."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await attempt()
        except LedgerAway:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


def test_a_server_that_goes_away_is_told_in_words_and_found_again(new_database: NewDatabase, cluster: Cluster) -> None:
    async def check() -> None:
        url = new_database()
        async with opened(url, url) as (one, other):
            heard: list[frozenset[str]] = []
            other.listen(heard.append)
            await one.write(add_account("before"))
            await other.read(accounts.every)
            with without_server(cluster):
                for _ in range(2):
                    with pytest.raises(LedgerAway) as refusal:
                        await one.write(add_account("during"))
                    assert (refusal.value.code, bool(refusal.value.cause), bool(refusal.value.fix)) == (
                        "WHERRY.5305",
                        True,
                        True,
                    )
                    with pytest.raises(LedgerAway):
                        await other.read(accounts.every)
                heard.clear()  # here, as it may be connected again before the first write has ended
            assert await one.write(add_account("after")) == "after"
            assert [row.name for row in await other.read(accounts.every)] == ["before", "after"]
            for _ in range(100):
                await one.write(lambda tx: tx.topics.add("source:after"))
                await asyncio.sleep(0.1)
                if frozenset({"source:after"}) in heard:
                    break
            assert frozenset({EVERYTHING}) in heard, "notices were missed, and nobody was told"
            assert frozenset({"source:after"}) in heard

    asyncio.run(check())


def test_a_restart_between_two_requests_is_not_noticed(new_database: NewDatabase, cluster: Cluster) -> None:
    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            await ledger.write(add_account("before"))
            assert len(await ledger.read(accounts.every)) == 1
            with without_server(cluster, signal.SIGQUIT):
                pass
            assert await ledger.write(add_account("after")) == "after"
            assert len(await ledger.read(accounts.every)) == 2

    asyncio.run(check())


def test_a_server_that_crashes_loses_nothing_that_was_acknowledged(new_database: NewDatabase, cluster: Cluster) -> None:
    async def check() -> None:
        async with opened(new_database()) as (ledger,):
            acknowledged: set[str] = set()

            async def write(number: int) -> None:
                for turn in range(10_000):
                    try:
                        acknowledged.add(await ledger.write(add_account(f"{number}-{turn}")))
                    except LedgerAway:
                        return

            writing = [asyncio.ensure_future(write(number)) for number in range(8)]
            while len(acknowledged) < 300:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(cluster.stop, signal.SIGQUIT)
            await asyncio.gather(*writing)
            cluster.start()
            stored = {row.name for row in await soon(lambda: ledger.read(accounts.every))}
            assert acknowledged <= stored
            assert len(stored - acknowledged) <= 8, "only what was under way"

    asyncio.run(check())


def test_what_cannot_be_opened_is_told_in_words(cluster: Cluster, new_database: NewDatabase) -> None:
    with pytest.raises(LedgerUnusable, match='database "nowhere" does not exist'):
        open_ledger(cluster.url("nowhere"))
    with pytest.raises(LedgerUnusable, match="password authentication failed") as refusal:
        open_ledger(cluster.loopback_url("postgres", "wrong-secret"))
    assert "wrong-secret" not in refusal.value.explain()
    with pytest.raises(DatabaseMalformed):
        open_ledger("mysql://secret@localhost/wherry")
    cluster.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(LedgerUnusable, match="UTF8"):
        open_ledger(cluster.url("latin"))
