"""Which processes write most, for a forecast that doesn't converge.

The events of block requests can't tell: a request completes in whatever process is running then, and is issued by the
kernel's own threads when it was written through the page cache. So it's what the kernel has charged to each process
when it dirtied pages or wrote directly (/proc/PID/io). That counts all disks together, and network filesystems too.
Source: proc(5), section /proc/pid/io; Linux Documentation/filesystems/proc.rst.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LINE = re.compile(r"^(\w+): (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Charged:
    """What a process wrote in its life."""

    name: str
    written_bytes: int
    started: int
    """When it began, in the kernel's ticks: a process number may be given again."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that wrote between two samples."""

    pid: int
    name: str
    written_bytes: int


def sample(proc: Path = _PROC) -> Mapping[int, Charged]:
    """Return what each process has written so far. Processes that may not be looked at are left out."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            charged = _charged(folder)
            if charged is not None:
                found[int(folder.name)] = charged
    return found


def busiest(before: Mapping[int, Charged], after: Mapping[int, Charged], most: int = 5) -> list[Writer]:
    """Return who wrote most between two samples, the busiest first. Who ended in between isn't among them."""
    return _most(
        (
            Writer(pid, now.name, now.written_bytes - _earlier(before.get(pid), now))
            for pid, now in after.items()
            if now.written_bytes > _earlier(before.get(pid), now)
        ),
        most,
    )


def _most(writers: Iterable[Writer], most: int) -> list[Writer]:
    return sorted(writers, key=lambda writer: (-writer.written_bytes, writer.pid))[:most]


def _earlier(before: Charged | None, now: Charged) -> int:
    return before.written_bytes if before is not None and before.started == now.started else 0


def _charged(folder: Path) -> Charged | None:
    try:
        counts = dict(_LINE.findall((folder / "io").read_text()))
        # The name stands in parentheses and may hold anything, parentheses too.
        stat = (folder / "stat").read_text()
        head, _, tail = stat.rpartition(")")
        name = head.partition("(")[2]
        # What was dirtied and thrown away before it was written is taken back from it.
        written = int(counts["write_bytes"]) - int(counts["cancelled_write_bytes"])
        return Charged(name, max(0, written), int(tail.split()[19]))
    except (OSError, KeyError, IndexError, ValueError):
        return None
