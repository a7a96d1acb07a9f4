"""Passes over the disks with their book-keeping: one round, its commit, and the figures of both."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from wherry.agent.figures import FiguresBook
from wherry.agent.outlook import Outlook
from wherry.agent.session import Session
from wherry.agent.survey import Disks, Survey
from wherry.agent.tracking import Changes, Tracking
from wherry.client.patience import Stopped
from wherry.disks.extents import Extent
from wherry.replication.guarding import LatencyGuard
from wherry.replication.pacing import Pace
from wherry.replication.sending import BlockMarks, Dirty, PassFigures, PassMemory, PassReport

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

    def __init__(
        self,
        *,
        disks: Disks,
        tracking: Tracking,
        book: FiguresBook,
        pace: Pace,
        outlook: Outlook,
        stop: threading.Event,
        guard: LatencyGuard | None = None,
    ) -> None:
        """*guard* slows reading down for the sake of the server's own writes, but for those that wait for a thaw."""
        self.outlook = outlook
        self._guard = guard
        self._disks = disks
        self._tracking = tracking
        self._book = book
        self._pace = pace
        self._stop = stop
        self._memory = PassMemory()
        self.on_progress: Callable[[], None] = lambda: None
        self.on_scan: Callable[[str], None] = lambda _reason: None
        """Told why a pass after the first one reads all that is in use."""

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
            self.outlook.begin()
            if changes.scan:
                log.info("digest_scan", pass_number=session.next_pass, reason=changes.reason)
                if session.next_pass:
                    self.on_scan(changes.reason)
            report = self._send(session, survey, changes)
        commit = session.commit(consistent=False, taken_at=now_ms(), covered=report.covered)
        self._tracking.commit(changes)
        self._book.foresee(self.outlook.end(report.figures, self._pace.rate_mbit))
        self._book.end_pass(report, commit, consistent=False)
        return DonePass(report, changes)

    def send_frozen(self, session: Session, survey: Survey, changes: Changes) -> PassReport:
        """Send what differs of *changes* in the session's next pass while the filesystems are frozen.

        Nothing is flushed, logged or written to a disk of this server: a write to a frozen filesystem would wait for
        the thaw that only this thread can bring. What is in use on a tracked disk isn't looked up either: it's what
        the pass before found, and what was written since.
        """
        used = survey.used(changes.untracked, flush=False) if changes.untracked else {}
        self._book.begin_pass(session.next_pass, changes.reason)
        return self._run(session, used, changes.written, changes.blocks, frozen=True)

    def send_rest(self, session: Session, changes: Changes) -> PassReport:
        """Send what came in late during a frozen pass, as a part of it."""
        self._book.begin_pass(session.next_pass)
        # The disks of which nothing came in late, and those that can't be tracked, were looked at already.
        late = {disk.index: changes.fresh.get(disk.index, NOTHING) for disk in self._disks.disks}
        return self._run(session, {}, late, changes.blocks, frozen=True)

    def _send(self, session: Session, survey: Survey, changes: Changes) -> PassReport:
        # A filesystem that can't write back is copied whole. With the changes known that isn't needed, since what isn't
        # in the map yet will be written, hence be known, when it comes.
        used = survey.used([disk.index for disk in self._disks.disks], flush=changes.scan)
        self._book.measure(self._disks.size, sum(extent.length for extents in used.values() for extent in extents))
        self._book.begin_pass(session.next_pass, changes.reason)
        return self._run(session, used, changes.written, changes.blocks, frozen=False)

    def _run(
        self,
        session: Session,
        used: Mapping[int, Sequence[Extent]],
        dirty: Mapping[int, Dirty],
        blocks: Mapping[int, BlockMarks],
        *,
        frozen: bool,
    ) -> PassReport:
        report = session.run_pass(
            session.next_pass,
            self._disks.disks,
            used,
            self._memory,
            self._observer(frozen=frozen),
            self._pace,
            stop=self._stop,
            dirty=dirty,
            blocks=blocks,
            guard=None if frozen else self._guard,
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
