"""The cutover: quiet passes, the frozen pass, its commit, the thaw, and the proof that both sides are equal.

Between freeze and thaw this thread neither logs nor writes files: see `wherry.disks.freezing`.
"""

import math
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import structlog

from wherry.agent.decisions import MAX_EXTRA_PASSES, settled, small_enough
from wherry.agent.desks import Notary
from wherry.agent.errors import FreezeExpired, FreezeForecast, HookFailed, ProofRefused, TrackingDoubtful
from wherry.agent.figures import FiguresBook
from wherry.agent.passes import Passes, now_ms
from wherry.agent.session import Session
from wherry.agent.survey import Disks, Survey
from wherry.agent.tracking import Changes, Tracking
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ProofHalf
from wherry.disks.freezing import FreezeOutcome, FreezeRefused
from wherry.disks.watching import WatchdogFailed
from wherry.errors import WherryError
from wherry.process import run as run_program
from wherry.replication.sending import PassReport

LEAST_COMMIT_S = 1.0
"""The least time that the commit of a frozen pass is waited for, in seconds, however late it is."""

DRAIN_SHARE = 0.2
"""Share of the freeze's limit that may be spent on each wait for the disks to be quiet."""

LATE_ROUNDS = 2
"""How often what came in late while the filesystems were frozen is sent. Only what writes past them comes for ever."""

log = structlog.get_logger(__name__)

HOOK_MARGIN = 0.1
"""Share of the freeze's limit that is left when the hook has to have ended."""


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


@dataclass(frozen=True, slots=True)
class CutoverSettings:
    """How to cut over.

    max_freeze_s: limit of one freeze, in seconds. attempts: frozen passes before giving up. hook: command, or empty.
    refused_pause_s: pause before a refused freeze is tried again. proof_poll_s: pause between two looks for the proof.
    """

    max_freeze_s: float
    attempts: int
    hook: str = ""
    refused_pause_s: float = 1.0
    proof_poll_s: float = 0.5


