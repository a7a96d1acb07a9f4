"""One frozen pass: freeze, wait for the disks to be quiet, send, commit, thaw; and where the frozen time went.

All that can be done before the freeze or after the thaw is done there. Between the two this thread neither logs nor
writes files: see `wherry.disks.freezing`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import structlog

from wherry.agent.errors import HookFailed, TrackingDoubtful
from wherry.agent.figures import FiguresBook
from wherry.agent.hooks import Hooks
from wherry.agent.passes import Passes, now_ms
from wherry.agent.session import Session
from wherry.agent.survey import Disks, Survey
from wherry.agent.tracking import Changes, Tracking
from wherry.contract.wherry import ProofHalf
from wherry.disks.freezing import FreezeOutcome
from wherry.replication.sending import Commit, PassReport

LEAST_COMMIT_S = 1.0
"""The least time that the commit of a frozen pass is waited for, in seconds, however late it is."""

DRAIN_SHARE = 0.2
"""Share of the freeze's limit that may be spent on each wait for the disks to be quiet."""

LATE_ROUNDS = 2
"""How often what came in late while the filesystems were frozen is sent. Only what writes past them comes for ever."""

HOOK_MARGIN = 0.1
"""Share of the freeze's limit that is left when the frozen hook has to have ended."""

log = structlog.get_logger(__name__)


class Freezing(Protocol):
    """One freeze of the server's filesystems; `wherry.disks.freezing.Freeze` is the real one."""

    def freeze(self) -> None:
        """Freeze them all."""

    def still_frozen(self) -> bool:
        """Tell whether everything read so far was read from frozen filesystems."""

    def thaw(self) -> FreezeOutcome:
        """Thaw them and tell how it went."""


MakeFreeze = Callable[[Iterable[str], float], AbstractContextManager[Freezing]]


class NothingToFreeze:
    """The freeze of disks on which nothing is mounted, image files for one: they stand still anyway."""

    def freeze(self) -> None:
        """Do nothing."""

    def still_frozen(self) -> bool:
        """Nobody writes through a filesystem that isn't mounted."""
        return True

    def thaw(self) -> FreezeOutcome:
        """Nobody had to wait."""
        return FreezeOutcome(frozen_ms=0, expired=False)


