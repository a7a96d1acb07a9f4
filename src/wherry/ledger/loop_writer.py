"""Group commit on the event loop: units run there, and only the commit waits for the disk in a thread.

A unit on SQLite is a few dozen microseconds of work on cached pages. In a thread of its own it costs twice that: the
driver lets go of the interpreter at each statement, and the event loop's thread and the writer's then wake each other
again and again. What may really wait, the commit and everything after something went wrong, is in the thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from wherry.ledger.errors import LedgerClosed
from wherry.ledger.writer import BatchRunner, Outcome, Submission

T = TypeVar("T")

log = structlog.get_logger(__name__)


class LoopWriter(Generic[T]):
    """The writer of a ledger whose units never wait. Belongs to one event loop.

    Args:
        quick: runs units on the loop. Its session fails rather than waits when the database is held by another program.
        patient: runs the units of a batch again, in the thread, where `quick` couldn't.
        deliver: called on the loop with the outcomes of a finished batch, in the order of submission.
    """

    def __init__(
        self, quick: BatchRunner[T], patient: BatchRunner[T], deliver: Callable[[Sequence[Outcome[T]]], None]
    ) -> None:
        self._quick = quick
        self._patient = patient
        self._deliver = deliver
        self._waiting: deque[Submission[T]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._working = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, unit: Callable[[T], Any], token: Any, scope: str = "") -> None:
        """Queue *unit*; `deliver` gets its outcome with *token*. Raises LedgerClosed after `close`."""
        if self._closing:
            raise LedgerClosed
        self._waiting.append(Submission(unit, token, scope))
        if not self._working:
            self._working = True
            self._idle.clear()
            # Not at once: what else is submitted in this turn of the loop shares the transaction.
            asyncio.get_running_loop().call_soon(self._next_batch)

    async def close(self) -> None:
        """Write what is queued, then end the thread and close the sessions."""
        self._closing = True
        await self._idle.wait()
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._quick.close)
        await asyncio.to_thread(self._patient.close)

    def _next_batch(self) -> None:
        if not self._waiting:
            self._working = False
            self._idle.set()
            return
        submissions = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._quick.largest))]
        try:
            outcomes = self._quick.fill(submissions)
            finish = partial(self._quick.commit, submissions, outcomes)
        except Exception as error:  # noqa: BLE001 - the patient runner meets it again, or doesn't
            log.info("ledger batch runs again", units=len(submissions), reason=type(error).__name__)
            finish = partial(self._run_again, submissions)
        asyncio.get_running_loop().run_in_executor(self._thread, finish).add_done_callback(self._finished)

    def _run_again(self, submissions: Sequence[Submission[T]]) -> list[Outcome[T]]:
        self._quick.reset()
        return self._patient.write(submissions)

    def _finished(self, writing: "asyncio.Future[list[Outcome[T]]]") -> None:
        self._deliver(writing.result())
        self._next_batch()
