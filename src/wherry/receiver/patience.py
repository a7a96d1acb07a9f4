"""Waiting between tries: exponential, with jitter, and ended at once by a stop.

The one place of the receiver that decides how long to wait for a control plane that can't be reached. The jitter keeps
receivers that lost the same control plane from coming back together.
"""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.retrying import BUSY_STATUSES

log = structlog.get_logger(__name__)
T = TypeVar("T")

FIRST_S = 0.5
CEILING_S = 15.0


class Ended(Exception):
    """The receiver ends, so nothing is tried again."""


class Patience:
    """Repeats calls until the control plane answers them. One object a thread."""

    def __init__(
        self,
        stop: threading.Event,
        *,
        first_s: float = FIRST_S,
        ceiling_s: float = CEILING_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._stop = stop
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._uniform = uniform

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what *call* returns. Raises Ended, and the refusals of the control plane."""
        bound = self._first_s
        while True:
            if self._stop.is_set():
                raise Ended
            try:
                return call()
            except (ControlPlaneUnreachable, ControlPlaneError) as error:
                busy = not isinstance(error, ControlPlaneError) or error.status == 500 or error.status in BUSY_STATUSES
                if not busy:
                    raise
                log.warning("control_plane_unreachable", code=error.code, reason=error.message)
            if self._stop.wait(self._uniform(bound / 2, bound)):
                raise Ended
            bound = min(bound * 2, self._ceiling_s)

    def pause(self, seconds: float) -> None:
        """Wait, give or take a fifth. Raises Ended."""
        if self._stop.wait(self._uniform(0.8 * seconds, 1.2 * seconds)):
            raise Ended
