"""Waiting for others to come back: exponential, with jitter, and ended at once by a stop.

Agent and receiver make one attempt a call (`RetryPolicy` without a budget); how long they go on trying is decided here
alone. The jitter keeps a thousand programs that lost the same control plane from coming back together.
"""

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from wherry.client.errors import AnswerUnreadable, ControlPlaneError, ControlPlaneUnreachable
from wherry.client.retrying import BUSY_STATUSES
from wherry.errors import WherryError

log = structlog.get_logger(__name__)
T = TypeVar("T")

Uniform = Callable[[float, float], float]
"""Returns a number between two bounds; `random.uniform`, or a fixed one in tests."""

FIRST_S: Final = 0.5
CEILING_S: Final = 30.0

ANSWERLESS: Final = (ControlPlaneUnreachable, AnswerUnreadable, ControlPlaneError)
"""How a call of the control plane fails."""


class Stopped(Exception):
    """What was under way was stopped: by its user, by a signal, or because it's gone. The text tells which."""

    def __init__(self, reason: str = "it was asked to stop") -> None:
        super().__init__(reason)


class Patience:
    """How long to wait before the next try. One object a series of tries; `reset` after a success.

    Each wait lies between half of a bound and the bound; it doubles from *first_s* up to *ceiling_s*.
    """

    def __init__(
        self, *, first_s: float = FIRST_S, ceiling_s: float = CEILING_S, uniform: Uniform = random.uniform
    ) -> None:
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._uniform = uniform
        self._failures = 0

    def reset(self) -> None:
        """Begin with short waits again."""
        self._failures = 0

    def next_delay_s(self) -> float:
        """Return how many seconds to wait now; the bound doubles with each call up to the ceiling."""
        bound = min(self._ceiling_s, self._first_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._uniform(bound / 2, bound)

    def wait(self, stop: threading.Event) -> bool:
        """Wait, and tell whether to go on: False when *stop* was set."""
        return not stop.wait(self.next_delay_s())


class Steadfast:
    """Repeats a call until the control plane answers it, however long that takes. One object a thread."""

    def __init__(self, stop: threading.Event, patience: Patience, *, uniform: Uniform = random.uniform) -> None:
        self._stop = stop
        self._patience = patience
        self._uniform = uniform

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what *call* returns; it's called once at least, so that the last word of an ending program is said.

        Raises Stopped when a stop comes before an answer, and the refusals of the control plane.
        """
        while True:
            try:
                answer = call()
            except ANSWERLESS as error:
                if not passing(error):
                    self._patience.reset()
                    raise
                log.warning("control_plane_unreachable", **error.facts)
                if not self._patience.wait(self._stop):
                    raise Stopped from error
            else:
                self._patience.reset()
                return answer

    @property
    def stopped(self) -> bool:
        """Whether the stop has come."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, give or take a fifth. Raises Stopped when a stop comes first."""
        if self._stop.wait(self._uniform(0.8 * seconds, 1.2 * seconds)):
            raise Stopped


def passing(error: WherryError) -> bool:
    """Tell whether the trouble is the control plane's and will pass, so that the same call is worth repeating.

    An answer that can't be read counts as none: something stands between that isn't the control plane.
    """
    if isinstance(error, ControlPlaneError):
        return error.status == 500 or error.status in BUSY_STATUSES
    return isinstance(error, (ControlPlaneUnreachable, AnswerUnreadable))