class Laps:
    """Where time goes: milliseconds by the name of what was done."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._began = time.monotonic()

    def lap(self, name: str) -> None:
        """Count the time since the last call for *name*."""
        now = time.monotonic()
        self.ms[name] = round(self.ms.get(name, 0.0) + (now - self._began) * 1000, 1)
        self._began = now


@dataclass(frozen=True, slots=True)
class _Taken:
    """What came of a freeze. *changes*: what the commit brought up to date. *hook_error*: of the frozen hook."""

    report: PassReport
    changes: Changes
    commit: Commit
    consistent: bool
    taken_at: int
    outcome: FreezeOutcome
    hook_error: HookFailed | None


class FrozenPass:
    """Takes the consistent checkpoint, in one try a call."""

    def __init__(
        self,
        *,
        limit_s: float,
        hooks: Hooks,
        make_freeze: MakeFreeze,
        disks: Disks,
        passes: Passes,
        tracking: Tracking,
        book: FiguresBook,
        trace: Callable[[str], None],
    ) -> None:
        """*limit_s*: of one freeze, in seconds. *trace* tells the operator."""
        self._limit_s = limit_s
        self._hooks = hooks
        self._make_freeze = make_freeze
        self._disks = disks
        self._passes = passes
        self._tracking = tracking
        self._book = book
        self._trace = trace

    def take(self, session: Session, attempt: int) -> ProofHalf | None:
        """Run the last pass with the filesystems frozen; None when the limit came first.

        Raises TrackingDoubtful, HookFailed, FreezeRefused, WatchdogFailed, and what the session raises.
        """
        with self._disks.survey() as survey, self._freezing(survey.mount_points) as freeze:
            try:
                if self._hooks.before_freeze() or self._tracking.is_on:
                    # What the hook made the server write, and what it wrote while this was got ready, goes over now.
                    self._passes.run(session)
                taken = self._freeze(session, survey, freeze, attempt)
            finally:
                hook_failure = self._hooks.after_thaw()
        if hook_failure is not None:
            self._trace(f"{hook_failure.code}: {hook_failure.message} The checkpoint was taken all the same.")
        self._tracking.commit(taken.changes)
        self._book.end_pass(taken.report, taken.commit, consistent=taken.consistent)
        if taken.hook_error is not None and not taken.outcome.expired:
            raise taken.hook_error
        # What the hook took after an early thaw isn't the state that was committed: take both again.
        if not taken.consistent or (self._hooks.frozen and taken.outcome.expired):
            return None
        return session.half(taken.taken_at, taken.report.covered)

    def _freeze(self, session: Session, survey: Survey, freeze: Freezing, attempt: int) -> _Taken:
        outcome: FreezeOutcome | None = None
        try:
            session.hold()
            # A freeze writes back by itself, but with all writers waiting: leave it only what the last moment brought.
            survey.write_back()
            laps = Laps()
            try:
                deadline = time.monotonic() + self._limit_s
                freeze.freeze()
                laps.lap("freeze")
                report, changes = self._send_all(session, survey, attempt, laps)
                consistent = freeze.still_frozen()
                taken_at = now_ms()
                commit = session.commit(
                    consistent=consistent,
                    taken_at=taken_at,
                    covered=report.covered,
                    timeout_s=max(LEAST_COMMIT_S, deadline - time.monotonic()),
                )
                laps.lap("commit")
                hook_error = self._frozen_hook(deadline) if consistent else None
                laps.lap("hook")
            finally:
                outcome = freeze.thaw()
                laps.lap("thaw")
        finally:
            session.settle()
            if outcome is not None:
                self._book.thawed(outcome.frozen_ms, expired=outcome.expired)
        changed = report.figures.changed_bytes
        self._passes.outlook.freeze_ms = sum(laps.ms.get(name, 0.0) for name in ("freeze", "drain", "late", "commit"))
        log.info(
            "thawed", frozen_ms=outcome.frozen_ms, expired=outcome.expired, changed_bytes=changed, phases_ms=laps.ms
        )
        return _Taken(report, changes, commit, consistent, taken_at, outcome, hook_error)

    def _send_all(self, session: Session, survey: Survey, attempt: int, laps: Laps) -> tuple[PassReport, Changes]:
        """Send what was written until the freeze, and what came in late.

        Raises TrackingDoubtful when that can't be told: a disk isn't frozen for a digest scan, unless it can't be
        tracked at all.
        """
        drain_s = DRAIN_SHARE * self._limit_s
        changes = _trusted(self._tracking.drain(drain_s), attempt)
        laps.lap("drain")
        report = self._passes.send_frozen(session, survey, changes)
        laps.lap("send")
        for _ in range(LATE_ROUNDS):
            changes = _trusted(self._tracking.drain(drain_s), attempt)
            if not changes.fresh:
                break
            report = self._passes.send_rest(session, changes)
        laps.lap("late")
        return report, changes

    def _freezing(self, mount_points: Sequence[str]) -> AbstractContextManager[Freezing]:
        if not mount_points:
            return nullcontext(NothingToFreeze())
        return self._make_freeze(mount_points, self._limit_s)

    def _frozen_hook(self, deadline: float) -> HookFailed | None:
        """Run the operator's command while the filesystems are frozen; return its failure instead of raising it."""
        # It ends before the watchdog fires, so that it's clear whose fault an expired freeze is.
        timeout_s = max(0.1, deadline - time.monotonic() - HOOK_MARGIN * self._limit_s)
        try:
            self._hooks.run_frozen(timeout_s)
        except HookFailed as error:
            return error
        return None


def _trusted(changes: Changes, attempt: int) -> Changes:
    if changes.doubts:
        raise TrackingDoubtful(attempts=attempt, reason=changes.reason)
    return changes
