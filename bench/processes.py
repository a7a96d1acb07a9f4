"""What running processes have used, from /proc: CPU time and memory of a process and all of its children."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds (user and system) of *pid*, its living children, and those that have ended."""
    return sum(_cpu_of(process) for process in tree(pid))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of *pid* and its living children together."""
    pages = 0
    for process in tree(pid):
        pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> Iterator[int]:
    """Yield *pid* and the processes below it."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended has no children
            for child in (thread / "children").read_text().split():
                yield from tree(int(child))


def _cpu_of(pid: int) -> float:
    # Behind the program's name, which may hold spaces: utime, stime, and those of children that were waited for.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS
