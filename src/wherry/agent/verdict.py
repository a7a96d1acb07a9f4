"""The wait for the landing's verdict: the copy is made to boot and rehearsed at the receiver, its target is launched.

The agent asks the control plane only, so agent, receiver and control plane may each be away or restart meanwhile.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from wherry.agent.errors import LandingFailed
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import LandingOutcome, LandingState, OrderKind
from wherry.contract.landing import Landing

log = structlog.get_logger(__name__)

POLL_S = 25.0
"""How long one question for news may hang, in seconds."""
LEAST_ROUND_S = 1.0
"""Pause where nothing is new: a control plane without long polls answers at once."""

_LAND_SHARE = 0.9
"""Share of the way to the launched target that the rehearsal is; the launch is the rest."""
_LAUNCH = frozenset({LandingState.LAUNCHING, LandingState.LAUNCHED})

_IN_WORDS = {
    LandingState.NOT_BOOTED: "the disks are delivered as they are, and proven equal",
    LandingState.NOTHING_TO_BOOT: "the disks hold no system; they are delivered as they are, and proven equal",
    LandingState.PASSED: "the copy has booted in its rehearsal; the target isn't to be started",
    LandingState.LAUNCHED: "the copy has booted in its rehearsal, and the target runs",
}


class LandingDesk(Protocol):
    """Where the agent says that a checkpoint is proven, and asks what became of it."""

    def begin_landing(self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None) -> Landing:
        """Say that *checkpoint* is consistent and proven; return how its landing goes.

        *failed_units*: of systemd, on this server; None where that isn't known.
        """

    def landing(self, task_id: str, known: int | None, wait_s: float) -> Landing:
        """Return the landing; waits at most *wait_s* seconds while its version is still *known*."""


class VerdictWait:
    """Waits for the verdict on one task's checkpoints."""

    def __init__(
        self,
        control: LandingDesk,
        sure: Steadfast,
        stop: threading.Event,
        show: Callable[[int, str], None],
        failed_units: Callable[[], Sequence[str] | None],
    ) -> None:
        """*show* takes over how far the landing is: per cent, and words for people.

        *failed_units* tells which units of systemd have failed here, None where nobody knows.
        """
        self._control = control
        self._sure = sure
        self._stop = stop
        self._show = show
        self._failed_units = failed_units

    def __call__(self, task_id: str, checkpoint: int) -> str:
        """Have *checkpoint* landed, and return in words what became of it, once that is a success.

        Raises LandingFailed; Stopped when the landing was taken back, or when the work is stopped; and the refusals of
        the control plane.
        """
        failed = self._failed_units()
        landing = self._sure(lambda: self._control.begin_landing(task_id, checkpoint, failed))
        while landing.outcome is LandingOutcome.WAIT:
            self._show(shown_progress(landing), in_words(landing))
            known = landing.version
            landing = self._sure(lambda: self._control.landing(task_id, known, POLL_S))  # noqa: B023 - called at once
            pause_s = LEAST_ROUND_S if landing.version == known else 0.0
            if self._stop.wait(pause_s):
                raise Stopped
        log.info("landing_ended", task_id=task_id, state=landing.state.value, checkpoint=checkpoint)
        if landing.state is LandingState.WITHDRAWN:
            raise Stopped("the landing was taken back")
        if landing.outcome is LandingOutcome.FAILURE:
            raise LandingFailed(landing)
        return in_words(landing)


def shown_progress(landing: Landing) -> int:
    """Return how far the landing is on its way to the target, in per cent; never 100."""
    whole = landing.progress
    if landing.kind == OrderKind.LAND:
        before = round(100 * _LAND_SHARE)
        whole = before + round((100 - before) * whole / 100) if landing.state in _LAUNCH else round(whole * _LAND_SHARE)
    return min(99, whole)


def in_words(landing: Landing) -> str:
    """Return what is going on, for people."""
    words = _IN_WORDS.get(landing.state, f"the copy is {landing.state.value.replace('_', ' ')}")
    return f"{words}: {landing.note}" if landing.note else words
