"""Passes over the disks with their book-keeping: one round, its commit, and the figures of both."""

import threading
import time
from collections.abc import Callable

from wherry.agent.figures import FiguresBook
from wherry.agent.session import Session
from wherry.agent.survey import Disks, Survey
from wherry.client.patience import Stopped
from wherry.replication.pacing import Pace
from wherry.replication.sending import PassFigures, PassMemory, PassReport


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Passes:
    """Runs the passes of one task."""

    def __init__(self, disks: Disks, book: FiguresBook, pace: Pace, stop: threading.Event) -> None:
        self._disks = disks
        self._book = book
        self._pace = pace
        self._stop = stop
        self._memory = PassMemory()
        self.on_progress: Callable[[], None] = lambda: None

    @property
    def rate_mbit(self) -> float:
        """The limit of the task's rate, in Mbit/s; 0 means none."""
        return self._pace.rate_mbit

    def run(self, session: Session) -> PassReport:
        """Run the session's next pass over the disks as they are, not frozen, and commit it.

        Raises Stopped when it was stopped, and what the session raises.
        """
        with self._disks.survey() as survey:
            report = self.send(session, survey, frozen=False)
        commit = session.commit(consistent=False, taken_at=now_ms(), covered=report.covered)
        self._book.end_pass(report, commit, consistent=False)
        return report

    def send(self, session: Session, survey: Survey, *, frozen: bool) -> PassReport:
        """Send what differs in the session's next pass, without committing it.

        With *frozen* nothing is flushed and nothing is written to a disk of this server: a write to a frozen filesystem
        would wait for the thaw that only this thread can bring.
        """
        used = survey.used(flush=not frozen)
        number = session.next_pass
        self._book.measure(self._disks.size, sum(extent.length for extents in used.values() for extent in extents))
        self._book.begin_pass(number)
        report = session.run_pass(
            number,
            self._disks.disks,
            used,
            self._memory,
            self._observer(frozen=frozen),
            self._pace,
            stop=self._stop,
        )
        if not report.complete:
            self._book.count(report.figures)
            if not frozen:
                self._book.save()
            raise Stopped
        return report

    def _observer(self, *, frozen: bool) -> Callable[[PassFigures], None]:
        def observe(figures: PassFigures) -> None:
            self._book.count(figures)
            if figures.durable_bytes:
                self.on_progress()
            if not frozen:
                self._book.jot()

        return observe
