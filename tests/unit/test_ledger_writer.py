"""The group-commit writer with a double of the session that records what it's asked and fails where it's told to."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.ledger_doubles import WAIT_S, Deliveries, RecordingBatch, keep, refuse
from wherry.ledger.errors import CommitFailed, LedgerClosed
from wherry.ledger.writer import BatchRunner, ThreadWriter


@dataclass
class Bench:
    batch: RecordingBatch
    deliveries: Deliveries
    writer: ThreadWriter[list[str]]
    gate: threading.Event

    def hold(self) -> None:
        """Keep the writer busy in a transaction until the gate opens."""
        held = threading.Event()

        def unit(_scope: list[str]) -> None:
            held.set()
            self.gate.wait(WAIT_S)

        self.writer.submit(unit, "gate")
        assert held.wait(WAIT_S)

    def submit_together(self, units: Sequence[Callable[[list[str]], Any]]) -> None:
        """Let all *units* meet in one transaction: one is held at its beginning while the others queue up."""
        self.hold()
        for number, unit in enumerate(units):
            self.writer.submit(unit, number)
        self.gate.set()
        self.deliveries.wait_for(len(units) + 1)


@pytest.fixture
def bench() -> Iterator[Bench]:
    batch, deliveries = RecordingBatch(), Deliveries()
    writer = ThreadWriter(BatchRunner(batch), deliveries)
    yield Bench(batch, deliveries, writer, threading.Event())
    asyncio.run(writer.close())


def test_units_that_wait_together_share_one_transaction(bench: Bench) -> None:
    bench.submit_together([keep(str(number)) for number in range(50)])
    assert bench.batch.durable == [str(number) for number in range(50)]
    # One transaction for the unit that held the gate, one for the fifty.
    assert bench.batch.batches == [1, 50]
    assert bench.batch.calls.count("commit") == 2


def test_each_caller_gets_his_own_result_in_the_order_of_submission(bench: Bench) -> None:
    bench.submit_together([keep("a"), keep("b"), keep("c")])
    assert bench.deliveries.order == ["gate", 0, 1, 2]
    assert [bench.deliveries.outcomes[number].result for number in range(3)] == ["A", "B", "C"]


def test_a_failing_unit_is_undone_alone(bench: Bench) -> None:
    bench.submit_together([keep("a"), refuse("b"), keep("c")])
    assert bench.batch.durable == ["a", "c"]
    assert isinstance(bench.deliveries.outcomes[1].error, KeyError)
    assert bench.deliveries.outcomes[0].error is None
    assert bench.deliveries.outcomes[2].error is None


def test_nobody_is_answered_before_the_commit(bench: Bench) -> None:
    answered_at_begin: list[int] = []
    bench.batch.on_begin = lambda: answered_at_begin.append(len(bench.deliveries.order))
    bench.submit_together([keep("a"), keep("b")])
    commit_of_second = [index for index, call in enumerate(bench.batch.calls) if call == "commit"][1]
    assert bench.batch.calls[commit_of_second - 2 : commit_of_second] == ["keep", "seal"]
    assert answered_at_begin == [0, 1]


def test_a_failing_commit_fails_its_whole_batch_and_the_next_one_works(bench: Bench) -> None:
    bench.batch.fail["commit"] = [None, OSError(28, "No space left on device")]
    bench.submit_together([keep("a"), keep("b")])
    for number in range(2):
        error = bench.deliveries.outcomes[number].error
        assert isinstance(error, CommitFailed)
        assert "No space left on device" in error.message
        assert (error.code, bool(error.cause), bool(error.fix)) == ("WHERRY.5301", True, True)
    assert bench.batch.durable == []
    assert "reset" in bench.batch.calls
    bench.writer.submit(keep("c"), "after")
    bench.deliveries.wait_for(4)
    assert bench.batch.durable == ["c"]
    assert bench.deliveries.outcomes["after"].result == "C"


def test_a_unit_that_takes_the_transaction_with_it_does_not_fail_its_neighbours(bench: Bench) -> None:
    # The savepoint is gone, in the shared transaction and again when the unit runs alone.
    bench.batch.fail["undo"] = [RuntimeError("no such savepoint: unit"), RuntimeError("no such savepoint: unit")]
    bench.submit_together([keep("a"), refuse("b"), keep("c")])
    assert bench.batch.durable == ["a", "c"]
    assert bench.deliveries.order == ["gate", 0, 1, 2]
    error = bench.deliveries.outcomes[1].error
    assert isinstance(error, CommitFailed)
    assert "no such savepoint" in error.message


def test_a_batch_begins_with_the_scopes_of_its_units(bench: Bench) -> None:
    bench.hold()
    for number, scope in enumerate(["source:1", "", "source:2"]):
        bench.writer.submit(keep("a"), number, scope)
    bench.gate.set()
    bench.deliveries.wait_for(4)
    assert bench.batch.scopes == [[""], ["source:1", "", "source:2"]]


def test_a_batch_that_others_got_in_the_way_of_runs_again_as_a_whole(bench: Bench) -> None:
    bench.batch.fail["commit"] = [None, InterruptedError("deadlock detected"), InterruptedError("deadlock detected")]
    bench.submit_together([keep("a"), refuse("b"), keep("c")])
    assert bench.batch.durable == ["a", "c"]
    assert bench.batch.batches == [1, 3]
    assert [bench.deliveries.outcomes[number].result for number in (0, 2)] == ["A", "C"]
    assert isinstance(bench.deliveries.outcomes[1].error, KeyError)


def test_a_unit_that_others_got_in_the_way_of_runs_again_with_its_batch(bench: Bench) -> None:
    errors = [InterruptedError("deadlock detected")]

    def unit(scope: list[str]) -> None:
        scope.append("b")
        if errors:
            raise errors.pop()

    bench.submit_together([keep("a"), unit, keep("c")])
    assert bench.batch.durable == ["a", "b", "c"]
    assert bench.batch.batches == [1, 3]
    assert all(bench.deliveries.outcomes[number].error is None for number in range(3))


def test_who_is_always_in_the_way_fails_the_batch_in_the_end(bench: Bench) -> None:
    bench.batch.fail["commit"] = [InterruptedError("deadlock detected")] * 100
    bench.writer.submit(keep("a"), "never")
    bench.deliveries.wait_for(1)
    assert isinstance(bench.deliveries.outcomes["never"].error, CommitFailed)
    assert 2 <= bench.batch.calls.count("commit") <= 10


def test_a_session_that_cannot_be_renewed_is_tried_again_by_the_next_batch(bench: Bench) -> None:
    bench.batch.fail["begin"] = [OSError(5, "Input/output error")]
    bench.batch.fail["reset"] = [OSError(5, "Input/output error")]
    bench.writer.submit(keep("a"), "first")
    bench.deliveries.wait_for(1)
    assert isinstance(bench.deliveries.outcomes["first"].error, CommitFailed)
    bench.writer.submit(keep("b"), "second")
    bench.deliveries.wait_for(2)
    assert bench.batch.durable == ["b"]


def test_closing_writes_what_is_queued_first(bench: Bench) -> None:
    bench.hold()
    for number in range(600):  # more than one batch
        bench.writer.submit(keep(str(number)), number)
    closing = threading.Thread(target=asyncio.run, args=(bench.writer.close(),))
    closing.start()
    bench.gate.set()
    closing.join(WAIT_S)
    assert not closing.is_alive()
    assert bench.batch.durable == [str(number) for number in range(600)]
    assert len(bench.deliveries.order) == 601
    assert bench.batch.calls[-1] == "close"
    assert max(bench.batch.batches) <= 256


def test_a_closed_ledger_refuses(bench: Bench) -> None:
    asyncio.run(bench.writer.close())
    with pytest.raises(LedgerClosed):
        bench.writer.submit(keep("a"), 1)
