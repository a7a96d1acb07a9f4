"""What the kernel counts of a disk, to be held against what the channels saw.

The kernel adds a request's sectors right after it has traced the request's completion, so that whatever is counted
here was traced before.
Source: Linux Documentation/ABI/stable/sysfs-block and Documentation/admin-guide/iostats.rst; block/blk-mq.c.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SECTOR_SIZE = 512

_SYS = Path("/sys")
_WRITTEN, _DISCARDED = 6, 13
"""Places of the sectors in /sys/block/X/stat. Discards are counted apart since Linux 4.18, as writes before."""


@dataclass(frozen=True, slots=True)
class DiskCounters:
    """The counters of one disk, in sectors of 512 bytes."""

    written: int
    discarded: int

    @property
    def changed(self) -> int:
        """Sectors written or discarded since the disk is there."""
        return self.written + self.discarded


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What of a disk's request queue decides whether it can be tracked."""

    requests: bool
    """Whether its driver works with block requests at all; device mapper, md and zram don't."""
    statistics: bool
    """Whether the kernel keeps statistics of it (`queue/iostats`)."""
    discard_ranges: int
    """How many ranges one discard may have, 1 before Linux 4.11. More than 1 hides where a discard went."""
    zoned: bool
    """Whether it's a zoned disk."""

    @property
    def obstacle(self) -> str:
        """Why it can't be tracked, "" when it can."""
        if not self.requests:
            return "its driver reports no block requests (those of LVM, md, zram and partitions don't)"
        return "it's a zoned disk, which chooses itself where appended data go" if self.zoned else ""


def parse_stat(text: str) -> DiskCounters:
    """Parse the content of /sys/block/X/stat. Raises ValueError when it's in another format."""
    numbers = [int(field) for field in text.split()]
    if len(numbers) <= _WRITTEN:
        raise ValueError(f"{len(numbers)} numbers in the statistics of a disk")
    return DiskCounters(numbers[_WRITTEN], numbers[_DISCARDED] if len(numbers) > _DISCARDED else 0)


def parse_inflight(text: str) -> int:
    """Parse /sys/block/X/inflight and return the writes and discards that are under way. Raises ValueError."""
    reads, writes = text.split()
    int(reads)
    return int(writes)


class Statistics(Protocol):
    """The statistics of one disk, to be read over and over."""

    def counters(self) -> DiskCounters:
        """Return the counters now. Raises OSError when the disk went away."""

    def writes_in_flight(self) -> int:
        """Return how many writes and discards are under way now. Raises OSError when the disk went away."""

    def are_kept(self) -> bool:
        """Return whether the kernel keeps them now. Raises OSError when the disk went away."""

    def close(self) -> None:
        """Release it."""


class DiskStatistics:
    """The statistics of one disk, kept open, so that a frozen filesystem is in nobody's way."""

    def __init__(self, device_number: int, sys: Path = _SYS) -> None:
        """Raises OSError when there is no such disk."""
        self.folder = sys / "dev/block" / f"{os.major(device_number)}:{os.minor(device_number)}"
        self._stat = os.open(self.folder / "stat", os.O_RDONLY | os.O_CLOEXEC)
        self._inflight = os.open(self.folder / "inflight", os.O_RDONLY | os.O_CLOEXEC)
        self._kept = os.open(self.folder / "queue/iostats", os.O_RDONLY | os.O_CLOEXEC)

    def counters(self) -> DiskCounters:
        """Return the counters now. Raises OSError when the disk went away."""
        return parse_stat(os.pread(self._stat, 1024, 0).decode())

    def writes_in_flight(self) -> int:
        """Return how many writes and discards are under way now. Raises OSError when the disk went away."""
        return parse_inflight(os.pread(self._inflight, 128, 0).decode())

    def are_kept(self) -> bool:
        """Return whether the kernel keeps them now (`queue/iostats`). Raises OSError when the disk went away."""
        return os.pread(self._kept, 16, 0).strip() == b"1"

    def close(self) -> None:
        """Release it."""
        for descriptor in (self._stat, self._inflight, self._kept):
            os.close(descriptor)


def queue_facts(device_number: int, sys: Path = _SYS) -> QueueFacts:
    """Return what the queue of a disk is like. What the kernel doesn't tell counts as bad news."""
    folder = sys / "dev/block" / f"{os.major(device_number)}:{os.minor(device_number)}"
    queue = folder / "queue"
    # Before 5.0 a disk may have a request queue of the old kind, which always had a scheduler to choose.
    requests = (folder / "mq").is_dir() or "[" in _text(queue / "scheduler")
    ranges = _text(queue / "max_discard_segments")
    return QueueFacts(
        requests=requests,
        statistics=_text(queue / "iostats") == "1",
        discard_ranges=int(ranges) if ranges.isdigit() else 1,
        zoned=_text(queue / "zoned") not in {"", "none"},
    )


def disk_sequence(device_number: int, sys: Path = _SYS) -> int:
    """Return the number that the kernel gave to this disk and no other since it started; 0 before Linux 5.15."""
    folder = sys / "dev/block" / f"{os.major(device_number)}:{os.minor(device_number)}"
    text = _text(folder / "diskseq")
    return int(text) if text.isdigit() else 0


def boot_id() -> str:
    """Return what names this run of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
