"""What time it is at the control plane: what requests are signed for, however wrong this machine's clock is.

Servers to be migrated have odd clocks, and they aren't ours to set. A clock may also be set while the program runs. The
control plane refuses a request that is signed for a moment too far from its own time, and says its time in doing so.
"""

import email.utils
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

TOLERATED_S: Final = 300
"""So many seconds off, a request is still accepted for sure: the control plane itself bears three times as much."""

log = structlog.get_logger(__name__)


class ServerTime:
    """The control plane's time, as far as its refusals have told. May be used by several threads.

    Args:
        wall_clock: this machine's time in epoch seconds.
    """

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._ahead_s = 0.0

    def now(self) -> float:
        """Return the time to sign a request for, in epoch seconds."""
        return self._wall_clock() + self._ahead_s

    def learn(self, date: str, signed_for: float) -> bool:
        """Take over the time of a refusal (its Date header), and tell whether *signed_for* was too far from it.

        If so, the same request signed anew has a chance. Where several requests were under way with the wrong time,
        each of them has, though the first refusal has set it right already.
        """
        try:
            moment = email.utils.parsedate_to_datetime(date).timestamp()
        except ValueError:
            return False
        with self._lock:
            ahead_s = moment - self._wall_clock()
            if abs(ahead_s - self._ahead_s) >= TOLERATED_S:
                self._ahead_s = ahead_s
                log.warning("clocks_differ", control_plane_ahead_s=round(ahead_s))
        return abs(moment - signed_for) >= TOLERATED_S
