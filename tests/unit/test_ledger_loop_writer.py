"""Group commit on the event loop, with doubles of both sessions."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.ledger_doubles import WAIT_S, RecordingBatch, keep, refuse
from wherry.ledger.errors import CommitFailed, LedgerClosed
from wherry.ledger.loop_writer import LoopWriter
from wherry.ledger.writer import BatchRunner, Outcome


@dataclass
class Slow(RecordingBatch):
    """A session whose commits wait for a gate, and notes in which threads it's used."""

    gate: threading.Event = field(default_factory=threading.Event)
    began_in: set[int] = field(default_factory=set)
    committed_in: set[int] = field(default_factory=set)

    def begin(self, scopes: Sequence[str]) -> None:
        self.began_in.add(threading.get_ident())
        super().begin(scopes)

    def commit(self) -> None:
        self.committed_in.add(threading.get_ident())
        assert self.gate.wait(WAIT_S)
        super().commit()


@dataclass
class Bench:
    """A writer with its two sessions. `delivered` is what was delivered, in that order."""

    quick: Slow
    patient: Slow
    writer: LoopWriter[list[str]]
    delivered: list[Outcome[list[str]]]

    def write(self, *units: Callable[[list[str]], Any]) -> Awaitable[list[Any]]:
        """Submit *units* in one turn of the loop; gives results and errors."""
        futures: list[asyncio.Future[Any]] = []
        for unit in units:
            futures.append(asyncio.get_running_loop().create_future())
            self.writer.submit(unit, futures[-1])
        return asyncio.gather(*futures, return_exceptions=True)


@asynccontextmanager
async def opened(*, slow: bool = False) -> AsyncIterator[Bench]:
    quick, patient, delivered = Slow(), Slow(), list[Outcome[list[str]]]()
    if not slow:
        quick.gate.set()
    patient.gate.set()

    def deliver(outcomes: Sequence[Outcome[list[str]]]) -> None:
        delivered.extend(outcomes)
        for outcome in outcomes:
            if outcome.error is None:
                outcome.token.set_result(outcome.result)
            else:
                outcome.token.set_exception(outcome.error)

    writer = LoopWriter(BatchRunner(quick), BatchRunner(patient), deliver)
    yield Bench(quick, patient, writer, delivered)
    quick.gate.set()
    await writer.close()


def run(check: Callable[[Bench], Awaitable[None]], *, slow: bool = False) -> Bench:
    async def inside() -> Bench:
        async with opened(slow=slow) as bench:
            await check(bench)
            return bench

    return asyncio.run(inside())


def test_what_is_submitted_in_one_turn_shares_a_transaction_in_its_order() -> None:
    async def check(bench: Bench) -> None:
        assert await bench.write(keep("a"), keep("b"), keep("c")) == ["A", "B", "C"]

    bench = run(check)
    assert bench.quick.durable == ["a", "b", "c"]
    assert bench.quick.batches == [3]
    assert bench.patient.calls == ["close"]


def test_units_run_on_the_loop_and_commits_in_a_thread() -> None:
    async def check(bench: Bench) -> None:
        await bench.write(keep("a"))

    bench = run(check)
    assert bench.quick.began_in == {threading.get_ident()}
    assert threading.get_ident() not in bench.quick.committed_in


def test_nobody_is_answered_before_the_commit_and_the_loop_goes_on_meanwhile() -> None:
    async def check(bench: Bench) -> None:
        first = asyncio.ensure_future(bench.write(keep("a")))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(bench.write(keep("b"), keep("c")))
        await asyncio.sleep(0.05)
        assert bench.delivered == []
        assert bench.quick.calls.count("begin") == 1, "the next batch waits for the session"
        bench.quick.gate.set()
        assert await first == ["A"]
        assert await second == ["B", "C"]

    bench = run(check, slow=True)
    assert bench.quick.batches == [1, 2]


def test_a_failing_unit_is_undone_alone() -> None:
    async def check(bench: Bench) -> None:
        first, refused, last = await bench.write(keep("a"), refuse("b"), keep("c"))
        assert (first, last) == ("A", "C")
        assert isinstance(refused, KeyError)

    bench = run(check)
    assert bench.quick.durable == ["a", "c"]
    assert bench.patient.calls == ["close"]


def test_what_cannot_begin_at_once_is_left_to_the_patient_session() -> None:
    async def check(bench: Bench) -> None:
        bench.quick.fail["begin"] = [OSError("database is locked")]
        assert await bench.write(keep("a"), keep("b")) == ["A", "B"]
        assert await bench.write(keep("c")) == ["C"]

    bench = run(check)
    assert bench.patient.durable == ["a", "b"]
    assert threading.get_ident() not in bench.patient.began_in
    assert bench.quick.durable == ["c"]
    assert bench.quick.calls.index("reset") < bench.quick.calls.index("enter")


def test_a_unit_that_takes_the_transaction_with_it_does_not_fail_its_neighbours() -> None:
    lost = RuntimeError("no such savepoint: unit")

    async def check(bench: Bench) -> None:
        bench.quick.fail["undo"] = [lost]
        bench.patient.fail["undo"] = [lost, lost]
        first, culprit, last = await bench.write(keep("a"), refuse("b"), keep("c"))
        assert (first, last) == ("A", "C")
        assert isinstance(culprit, CommitFailed)

    bench = run(check)
    assert bench.quick.durable == []
    assert bench.patient.durable == ["a", "c"]


def test_a_failing_commit_fails_its_whole_batch_and_nothing_runs_again() -> None:
    async def check(bench: Bench) -> None:
        bench.quick.fail["commit"] = [OSError(28, "No space left on device")]
        for error in await bench.write(keep("a"), keep("b")):
            assert isinstance(error, CommitFailed)
            assert "No space left on device" in error.message
        assert await bench.write(keep("c")) == ["C"]

    bench = run(check)
    assert bench.quick.durable == ["c"]
    assert bench.patient.durable == []


def test_closing_writes_what_is_queued_and_refuses_what_comes_later() -> None:
    async def check() -> None:
        async with opened(slow=True) as bench:
            writing = bench.write(*(keep(str(number)) for number in range(300)))
            closing = asyncio.ensure_future(bench.writer.close())
            await asyncio.sleep(0.05)
            assert not closing.done()
            with pytest.raises(LedgerClosed):
                bench.writer.submit(keep("late"), None)
            bench.quick.gate.set()
            await closing
            assert await writing == [str(number) for number in range(300)]
            assert bench.quick.calls[-1] == bench.patient.calls[-1] == "close"
            assert bench.quick.batches == [256, 44]

    asyncio.run(check())
