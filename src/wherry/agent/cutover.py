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

from wherry.agent.decisions import settled, small_enough
from wherry.agent.desks import Notary
from wherry.agent.errors import FreezeExpired, FreezeForecast, HookFailed, ProofRefused
from wherry.agent.figures import FiguresBook
from wherry.agent.passes import Passes, now_ms
from wherry.agent.session import Session
from wherry.agent.survey import Disks
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ProofHalf
from wherry.disks.freezing import FreezeOutcome, FreezeRefused
from wherry.disks.watching import WatchdogFailed
from wherry.errors import WherryError
from wherry.process import run as run_program

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
        self._book = book
        self._control = control
        self._sure = sure
        self._stop = stop
        self._trace = trace
        self._tries = 0

    def run(self, session: Session, task_id: str) -> None:
        """Take the consistent checkpoint, unless an earlier agent took it already, and wait for its signed proof.

        Raises FreezeExpired, FreezeForecast, HookFailed, ProofRefused, Stopped, and what the session raises.
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

        Raises FreezeForecast when none of them was quick enough for a freeze.
        """
        limit_s = self._settings.max_freeze_s
        small = small_enough(self._passes.rate_mbit, limit_s)
        changed: list[int] = []
        quickest = math.inf
        while not settled(changed, small):
            figures = self._passes.run(session).figures
            changed.append(figures.changed_bytes)
            quickest = min(quickest, figures.seconds)
        if quickest > limit_s:
            raise FreezeForecast(seconds=quickest, limit_s=limit_s)

    def _frozen_pass(self, session: Session) -> ProofHalf | None:
        """Run the last pass with the filesystems frozen; None when the limit came first."""
        outcome: FreezeOutcome | None = None
        try:
            with self._disks.survey() as survey, self._freezing(survey.mount_points) as freeze:
                deadline = time.monotonic() + self._settings.max_freeze_s
                try:
                    freeze.freeze()
                    report = self._passes.send(session, survey, frozen=True)
                    consistent = freeze.still_frozen()
                    taken_at = now_ms()
                    commit = session.commit(consistent=consistent, taken_at=taken_at, covered=report.covered)
                    hook_error = self._hook(deadline) if consistent else None
                finally:
                    outcome = freeze.thaw()
        finally:
            if outcome is not None:
                self._book.thawed(outcome.frozen_ms, expired=outcome.expired)
        self._book.end_pass(report, commit, consistent=consistent)
        log.info("thawed", frozen_ms=outcome.frozen_ms, consistent=consistent, checkpoint=commit.checkpoint)
        if hook_error is not None and not outcome.expired:
            raise hook_error
        # What the hook took after an early thaw isn't the state that was committed: take both again.
        if not consistent or (self._settings.hook and outcome.expired):
            return None
        return session.half(taken_at, report.covered)

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
