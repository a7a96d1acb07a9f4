"""The channel that is drained all the time: an instance of the kernel's tracing of our own.

An instance has its own rings, filter and clock, so that nobody else's tracing is touched or touches ours. When a ring
is full, new events are dropped and counted by the kernel (`overwrite` is off): nothing gets lost unnoticed. The
instance outlives the process and goes on recording.
Sources: Linux Documentation/trace/ftrace.rst ("Instances"), Documentation/trace/events.rst ("Event filtering").
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from wherry.disks.tracking.batch import Batch
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.ringbuffer import (
    CompletionDecoder,
    Completions,
    parse_event_format,
    parse_page_format,
)

_EVENT = Path("events/block/block_rq_complete")
_CLOCK = "mono"
"""The clock of time.monotonic_ns(), so that events and the reading of statistics can be put in order."""
_PRESENT = Path("/sys/devices/system/cpu/present")
"""The CPUs that are there; an instance has rings for all that may ever be."""
_PAGES_A_READ = 128
_COUNTS = ("overrun", "commit overrun", "dropped events")
"""Of what a ring says about itself: events that it lost for want of room."""

_SMALLEST_RING, _LARGEST_RING = 1 << 20, 32 << 20
_MEMORY_SHARE = 32
"""All rings together take at most this part of the memory."""


class TracingRefused(OSError):
    """The kernel has no such tracing, or doesn't let us use it."""


def ring_size(cpus: int, memory: int) -> int:
    """Return how many bytes the ring of each CPU should have, for a machine with so many CPUs and bytes of memory.

    An event takes 56 bytes, so that the largest ring holds 600,000 of them; 1 MiB holds 18,700, more than a CPU
    completes within a draining interval.
    """
    return max(_SMALLEST_RING, min(_LARGEST_RING, memory // _MEMORY_SHARE // max(1, cpus)))


def change_filter(disks: Iterable[TrackedDisk]) -> str:
    """Return the filter for whatever changes one of *disks*.

    It's "not a read", never "a write": zeroing shows as neither.
    """
    numbers = sorted(disk.kernel_number for disk in disks)
    any_disk = " || ".join(f"dev == {number}" for number in numbers) or "dev == 0"
    return f'({any_disk}) && nr_sector > 0 && !(rwbs ~ "R*")'


class TraceInstance:
    """Our instance. Not for several threads at once."""

    def __init__(
        self, tracefs: Path, name: str, ring_bytes: int, disks: Iterable[TrackedDisk], batch_path: Path | None = None
    ) -> None:
        """Take the instance over if it's there, else make it; it watches *disks* from now on.

        *ring_bytes* is the size of each CPU's ring in bytes, for a new instance. In the file *batch_path* the events
        that are being taken in outlive the process. Raises TracingRefused.
        """
        self.path = tracefs / "instances" / name
        self.adopted = self.path.is_dir()
        self._pipes: dict[str, int] = {}
        self._opened = contextlib.ExitStack()
        try:
            if sys.byteorder != "little":
                raise TracingRefused("rings of big-endian machines aren't understood")
            if not self.adopted:
                self.path.mkdir()
                self._write("options/overwrite", "0")
                # Names of processes are of no use here, and cost something at each switch from one to another.
                with contextlib.suppress(FileNotFoundError):
                    self._write("options/record-cmd", "0")
                self._choose_clock()
                self._write("buffer_size_kb", str(ring_bytes >> 10))
            self.has_clock = f"[{_CLOCK}]" in self._read("trace_clock")
            self._decoder = CompletionDecoder(
                parse_page_format((tracefs / "events/header_page").read_text()),
                parse_event_format(self._read(_EVENT / "format")),
            )
            self._watch(disks)
            self._batch = Batch(batch_path, self._decoder.page.size, _PAGES_A_READ)
            self._opened.callback(self._batch.close)
            self.open_rings()
        except (OSError, ValueError) as error:
            self.close()
            if not self.adopted:
                remove_instance(tracefs, name)
            raise TracingRefused(f"{self.path.name}: {error}") from error

    @property
    def rings(self) -> int:
        """How many rings there are: one a CPU."""
        return len(self._pipes)

    def left_over(self) -> tuple[Completions, bool]:
        """Return the events that a process which was killed had taken out and perhaps not marked."""
        return self._decoder.decode(self._batch.left_over())

    def drain(self, before: Callable[[], None] = lambda: None) -> Iterator[tuple[Completions, bool]]:
        """Yield what the rings hold, and whether something was lost before it, until each was empty once.

        *before* is called before events are taken out. What has been yielded is gone from the ring, so use it before
        asking for more. Raises OSError.
        """
        for pipe in self._pipes.values():
            count = _PAGES_A_READ
            while count == _PAGES_A_READ:
                before()
                with self._batch.under_way():
                    count = self._fill(pipe)
                    self._batch.note_used(count)
                    if count:
                        yield self._decoder.decode(self._batch.pages[:count])

    def dropped(self) -> int:
        """Return how many events the rings have dropped since the instance is there. Raises OSError."""
        return sum(dropped_events(self._read(Path("per_cpu") / cpu / "stats")) for cpu in self._pipes)

    def open_rings(self) -> None:
        """Open the rings of the CPUs that are there and weren't before. Raises OSError, ValueError."""
        present = parse_cpus(_PRESENT.read_text())
        for cpu in (f"cpu{number}" for number in present):
            if cpu not in self._pipes:
                ring = self.path / "per_cpu" / cpu / "trace_pipe_raw"
                self._pipes[cpu] = os.open(ring, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                self._opened.callback(os.close, self._pipes[cpu])

    def close(self) -> None:
        """Let go of the instance, which goes on recording."""
        self._pipes = {}
        self._opened.close()

    def _fill(self, pipe: int) -> int:
        """Read pages until all of the batch is full or the ring is empty; return how many."""
        for count, page in enumerate(self._batch.pages):
            try:
                if not os.readv(pipe, [page]):
                    return count
            except BlockingIOError:
                return count
        return _PAGES_A_READ

    def _watch(self, disks: Iterable[TrackedDisk]) -> None:
        wanted = change_filter(disks)
        if self._read(_EVENT / "filter").strip() != wanted:
            self._write(_EVENT / "filter", wanted)
        if self._read(_EVENT / "enable").strip()[:1] != "1":
            self._write(_EVENT / "enable", "1")
        if self._read("tracing_on").strip() != "1":
            self._write("tracing_on", "1")

    def _choose_clock(self) -> None:
        if _CLOCK in self._read("trace_clock").replace("[", " ").replace("]", " ").split():
            self._write("trace_clock", _CLOCK)

    def _read(self, name: str | Path) -> str:
        return (self.path / name).read_text()

    def _write(self, name: str | Path, text: str) -> None:
        # One write, and nothing truncated or created: these are no files.
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def remove_instance(tracefs: Path, name: str) -> None:
    """Remove the instance called *name* and what it holds, if it's there. Raises OSError while it's open."""
    with contextlib.suppress(FileNotFoundError):
        (tracefs / "instances" / name).rmdir()


def parse_cpus(text: str) -> list[int]:
    """Return the numbers of a list of CPUs such as "0-3,8". Raises ValueError."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        found += range(int(first), int(last if dash else first) + 1)
    return found


def dropped_events(stats: str) -> int:
    """Return the events that a ring lost, from the content of its `stats`."""
    found = dict(re.findall(r"^([a-z ]+): (\d+)$", stats, re.MULTILINE))
    return sum(int(found.get(name, 0)) for name in _COUNTS)
