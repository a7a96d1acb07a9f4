"""A token bucket that holds a session to a rate, and the windows of the day in which other rates hold.

The rate can be changed at any moment by another thread and takes effect at once, also for a sender that waits; where a
window of the schedule begins or ends, that is noticed within half a second.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day
from typing import Final, Protocol

from wherry.replication.errors import ScheduleRefused

MAX_WINDOWS: Final = 5
_BYTES_PER_MBIT = 125_000
_BURST_S = 0.05
_LEAST_BURST = 16 * 1024
_LEAST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.25  # how soon a stop is noticed
_SCHEDULE_S = 0.5  # how often the schedule is looked at
_DAY_S: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Window:
    """From second *start_s* of the day, before second *end_s*, *rate_mbit* holds; 0 means unlimited.

    A window whose end isn't after its start goes on over midnight.
    """

    start_s: int
    end_s: int
    rate_mbit: float

    @classmethod
    def of(cls, start: str, end: str, rate_mbit: float) -> "Window":
        """Return the window that the speed-limit API means, *start* and *end* as "H:MM", up to "24:00".

        Raises ScheduleRefused for what is no time, for a window without length, and for a negative rate.
        """
        window = cls(_second(start) % _DAY_S, _second(end), rate_mbit)
        if rate_mbit < 0 or window.start_s == window.end_s:
            raise ScheduleRefused(text=f"{start} to {end} with {rate_mbit:g} Mbit/s")
        return window

    def holds_at(self, second: float) -> bool:
        """Tell whether it holds at a second of the day."""
        if self.start_s < self.end_s:
            return self.start_s <= second < self.end_s
        return second >= self.start_s or second < self.end_s


Schedule = Sequence[Window]


def schedule(windows: Sequence[tuple[str, str, float]]) -> Schedule:
    """Return the schedule of windows (start, end, Mbit/s). Raises ScheduleRefused, also for more than five."""
    if len(windows) > MAX_WINDOWS:
        raise ScheduleRefused(text=f"{len(windows)} windows where {MAX_WINDOWS} are allowed")
    return tuple(Window.of(*each) for each in windows)


def rate_at(windows: Schedule, local: time_of_day, otherwise: float = 0.0) -> float:
    """Return the rate in Mbit/s at a local time; 0 means unlimited. Of overlapping windows the first one counts.

    *otherwise*: what holds outside of all windows.
    """
    second = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
    return next((window.rate_mbit for window in windows if window.holds_at(second)), otherwise)


def _second(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    if colon and hours.isdecimal() and minutes.isdecimal() and len(hours) <= 2 and len(minutes) == 2:
        second = int(hours) * 3600 + int(minutes) * 60
        if int(minutes) < 60 and second <= _DAY_S:
            return second
    raise ScheduleRefused(text=text)


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


def local_time() -> time_of_day:
    """Return the time of day where this machine is."""
    return datetime.now().astimezone().time()


class Pace:
    """A rate limit in Mbit/s (10^6 bits a second); 0 means unlimited. Safe for several threads.

    A window of the schedule takes the place of the limit while it holds. The bucket holds 50 ms of the rate, so that
    after a pause no burst follows that the network would notice.
    """

    def __init__(
        self,
        rate_mbit: float = 0.0,
        clock: Clock | None = None,
        local: Callable[[], time_of_day] = local_time,
    ) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._local = local
        self._changed = threading.Condition()
        self._limit_mbit = max(0.0, rate_mbit)
        self._schedule: Schedule = ()
        self._rate_mbit = self._limit_mbit
        self._tokens = 0.0
        self._filled_at = self._looked_at = self._clock.now()

    @property
    def rate_mbit(self) -> float:
        """The rate that holds now, in Mbit/s; 0 means unlimited."""
        if self._schedule and self._clock.now() - self._looked_at >= _SCHEDULE_S:
            with self._changed:
                self._look()
        return self._rate_mbit

    def set_rate(self, rate_mbit: float) -> None:
        """Change the limit; whoever waits in `take` goes on by the new one."""
        with self._changed:
            self._limit_mbit = max(0.0, rate_mbit)
            self._look()

    def set_schedule(self, windows: Schedule) -> None:
        """Change the windows; whoever waits in `take` goes on by the new ones. None are an empty sequence."""
        with self._changed:
            self._schedule = tuple(windows)
            self._look()

    @property
    def slice_bytes(self) -> int:
        """How many bytes may be sent at once without a burst; larger sends are cut by it."""
        return max(_LEAST_BURST, int(self._rate_mbit * _BYTES_PER_MBIT * _BURST_S))

    def take(self, count: int, stop: threading.Event | None = None) -> None:
        """Wait until *count* bytes may be sent; return at once when unlimited, or early when *stop* is set."""
        with self._changed:
            while self.rate_mbit:
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

    def _look(self) -> None:
        """Find out which rate holds now."""
        self._looked_at = self._clock.now()
        rate_mbit = rate_at(self._schedule, self._local(), self._limit_mbit) if self._schedule else self._limit_mbit
        if rate_mbit != self._rate_mbit:
            self._fill()
            self._rate_mbit = rate_mbit
            self._tokens = min(self._tokens, self.slice_bytes)
            self._changed.notify_all()

    def _fill(self) -> None:
        now = self._clock.now()
        earned = (now - self._filled_at) * self._rate_mbit * _BYTES_PER_MBIT
        self._tokens = min(self._tokens + earned, float(self.slice_bytes))
        self._filled_at = now
