"""Group commit: one writer, and the units of concurrent callers share a transaction.

While one transaction is being made durable the next units queue up, so the batch grows with the load by itself and a
lone unit never waits. Each unit runs in its own savepoint: one that fails is undone alone, or, where the database gives
the whole transaction up over it, the others run again (a unit must bear that). Nobody is answered before the commit.
When the commit itself fails, all of its units fail with it, and the next batch starts on a fresh session.

`BatchRunner` is the work; `ThreadWriter` does all of it in a thread. The other way is `wherry.ledger.loop_writer`.
"""

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from wherry.ledger.errors import LedgerClosed

_ATTEMPTS = 4
"""How often a batch is tried when other processes get in its way."""

_PAUSE_S = 0.05
"""The longest pause before the second attempt; it doubles with each one."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

log = structlog.get_logger(__name__)


class Batch(Protocol[T_co]):
    """A transaction being filled, as the writer sees it. Any method may raise the database driver's errors."""

    @property
    def largest(self) -> int:
        """How many units may share a transaction: bounds the time the first of them waits for the last."""

    def begin(self, scopes: Sequence[str]) -> None:
        """Start the transaction, for units of these scopes (see `Ledger.write`)."""

    def enter_unit(self, scope: str) -> T_co:
        """Open a savepoint and return what the unit works with."""

    def keep_unit(self) -> None:
        """Release the savepoint: the unit's changes are part of the transaction."""

    def undo_unit(self) -> None:
        """Roll back to the savepoint. Raises when the transaction as a whole is lost."""

    def seal(self) -> None:
        """Write what belongs to the transaction as a whole; no unit follows."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def reset(self) -> None:
        """Leave a failed transaction behind and be ready for `begin`, with a new session if need be."""

    def close(self) -> None:
        """Close the session."""

    def passes(self, error: Exception) -> bool:
        """Tell whether the same units may well succeed when they run again: others got in the way of this attempt."""

    def explain(self, error: Exception) -> Exception:
        """Return what callers are to see of *error*: the database's failures in words, a unit's own as they are."""

    def failed(self, error: Exception) -> Exception:
        """Return what callers are to see when the whole transaction failed by *error*."""


class Submission(msgspec.Struct, Generic[T], frozen=True):
    """A unit that waits to be written, and whom to tell."""

    unit: Callable[[T], Any]
    token: Any
    scope: str


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """What became of a unit: its result, or the error that its caller shall see. `scope` is what it worked with."""

    token: Any
    result: Any = None
    error: BaseException | None = None
    scope: T | None = None


class BatchRunner(Generic[T]):
    """Runs units in batches over a session. For one thread at a time."""

    def __init__(self, batch: Batch[T]) -> None:
        self._batch = batch

    @property
    def largest(self) -> int:
        """How many units a batch may have."""
        return self._batch.largest

    def write(self, submissions: Sequence[Submission[T]], attempts: int = _ATTEMPTS) -> list[Outcome[T]]:
        """Make the units durable, however often that has to be tried. Raises nothing."""
        try:
            outcomes = self.fill(submissions)
            self._batch.commit()
        except Exception as raised:  # noqa: BLE001 - reported to every caller
            error = raised.error if isinstance(raised, _TransactionLost) else raised
            if attempts > 1 and self._batch.passes(error):
                self.reset()
                time.sleep(random.uniform(0, _PAUSE_S) * 2 ** (_ATTEMPTS - attempts))  # noqa: S311 - no secret
                return self.write(submissions, attempts - 1)
            if len(submissions) > 1 and isinstance(raised, _TransactionLost):
                # One unit took the whole transaction with it (disk full). Nothing is stored and nobody is answered
                # yet, so each starts again in a transaction of its own, and only the culprit fails.
                self.reset()
                return [outcome for submission in submissions for outcome in self.write([submission])]
            return self._fail(submissions, error)
        return outcomes

    def fill(self, submissions: Sequence[Submission[T]]) -> list[Outcome[T]]:
        """Run the units in a transaction that is still to be committed.

        Raises whatever makes that impossible; nothing is stored then, and `reset` is due.
        """
        self._batch.begin([submission.scope for submission in submissions])
        outcomes = [self._run_unit(submission) for submission in submissions]
        self._batch.seal()
        return outcomes

    def commit(self, submissions: Sequence[Submission[T]], outcomes: list[Outcome[T]]) -> list[Outcome[T]]:
        """Make durable what `fill` has done, and return what came of it. Raises nothing."""
        try:
            self._batch.commit()
        except Exception as error:  # noqa: BLE001 - reported to every caller
            return self._fail(submissions, error)
        return outcomes

    def reset(self) -> None:
        """Leave a failed transaction behind."""
        try:
            self._batch.reset()
        except Exception:
            log.exception("ledger session could not be renewed")  # the next batch's begin says what's still wrong

    def close(self) -> None:
        """Close the session."""
        self._batch.close()

    def _run_unit(self, submission: Submission[T]) -> Outcome[T]:
        scope = self._batch.enter_unit(submission.scope)
        try:
            result = submission.unit(scope)
        except Exception as error:
            if self._batch.passes(error):
                raise _TransactionLost(error) from error
            explained = self._batch.explain(error)
            try:
                self._batch.undo_unit()
            except Exception as lost:  # noqa: BLE001 - told to the caller
                raise _TransactionLost(lost if explained is error else explained) from error
            return Outcome(submission.token, error=explained)
        self._batch.keep_unit()
        return Outcome(submission.token, result=result, scope=scope)

    def _fail(self, submissions: Sequence[Submission[T]], error: Exception) -> list[Outcome[T]]:
        log.error("ledger commit failed", units=len(submissions), exc_info=error)
        self.reset()
        failed = self._batch.failed(error)
        return [Outcome(submission.token, error=failed) for submission in submissions]


class ThreadWriter(Generic[T]):
    """The writer of a ledger whose units wait for a network: a thread runs and commits them.

    Args:
        runner: used by the thread alone after `start`.
        deliver: called in the thread with the outcomes of a finished batch, in the order of submission.
    """

    def __init__(self, runner: BatchRunner[T], deliver: Callable[[Sequence[Outcome[T]]], None]) -> None:
        self._runner = runner
        self._deliver = deliver
        self._waiting: deque[Submission[T]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Callable[[T], Any], token: Any, scope: str = "") -> None:
        """Queue *unit*; `deliver` gets its outcome with *token*. Raises LedgerClosed after `close`."""
        with self._wake:
            if self._closing:
                raise LedgerClosed
            self._waiting.append(Submission(unit, token, scope))
            self._wake.notify()

    async def close(self) -> None:
        """Write what is queued, then end the thread and close the session."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while submissions := self._next_batch():
            self._deliver(self._runner.write(submissions))
        self._runner.close()

    def _next_batch(self) -> list[Submission[T]]:
        """Wait for work and take it. An empty list means: closed and drained."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._runner.largest))]


class _TransactionLost(Exception):
    """A unit's transaction is gone with all of its units, and *error* is why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
