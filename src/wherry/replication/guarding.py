"""The source server comes first: reading slows down when its own disk requests begin to wait for ours.

The kernel adds up for each disk how many writes were completed and how long they took. Their mean while a pass reads,
less the smallest mean of the last minutes, is what reading adds. Writes are looked at because reads are mostly ours.
Source: Linux Documentation/admin-guide/iostats.rst.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherry.replication.pacing import Pace

_SYS_BLOCK: Final = Path("/sys/block")
_LEAST_WRITES: Final = 4
_REMEMBERED: Final = 480  # looks, four a second
_LOOK_S: Final = 0.25
_SLOWER: Final = 0.7
_FASTER: Final = 1.15
_COMFORT: Final = 0.7
_LEAST_MBIT: Final = 8.0


@dataclass(frozen=True, slots=True)
class WriteTimes:
    """Completed writes of a disk since boot, and the milliseconds that they took, added up."""

    writes: int
    milliseconds: int


def read_write_times(device: str, sys_block: Path = _SYS_BLOCK) -> WriteTimes | None:
    """Return what the kernel counted for disk *device* (such as "sda"); None when it doesn't count."""
    try:
        fields = (sys_block / device / "stat").read_text().split()
        return WriteTimes(int(fields[4]), int(fields[7]))
    except (OSError, ValueError, IndexError):
        return None


def mean_ms(before: WriteTimes | None, after: WriteTimes | None) -> float | None:
    """Return the mean milliseconds of the writes between two readings; None when there were too few to tell."""
    if before is None or after is None or after.writes - before.writes < _LEAST_WRITES:
        return None
    return max(0.0, (after.milliseconds - before.milliseconds) / (after.writes - before.writes))


class LatencyControl:
    """Decides how fast may be read, so that a write takes at most *limit_ms* longer than it would otherwise. Pure."""

    def __init__(self, limit_ms: float) -> None:
        self._limit_ms = limit_ms
        self._means: deque[float] = deque(maxlen=_REMEMBERED)
        self._fastest_mbit = 0.0
        self.rate_mbit = 0.0
        """How fast may be read, in Mbit/s; 0 means as fast as it goes."""

    @property
    def baseline_ms(self) -> float:
        """What a write takes when nothing is read, as far as is known."""
        return min(self._means, default=0.0)

    def decide(self, write_ms: float | None, read_mbit: float) -> float:
        """Return `rate_mbit` after a while in which writes took *write_ms* in the mean, None for hardly any of them.

        *read_mbit*: how fast was read meanwhile; 0 when it wasn't, which only teaches what is normal.
        """
        self._fastest_mbit = max(self._fastest_mbit, read_mbit)
        if write_ms is not None:
            self._means.append(write_ms)
        added = 0.0 if write_ms is None else write_ms - self.baseline_ms
        if read_mbit <= 0:
            return self.rate_mbit
        if added > self._limit_ms:
            was = self.rate_mbit or read_mbit
            self.rate_mbit = max(_LEAST_MBIT, min(was, read_mbit) * _SLOWER)
        elif self.rate_mbit and added < self._limit_ms * _COMFORT:
            faster = self.rate_mbit * _FASTER
            self.rate_mbit = faster if faster < 2 * self._fastest_mbit else 0.0
        return self.rate_mbit


class LatencyGuard:
    """Watches over the disks *devices* (names as in /sys/block) while they're read, and slows reading down by `pace`.

    `look` is called every now and then, by one thread, also between passes where that's possible: so it learns what's
    normal.
    """

    def __init__(
        self,
        devices: Sequence[str],
        limit_ms: float,
        *,
        sys_block: Path = _SYS_BLOCK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pace = Pace()
        """What readers have to keep to, in bytes read."""
        self._devices = list(devices)
        self._sys_block = sys_block
        self._clock = clock
        self._control = LatencyControl(limit_ms)
        self._times = self._read_times()
        self._looked_at = clock()
        self._read_bytes = 0

    @property
    def is_slowing(self) -> bool:
        """True while reading is held back."""
        return self._control.rate_mbit > 0

    def look(self, read_bytes: int) -> None:
        """Look at the disks; *read_bytes*: bytes read in this pass so far, 0 between passes."""
        now = self._clock()
        seconds = now - self._looked_at
        if seconds < _LOOK_S:
            return
        times = self._read_times()
        means = [mean_ms(before, after) for before, after in zip(self._times, times, strict=True)]
        # The disk that suffers most decides.
        worst = max((mean for mean in means if mean is not None), default=None)
        read_mbit = max(0, read_bytes - self._read_bytes) * 8 / 1e6 / seconds
        self._times, self._looked_at, self._read_bytes = times, now, read_bytes
        self.pace.set_rate(self._control.decide(worst, read_mbit))

    def _read_times(self) -> list[WriteTimes | None]:
        return [read_write_times(device, self._sys_block) for device in self._devices]
