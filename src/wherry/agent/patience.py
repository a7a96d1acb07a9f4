"""Waiting between tries: exponential, with jitter, and ended at once by a stop.

The one place of the agent that decides how long to wait: for a control plane that can't be reached, and for a receiver
that is lost. Full jitter, so that a thousand agents that lost the same server don't come back together.
"""

import random
import threading
from collections.abc import Callable

Uniform = Callable[[float, float], float]
"""Returns a number between two bounds; `random.uniform`, or a fixed one in tests."""

FIRST_S = 0.5
CEILING_S = 30.0


class Patience:
    """How long to wait before the next try. One object a series of tries; `reset` after a success."""

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
