"""Passes over the disks with their book-keeping: one round, its commit, and the figures of both."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from wherry.agent.figures import FiguresBook
from wherry.agent.session import Session
from wherry.agent.survey import Disks, Survey
from wherry.agent.tracking import Changes, Tracking
from wherry.client.patience import Stopped
from wherry.disks.extents import Extent
from wherry.replication.pacing import Pace
from wherry.replication.sending import PassFigures, PassMemory, PassReport

log = structlog.get_logger(__name__)

NOTHING: Sequence[Extent] = ()


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class DonePass:
    """A committed pass. *changes*: what it had to look at."""

    report: PassReport
    changes: Changes


class Passes:
    """Runs the passes of one task."""

    def __init__(self, disks: Disks, tracking: Tracking, book: FiguresBook, pace: Pace, stop: threading.Event) -> None:
        self._disks = disks
        self._tracking = tracking
        self._book = book
        self._pace = pace
        self._stop = stop
        self._memory = PassMemory()
        self._used: Mapping[int, Sequence[Extent]] = {}
        self.on_progress: Callable[[], None] = lambda: None

    @property
    def rate_mbit(self) -> float:
        """The limit of the task's rate, in Mbit/s; 0 means none."""
        return self._pace.rate_mbit

    def run(self, session: Session) -> DonePass:
        """Run the session's next pass over the disks as they are, not frozen, and commit it.

        Raises Stopped when it was stopped, and what the session raises.
        """
        # Before the used blocks are looked up: what is allocated later is written later, hence tracked.
        self._tracking.begin()
        self._book.track(self._tracking.words)
        with self._disks.survey() as survey:
            # First, so that this pass and not the next one finds what was written until now.
            survey.write_back()
            changes = self._tracking.cut()
            if changes.scan:
                log.info("digest_scan", pass_number=session.next_pass, reason=changes.reason)
            # A filesystem that can't write back is copied whole. With the changes known that isn't needed, since what
            # isn't in the map yet will be written, hence be known, when it comes.
            report = self._send(session, survey, changes, flush=changes.scan, frozen=False)
        commit = session.commit(consistent=False, taken_at=now_ms(), covered=report.covered)
        self._tracking.commit(changes)
        self._book.end_pass(report, commit, consistent=False)
        return DonePass(report, changes)

    def send_frozen(self, session: Session, survey: Survey, changes: Changes) -> PassReport:
        """Send what differs of *changes* in the session's next pass while the filesystems are frozen.

        Nothing is flushed, logged or written to a disk of this server: a write to a frozen filesystem would wait for
        the thaw that only this thread can bring.
        """
        return self._send(session, survey, changes, flush=False, frozen=True)

    def send_rest(self, session: Session, changes: Changes) -> PassReport:
        """Send what came in late during a frozen pass, as a part of it."""
        number = session.next_pass
        self._book.begin_pass(number)
        report = session.run_pass(
            number,
            self._disks.disks,
            self._used,
            self._memory,
            self._observer(frozen=True),
            self._pace,
            stop=self._stop,
            # The disks of which nothing came in late, and those that can't be tracked, were looked at already.
            dirty={disk.index: changes.fresh.get(disk.index, NOTHING) for disk in self._disks.disks},
        )
        return self._complete(report, frozen=True)

    def _send(self, session: Session, survey: Survey, changes: Changes, *, flush: bool, frozen: bool) -> PassReport:
        self._used = used = survey.used(flush=flush)
        number = session.next_pass
        self._book.measure(self._disks.size, sum(extent.length for extents in used.values() for extent in extents))
        self._book.begin_pass(number, changes.reason)
        report = session.run_pass(
            number,
            self._disks.disks,
            used,
            self._memory,
            self._observer(frozen=frozen),
            self._pace,
            stop=self._stop,
            dirty=changes.written,
        )
        return self._complete(report, frozen=frozen)

    def _complete(self, report: PassReport, *, frozen: bool) -> PassReport:
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
