"""The cutover: quiet passes, the frozen pass, and the proof that both sides are equal."""

import math
import threading
import time
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
from wherry.client.patience import Patience, Steadfast, Stopped
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ProofHalf
from wherry.disks.freezing import FreezeRefused
from wherry.disks.watching import WatchdogFailed
from wherry.errors import WherryError

log = structlog.get_logger(__name__)

LONGEST_PAUSE_S = 300.0
"""Longest time between two freezes that are tried, in seconds."""


@dataclass(frozen=True, slots=True)
class CutoverSettings:
    """How to cut over.

    max_freeze_s: limit of one freeze, in seconds. attempts: tries of it before giving up; 0: it's never given up.
    sync_interval_s: pause between two passes while a freeze doesn't fit. proof_poll_s: pause between two looks for the
    proof.
    """

    max_freeze_s: float
    attempts: int
    sync_interval_s: float
    proof_poll_s: float = 0.5


class Cutover:
    """Brings one task from its last pass to its signed proof.

    A freeze that doesn't fit is no reason to give up: what was copied is safe, and the task goes on synchronising and
    says why it doesn't end. It's tried again when the passes promise that it fits, but not at once: a freeze that was
    in vain kept the server waiting, so that the pauses grow from twice the limit to `LONGEST_PAUSE_S`.
    """

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
        pauses: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*pauses*: between two freezes."""
        self._settings = settings
        self._frozen = frozen
        self._passes = passes
        self._book = book
        self._control = control
        self._sure = sure
        self._stop = stop
        self._trace = trace
        self._clock = clock
        self._pauses = pauses or Patience(first_s=2 * settings.max_freeze_s, ceiling_s=LONGEST_PAUSE_S)
        self._tries = 0
        self._due = -math.inf  # when a freeze may be tried again
        self._obstacle = ""

    def run(self, session: Session, task_id: str) -> int:
        """Take the consistent checkpoint, unless an earlier agent took it already, and wait for its signed proof.

        Returns the checkpoint.

        Raises HookFailed, ProofRefused, Stopped, and what the session raises; if tries are limited also FreezeExpired,
        FreezeForecast, TrackingDoubtful, FreezeRefused, WatchdogFailed.
        """
        half = self._book.half
        if half is None or half.checkpoint != session.checkpoint:
            half = self._consistent_checkpoint(session, self._settings.attempts)
            self._book.hold(half)
        self._book.enter(ReplicationPhase.PROVING)
        self._prove(task_id, half)
        return half.checkpoint

    def take_checkpoint(self, session: Session) -> int:
        """Take a consistent checkpoint while the task goes on, and return its number; it's tried once.

        Raises HookFailed, Stopped, FreezeExpired, FreezeForecast, TrackingDoubtful, FreezeRefused, WatchdogFailed, and
        what the session raises.
        """
        try:
            return self._consistent_checkpoint(session, 1).checkpoint
        finally:
            self._tries = 0  # it's no try of the cutover

    def _consistent_checkpoint(self, session: Session, attempts: int) -> ProofHalf:
        while True:
            self._book.enter(ReplicationPhase.SYNCING)
            try:
                self._synchronise_until_due(session)
                self._quieten(session)
                return self._freeze(session, attempts)
            except (FreezeForecast, FreezeExpired, TrackingDoubtful, FreezeRefused, WatchdogFailed) as error:
                self._put_off(error, attempts)

    def _synchronise_until_due(self, session: Session) -> None:
        """Run passes as before the cutover until a freeze may be tried again; what keeps it away stands in the task."""
        while self._clock() < self._due:
            self._passes.run(session)
            self._trace(self._obstacle)
            left_s = max(0.0, self._due - self._clock())
            if self._stop.wait(min(left_s, self._settings.sync_interval_s)):
                raise Stopped

    def _freeze(self, session: Session, attempts: int) -> ProofHalf:
        """Try the frozen pass. Raises FreezeExpired when it didn't fit, and what it raises itself."""
        # Both over all connections: a link that breaks in each frozen pass doesn't freeze for ever, nor often.
        if attempts and self._tries >= attempts:
            raise self._expired()
        self._tries += 1
        self._due = self._clock() + self._pauses.next_delay_s()
        self._obstacle = "the connection was lost while the server was frozen; that's tried again after a pause"
        self._book.enter(ReplicationPhase.FREEZING)
        half = self._frozen.take(session, self._tries)
        if half is None:
            raise self._expired()
        return half

    def _put_off(self, error: WherryError, attempts: int) -> None:
        """Thawed by now, and what was sent is safe: go on and try again, unless that was the last of *attempts*."""
        log.warning("freeze_put_off", attempt=self._tries, **error.facts)
        if attempts and self._tries >= attempts:
            raise error
        self._obstacle = f"going on until a freeze fits, which is tried again by itself: {error.explain()}"
        self._trace(self._obstacle)

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
                    self._rest()
                    raise TrackingDoubtful(attempts=scans, reason=done.changes.reason)
                continue
            figures = done.report.figures
            changed.append(figures.changed_bytes)
            quickest = min(quickest, figures.seconds)
        expected_s = quickest + self._passes.outlook.freeze_ms / 1000
        if expected_s > limit_s:
            self._rest()
            self._passes.outlook.fade()
            cause = self._and_writers(FreezeForecast.default_cause)
            raise FreezeForecast(seconds=expected_s, limit_s=limit_s, cause=cause)

    def _rest(self) -> None:
        """Count a try that wasn't even begun; nobody was kept waiting by it, so that the next one may come soon."""
        self._tries += 1
        self._due = max(self._due, self._clock() + self._settings.sync_interval_s)

    def _expired(self) -> FreezeExpired:
        return FreezeExpired(
            limit_s=self._settings.max_freeze_s,
            attempts=self._tries,
            cause=self._and_writers(FreezeExpired.default_cause),
        )

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