class Cutover:
    """Brings one task from its last pass to its signed proof."""

    def __init__(
        self,
        *,
        settings: CutoverSettings,
        make_freeze: MakeFreeze,
        disks: Disks,
        passes: Passes,
        tracking: Tracking,
        book: FiguresBook,
        control: Notary,
        sure: Steadfast,
        stop: threading.Event,
        trace: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._make_freeze = make_freeze
        self._disks = disks
        self._passes = passes
        self._tracking = tracking
        self._book = book
        self._control = control
        self._sure = sure
        self._stop = stop
        self._trace = trace
        self._tries = 0

    def run(self, session: Session, task_id: str) -> None:
        """Take the consistent checkpoint, unless an earlier agent took it already, and wait for its signed proof.

        Raises FreezeExpired, FreezeForecast, TrackingDoubtful, HookFailed, ProofRefused, Stopped, and what the session
        raises.
        """
        half = self._book.half
        if half is None or half.checkpoint != session.checkpoint:
            half = self._consistent_checkpoint(session)
            self._book.hold(half)
        self._book.enter(ReplicationPhase.PROVING)
        self._prove(task_id, half)

    def _consistent_checkpoint(self, session: Session) -> ProofHalf:
        self._book.enter(ReplicationPhase.SYNCING)
        self._quieten(session)
        # Tries are counted over all connections: a link that breaks in each frozen pass doesn't freeze for ever.
        while self._tries < self._settings.attempts:
            self._tries += 1
            self._book.enter(ReplicationPhase.FREEZING)
            try:
                half = self._frozen_pass(session)
            except TrackingDoubtful as error:
                # Thawed by now. What is in doubt is read as a whole while the server works, and then it's tried again.
                log.warning("tracking_doubtful", attempt=self._tries, **error.facts)
                if self._tries >= self._settings.attempts:
                    raise
                self._trace(f"the frozen pass {self._tries} was given up: {error.message}")
                self._book.enter(ReplicationPhase.SYNCING)
                self._quieten(session)
                continue
            except (FreezeRefused, WatchdogFailed) as error:
                log.warning("freeze_refused", attempt=self._tries, **error.facts)
                if self._tries >= self._settings.attempts:
                    raise
                if self._stop.wait(self._settings.refused_pause_s):
                    raise Stopped from error
                continue
            if half is not None:
                return half
            limit = f"{self._settings.max_freeze_s:g} s"
            log.warning("freeze_expired", attempt=self._tries, limit=limit)
            self._trace(f"the frozen pass {self._tries} did not fit into {limit}; trying again")
            self._book.enter(ReplicationPhase.SYNCING)
            self._passes.run(session)
        raise FreezeExpired(limit_s=self._settings.max_freeze_s, attempts=self._settings.attempts)

    def _quieten(self, session: Session) -> None:
        """Run passes until the frozen one will be short; each one writes the filesystems of the disks back before.

        Raises FreezeForecast when none of them was quick enough for a freeze, and TrackingDoubtful.
        """
        limit_s = self._settings.max_freeze_s
        small = small_enough(self._passes.rate_mbit, limit_s)
        changed: list[int] = []
        quickest = math.inf
        scans = 0
        while not settled(changed, small):
            done = self._passes.run(session)
            if done.changes.doubts:
                # It says nothing of the frozen pass, which will look only at what was written.
                scans += 1
                if scans > MAX_EXTRA_PASSES:
                    raise TrackingDoubtful(attempts=scans, reason=done.changes.reason)
                continue
            figures = done.report.figures
            changed.append(figures.changed_bytes)
            quickest = min(quickest, figures.seconds)
        if quickest > limit_s:
            raise FreezeForecast(seconds=quickest, limit_s=limit_s)

    def _frozen_pass(self, session: Session) -> ProofHalf | None:
        """Run the last pass with the filesystems frozen; None when the limit came first. Raises TrackingDoubtful."""
        outcome: FreezeOutcome | None = None
        try:
            with self._disks.survey() as survey, self._freezing(survey.mount_points) as freeze:
                try:
                    session.hold()
                    deadline = time.monotonic() + self._settings.max_freeze_s
                    freeze.freeze()
                    report, changes = self._send_all(session, survey)
                    consistent = freeze.still_frozen()
                    taken_at = now_ms()
                    commit = session.commit(
                        consistent=consistent,
                        taken_at=taken_at,
                        covered=report.covered,
                        timeout_s=max(LEAST_COMMIT_S, deadline - time.monotonic()),
                    )
                    hook_error = self._hook(deadline) if consistent else None
                finally:
                    outcome = freeze.thaw()
        finally:
            session.settle()
            if outcome is not None:
                self._book.thawed(outcome.frozen_ms, expired=outcome.expired)
        self._tracking.commit(changes)
        self._book.end_pass(report, commit, consistent=consistent)
        log.info("thawed", frozen_ms=outcome.frozen_ms, consistent=consistent, checkpoint=commit.checkpoint)
        if hook_error is not None and not outcome.expired:
            raise hook_error
        # What the hook took after an early thaw isn't the state that was committed: take both again.
        if not consistent or (self._settings.hook and outcome.expired):
            return None
        return session.half(taken_at, report.covered)

    def _send_all(self, session: Session, survey: Survey) -> tuple[PassReport, Changes]:
        """Send what was written until the freeze, and what came in late; return the last report, and what is sent.

        Raises TrackingDoubtful when that can't be told: a disk isn't frozen for a digest scan, unless it can't be
        tracked at all.
        """
        limit_s = DRAIN_SHARE * self._settings.max_freeze_s
        changes = self._trusted(self._tracking.drain(limit_s))
        report = self._passes.send_frozen(session, survey, changes)
        for _ in range(LATE_ROUNDS):
            changes = self._trusted(self._tracking.drain(limit_s))
            if not changes.fresh:
                break
            report = self._passes.send_rest(session, changes)
        return report, changes

    def _trusted(self, changes: Changes) -> Changes:
        if changes.doubts:
            raise TrackingDoubtful(attempts=self._tries, reason=changes.reason)
        return changes

    def _freezing(self, mount_points: Sequence[str]) -> AbstractContextManager[Freezing]:
        if not mount_points:
            return nullcontext(NothingToFreeze())
        return self._make_freeze(mount_points, self._settings.max_freeze_s)

    def _hook(self, deadline: float) -> HookFailed | None:
        """Run the operator's command while the filesystems are frozen; return its failure instead of raising it."""
        if not self._settings.hook:
            return None
        # It ends before the watchdog fires, so that it's clear whose fault an expired freeze is.
        timeout_s = max(0.1, deadline - time.monotonic() - HOOK_MARGIN * self._settings.max_freeze_s)
        try:
            run_program(shlex.split(self._settings.hook), timeout_s=timeout_s)
        except (WherryError, ValueError) as error:
            return HookFailed(reason=str(error))
        return None

    def _prove(self, task_id: str, half: ProofHalf) -> None:
        self._trace("waiting for the receiver's half of the proof")
        try:
            self._sure(lambda: self._control.hand_in(task_id, half))
            while self._sure(lambda: self._control.proof(task_id, half.checkpoint)) is None:
                if self._stop.wait(self._settings.proof_poll_s):
                    raise Stopped
        except ControlPlaneError as error:
            if error.status != 409:
                raise
            self._book.hold(None)
            raise ProofRefused(checkpoint=half.checkpoint, reason=error.message) from error
        log.info("proven", task_id=task_id, checkpoint=half.checkpoint)
