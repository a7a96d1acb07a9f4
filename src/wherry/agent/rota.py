"""When something that comes round is due again."""

import random
import time
from collections.abc import Callable

from wherry.client.patience import Uniform


class Rota:
    """Tells when something is due again: every *every_s* seconds, give or take a tenth, so that agents don't meet."""

    def __init__(
        self,
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._uniform = uniform
        self.postpone(every_s)

    def due(self) -> bool:
        """Tell whether it's due; the next time is counted from now when it is."""
        if self._clock() < self.next_at:
            return False
        self.postpone(self._every_s)
        return True

    def postpone(self, seconds: float) -> None:
        """Have it due in *seconds*, give or take a tenth."""
        self.next_at = self._clock() + self._uniform(0.9 * seconds, 1.1 * seconds)
