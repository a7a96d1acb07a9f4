"""Group commit: one thread writes, and the units of concurrent callers share a transaction.

While one transaction is being made durable the next units queue up, so the batch grows with the load by itself and a
lone unit never waits. Each unit runs in its own savepoint: one that fails is undone alone, or, where the database gives
the whole transaction up over it, the others run again (a unit must bear that). Nobody is answered before the commit.
When the commit itself fails, all of its units fail with it, and the next batch starts on a fresh session.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy.exc import OperationalError

from wherry.errors import WherryError
from wherry.ledger.errors import CommitFailed, LedgerClosed

_LARGEST_BATCH = 256
"""Units that share a transaction at most: bounds the time the first of them waits for the last."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

log = structlog.get_logger(__name__)


class Batch(Protocol[T_co]):
    """A transaction being filled, as the writer sees it. Any method may raise the database driver's errors."""

    def begin(self) -> None:
        """Start the transaction."""

    def enter_unit(self) -> T_co:
        """Open a savepoint and return what the unit works with."""

    def keep_unit(self) -> None:
        """Release the savepoint: the unit's changes are part of the transaction."""

    def undo_unit(self) -> None:
        """Roll back to the savepoint. Raises when the transaction as a whole is lost."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def reset(self) -> None:
        """Leave a failed transaction behind and be ready for `begin`, with a new session if need be."""

    def close(self) -> None:
        """Close the session."""


@dataclass(frozen=True, slots=True)
class Submission(Generic[T]):
    """A unit that waits to be written, and whom to tell."""

    unit: Callable[[T], Any]
    token: Any


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of a unit: its result, or the error that its caller shall see. `scope` is what it worked with."""

    token: Any
    result: Any = None
    error: BaseException | None = None
    scope: T | None = None


class GroupCommitWriter(Generic[T]):
    """The single writer of a ledger.

    Args:
        batch: the session; used by the writer's thread alone after `start`.
        deliver: called in the writer's thread with the outcomes of a finished batch, in the order of submission.
    """

    def __init__(self, batch: Batch[T], deliver: Callable[[Sequence[Outcome[T]]], None]) -> None:
        self._batch = batch
        self._deliver = deliver
        self._waiting: deque[Submission[T]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, unit: Callable[[T], Any], token: Any) -> None:
        """Queue *unit*; `deliver` gets its outcome with *token*. Raises LedgerClosed after `close`."""
        with self._wake:
            if self._closing:
                raise LedgerClosed
            self._waiting.append(Submission(unit, token))
            self._wake.notify()

    def close(self) -> None:
        """Write what is queued, then end the thread and close the session."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while submissions := self._next_batch():
            self._deliver(self._write(submissions))
        self._batch.close()

    def _next_batch(self) -> list[Submission[T]]:
        """Wait for work and take it. An empty list means: closed and drained."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), _LARGEST_BATCH))]

    def _write(self, submissions: Sequence[Submission[T]]) -> list[Outcome[T]]:
        try:
            self._batch.begin()
            outcomes = [self._run_unit(submission) for submission in submissions]
            self._batch.commit()
        except _TransactionLost as lost:
            if len(submissions) == 1:
                return self._fail(submissions, lost.error)
            # One unit took the whole transaction with it (disk full). Nothing is stored and nobody is answered yet,
            # so each starts again in a transaction of its own, and only the culprit fails.
            self._reset()
            return [outcome for submission in submissions for outcome in self._write([submission])]
        except Exception as error:  # noqa: BLE001 - the outermost loop of this thread: reported to every caller
            return self._fail(submissions, error)
        return outcomes

    def _run_unit(self, submission: Submission[T]) -> Outcome[T]:
        scope = self._batch.enter_unit()
        try:
            result = submission.unit(scope)
        except Exception as error:  # noqa: BLE001 - it belongs to the unit's caller, whatever it is
            try:
                self._batch.undo_unit()
            except Exception as lost:  # noqa: BLE001 - told to the caller
                raise _TransactionLost(error if _medium_refused(error) else lost) from error
            return Outcome(submission.token, error=_commit_failed(error) if _medium_refused(error) else error)
        self._batch.keep_unit()
        return Outcome(submission.token, result=result, scope=scope)

    def _fail(self, submissions: Sequence[Submission[T]], error: Exception) -> list[Outcome[T]]:
        log.error("ledger commit failed", units=len(submissions), exc_info=error)
        self._reset()
        return [Outcome(submission.token, error=_commit_failed(error)) for submission in submissions]

    def _reset(self) -> None:
        try:
            self._batch.reset()
        except Exception:
            log.exception("ledger session could not be renewed")  # the next batch's begin says what's still wrong


class _TransactionLost(Exception):
    """Undoing a unit failed: the transaction is gone, and *error* is why."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _medium_refused(error: Exception) -> bool:
    """Tell whether the database refused (disk full, I/O error) rather than the unit's own doing."""
    return isinstance(error, OperationalError)


def _commit_failed(error: Exception) -> WherryError:
    if isinstance(error, WherryError):
        return error
    failed = CommitFailed(reason=_reason(error))
    failed.__cause__ = error
    return failed


def _reason(error: Exception) -> str:
    """Return the driver's own words: SQLAlchemy wraps them in the whole statement, which may hold data."""
    return str(getattr(error, "orig", None) or error).splitlines()[0] if str(error) else type(error).__name__
