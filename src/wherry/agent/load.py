"""How busy the server is, and how much of that is the agent: processor and memory.

Source: proc(5), /proc/stat, /proc/meminfo, /proc/self/statm.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Load:
    """Shares of all processors in per cent since the last look, memory in MiB. None where it can't be told."""

    total_cpu: float | None = None
    agent_cpu: float | None = None
    total_memory_mb: float | None = None
    agent_memory_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """The server's memory in KiB; what can be had at any time doesn't count as used."""

    used_kb: int
    total_kb: int


def read_memory(proc: Path) -> Memory | None:
    """Return how full the server's memory is; None where it can't be told."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
        return Memory(sizes["MemTotal"] - sizes["MemAvailable"], sizes["MemTotal"])
    except (OSError, ValueError, LookupError):
        return None


class LoadMeter:
    """Measures the load between two calls."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._last_machine = self._machine()
        self._last_agent = _agent()

    def __call__(self) -> Load:
        """Return the load since the last call."""
        machine, agent, memory = self._machine(), _agent(), read_memory(self._proc)
        load = Load(
            total_cpu=_share(machine, self._last_machine),
            agent_cpu=_share(agent, self._last_agent),
            total_memory_mb=None if memory is None else round(memory.used_kb / 1024, 1),
            agent_memory_mb=self._agent_memory(),
        )
        self._last_machine, self._last_agent = machine, agent
        return load

    def _machine(self) -> tuple[float, float] | None:
        """Return busy and total ticks of all processors since boot."""
        try:
            fields = (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]
            ticks = [float(field) for field in fields]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    def _agent_memory(self) -> float | None:
        try:
            pages = int((self._proc / "self/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _agent() -> tuple[float, float]:
    """Return processor seconds of this process, and the seconds that all processors had meanwhile."""
    return time.process_time(), time.monotonic() * (os.cpu_count() or 1)


def _share(now: tuple[float, float] | None, before: tuple[float, float] | None) -> float | None:
    if now is None or before is None or now[1] <= before[1]:
        return None
    return round(max(0.0, min(100.0, 100 * (now[0] - before[0]) / (now[1] - before[1]))), 1)
