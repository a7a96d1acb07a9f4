"""The cutover: quiet passes, the frozen pass, and the proof that both sides are equal."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from wherry.agent.decisions import MAX_EXTRA_PASSES, settled, small_enough
from wherry.agent.desks import Notary
from wherry.agent.errors import FreezeExpired, FreezeForecast, ProofRefused, TrackingDoubtful
from wherry.agent.figures import FiguresBook
from wherry.agent.frozen import FrozenPass
from wherry.agent.passes import Passes
from wherry.agent.session import Session
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ProofHalf
from wherry.disks.freezing import FreezeRefused
from wherry.disks.watching import WatchdogFailed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CutoverSettings:
    """How to cut over.

    max_freeze_s: limit of one freeze, in seconds. attempts: frozen passes before giving up.
    refused_pause_s: pause before a refused freeze is tried again. proof_poll_s: pause between two looks for the proof.
    """

    max_freeze_s: float
    attempts: int
    refused_pause_s: float = 1.0
    proof_poll_s: float = 0.5


class Cutover:
    """Brings one task from its last pass to its signed proof."""

    def __init__(
        self,
        *,
        settings: CutoverSettings,
        frozen: FrozenPass,
        passes: Passes,
        book: FiguresBook,
        control: Notary,
        sure: Steadfast,
        stop: threading.Event,
        trace: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._frozen = frozen
        self._passes = passes
        self._book = book
        self._control = control
        self._sure = sure
        self._stop = stop
        self._trace = trace
        self._tries = 0

    def run(self, session: Session, task_id: str) -> int:
        """Take the consistent checkpoint, unless an earlier agent took it already, and wait for its signed proof.

        Returns the checkpoint.

        Raises FreezeExpired, FreezeForecast, TrackingDoubtful, HookFailed, ProofRefused, Stopped, and what the session
        raises.
        """
        half = self._book.half
        if half is None or half.checkpoint != session.checkpoint:
            half = self._consistent_checkpoint(session)
            self._book.hold(half)
        self._book.enter(ReplicationPhase.PROVING)
        self._prove(task_id, half)
        return half.checkpoint

    def take_checkpoint(self, session: Session) -> int:
        """Take a consistent checkpoint while the task goes on, and return its number. Raises what `run` does."""
        try:
            return self._consistent_checkpoint(session).checkpoint
        finally:
            self._tries = 0  # it's no try of the cutover

    def _consistent_checkpoint(self, session: Session) -> ProofHalf:
        self._book.enter(ReplicationPhase.SYNCING)
        self._quieten(session)
        # Tries are counted over all connections: a link that breaks in each frozen pass doesn't freeze for ever.
        while self._tries < self._settings.attempts:
            self._tries += 1
            self._book.enter(ReplicationPhase.FREEZING)
            try:
                half = self._frozen.take(session, self._tries)
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
        raise FreezeExpired(
            limit_s=self._settings.max_freeze_s,
            attempts=self._settings.attempts,
            cause=self._and_writers(FreezeExpired.default_cause),
        )

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
            cause = self._and_writers(FreezeForecast.default_cause)
            raise FreezeForecast(seconds=quickest, limit_s=limit_s, cause=cause)

    def _and_writers(self, cause: str) -> str:
        """Return *cause* with the processes that write most, where they are known."""
        writers = self._passes.outlook.busiest
        return f"{cause} Most is written by: {writers}." if writers else cause

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
