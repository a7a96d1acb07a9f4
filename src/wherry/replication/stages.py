"""Where a pass loses its time: the seconds of each stage, and which one is the bottleneck.

The stages: reading the source, the processors (digesting, packing, encrypting, at either end), the wire, writing the
target, and the rate limit. The stage that the others wait for is the bottleneck.
Source: Linux Documentation/scheduler/sched-stats.rst for schedstat.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Final

_SCHEDSTAT: Final = Path("/proc/thread-self/schedstat")

_PACED: Final = 0.3
_BLOCKED: Final = 0.35
_STORING: Final = 0.7
_IDLE: Final = 0.3


class Bottleneck(StrEnum):
    """What holds a pass up."""

    UNKNOWN = ""
    SOURCE_READ = "source read"
    CPU = "cpu"
    WIRE = "wire"
    TARGET_WRITE = "target write"
    LIMIT = "limit"
    GUARD = "latency guard"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds that were spent, added up over the threads of each stage.

    reading: waiting for the source's disks. working: digesting, comparing, packing. starved: waiting for a free buffer.
    sending: encrypting and handing to the kernel. blocked: waiting for room in the connections. paced: waiting for the
    rate limit. unfed: connections with nothing to send. guarded: waiting, for the sake of the server's own writes.
    """

    reading: float = 0.0
    working: float = 0.0
    starved: float = 0.0
    sending: float = 0.0
    blocked: float = 0.0
    paced: float = 0.0
    unfed: float = 0.0
    guarded: float = 0.0

    def since(self, before: "StageTimes") -> "StageTimes":
        """Return what was spent since *before*."""
        return StageTimes(*(getattr(self, each.name) - getattr(before, each.name) for each in fields(self)))


def bottleneck(times: StageTimes, *, connections: int, seconds: float, idle: float, storing: float) -> Bottleneck:
    """Return what held a pass up during *seconds*.

    *idle* and *storing*: shares of time in which the receiver's connections, added up, waited for bytes, and in which
    it wrote.
    """
    line_s = connections * seconds
    if line_s <= 0:
        return Bottleneck.UNKNOWN
    if times.paced >= _PACED * line_s:
        return Bottleneck.LIMIT
    if times.blocked >= _BLOCKED * line_s:
        if storing >= _STORING:
            return Bottleneck.TARGET_WRITE
        # A receiver that hardly ever waits for bytes is too busy to take more of them.
        return Bottleneck.WIRE if idle >= _IDLE * connections else Bottleneck.CPU
    shares = {
        Bottleneck.UNKNOWN: 0.0,
        Bottleneck.SOURCE_READ: times.reading,
        Bottleneck.CPU: times.working + times.sending,
        Bottleneck.GUARD: times.guarded,
    }
    return max(shares, key=shares.__getitem__)


def waited_for_processor_s() -> float:
    """Return the seconds in which the calling thread could have run and had no processor; 0 where that isn't known."""
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
