"""A token bucket that holds a session to a rate.

The rate can be changed at any moment by another thread and takes effect at once, also for a sender that waits.
"""

import threading
import time
from typing import Protocol

_BYTES_PER_MBIT = 125_000
_BURST_S = 0.05
_LEAST_BURST = 16 * 1024
_LEAST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.25  # how soon a stop is noticed


class Clock(Protocol):
    """Time that only goes forward, and waiting. Tests bring a clock of their own."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait on the held *condition* until it is notified, at most *seconds*."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait on the held *condition* until it is notified, at most *seconds*."""
        condition.wait(seconds)


class Pace:
    """A rate limit in Mbit/s (10^6 bits a second); 0 means unlimited. Safe for several threads.

    The bucket holds 50 ms of the rate, so that after a pause no burst follows that the network would notice.
    """

    def __init__(self, rate_mbit: float = 0.0, clock: Clock | None = None) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._changed = threading.Condition()
        self._rate_mbit = max(0.0, rate_mbit)
        self._tokens = 0.0
        self._filled_at = self._clock.now()

    @property
    def rate_mbit(self) -> float:
        """The limit in Mbit/s; 0 means unlimited."""
        return self._rate_mbit

    def set_rate(self, rate_mbit: float) -> None:
        """Change the limit; whoever waits in `take` goes on by the new one."""
        with self._changed:
            self._fill()
            self._rate_mbit = max(0.0, rate_mbit)
            self._tokens = min(self._tokens, self.slice_bytes)
            self._changed.notify_all()

    @property
    def slice_bytes(self) -> int:
        """How many bytes may be sent at once without a burst; larger sends are cut by it."""
        return max(_LEAST_BURST, int(self._rate_mbit * _BYTES_PER_MBIT * _BURST_S))

    def take(self, count: int, stop: threading.Event | None = None) -> None:
        """Wait until *count* bytes may be sent; return at once when unlimited, or early when *stop* is set."""
        with self._changed:
            while self._rate_mbit:
                self._fill()
                # A request larger than the bucket is let through when the bucket is full, and paid for afterwards.
                missing = min(count, self.slice_bytes) - self._tokens
                if missing <= 0:
                    self._tokens -= count
                    return
                if stop is not None and stop.is_set():
                    return
                seconds = missing / (self._rate_mbit * _BYTES_PER_MBIT)
                self._clock.wait(self._changed, min(max(seconds, _LEAST_WAIT_S), _LONGEST_WAIT_S))

    def _fill(self) -> None:
        now = self._clock.now()
        earned = (now - self._filled_at) * self._rate_mbit * _BYTES_PER_MBIT
        self._tokens = min(self._tokens + earned, float(self.slice_bytes))
        self._filled_at = now
