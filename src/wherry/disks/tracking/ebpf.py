"""The channel that remembers while nobody drains: a BPF program that marks granules in a map, both pinned.

The map is mapped into this process, so that reading the marks costs no system call. Program and map stay as long as
their pins do. Map, program and link belong to one disk.
Needs Linux 5.7 with BTF (pinned links of typed tracepoints), root, and a bpffs.
"""

import contextlib
import ctypes
import mmap
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wherry.disks.tracking import bpf_calls
from wherry.disks.tracking.bpf_program import (
    BEYOND_AT,
    COARSE_SHIFT,
    EPOCH_AT,
    PAGE,
    PASSTHROUGH_AT,
    REQUESTS_AT,
    SCATTERED_AT,
    SECTORS_AT,
    TRACEPOINT,
    MapShape,
    RequestOffsets,
    marking_program,
    request_offsets,
)
from wherry.disks.tracking.btf import TYPEDEF, TypeInformation, TypeUnknown
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.marks import Granules, dirty, dirty_values, value_of

_TYPES = Path("/sys/kernel/btf/vmlinux")
_LAYOUT = 1
"""Version of the map and the program, part of the pins' names: a newer agent doesn't take an older map over."""

_SMALLEST_GRANULE = 64 * 1024
"""With smaller ones the marks of a request could be more than the program's loop has turns."""

_MEMBARRIER = {"x86_64": 324, "ppc64le": 365, "s390x": 356}
_MEMBARRIER_ELSEWHERE = 283
_MEMBARRIER_GLOBAL = 1

_libc = ctypes.CDLL(None, use_errno=True)


class ProgramRefused(OSError):
    """This kernel can't run the program, or doesn't let us load it."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the program counted since it was loaded."""

    sectors: int
    requests: int
    scattered: int
    """Discards of several ranges."""
    beyond: int
    """Requests behind the end of the disk."""
    passthrough: int
    """Commands with data to the disk that went past the block layer."""


class MarkingProgram:
    """The program, map and link of one disk."""

    def __init__(self, pins: Path, name: str, disk: TrackedDisk, epoch: int, *, adopt: bool = True) -> None:
        """Load the program and pin it in the folder *pins*; or *adopt* the one pinned there. It marks with *epoch*.

        Raises ProgramRefused.
        """
        if disk.granule_size < _SMALLEST_GRANULE or disk.granule_size & (disk.granule_size - 1):
            raise ValueError(f"granules of {disk.granule_size} bytes")
        self.shape = MapShape(disk.granules)
        major, minor = disk.device
        stem = f"{name}-{_LAYOUT}-{major}-{minor}"
        self._map_pin, self._link_pin = pins / f"{stem}-map", pins / f"{stem}-link"
        self._map: mmap.mmap | None = None
        self._bytes: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self._numbers: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
        self._descriptors: list[int] = []
        try:
            self.adopted = adopt and self._adopt()
            if not self.adopted:
                self._remove_pins()
                self._load(disk, epoch)
            self.begin_epoch(epoch)
        except (OSError, TypeUnknown, ValueError) as error:
            self.close()
            raise ProgramRefused(_reason(error)) from error

    def begin_epoch(self, epoch: int) -> None:
        """Let marks have the value of *epoch*. A program that runs already may still write the one before."""
        self._bytes[EPOCH_AT] = value_of(epoch)

    def counters(self) -> Counters:
        """Return what was counted."""
        return Counters(
            sectors=self._counter(SECTORS_AT),
            requests=self._counter(REQUESTS_AT),
            scattered=self._counter(SCATTERED_AT),
            beyond=self._counter(BEYOND_AT),
            passthrough=self._counter(PASSTHROUGH_AT),
        )

    def sectors(self) -> int:
        """Return the sectors that were counted."""
        return self._counter(SECTORS_AT)

    def dirty(self, floor: int, last: int) -> Granules:
        """Return which granules have a mark of the epochs after *floor* up to *last*."""
        shape = self.shape
        found = dirty(self._bytes[shape.fine_at : shape.fine_at + shape.granules], floor, last)
        coarse = dirty_values(floor, last)[self._bytes[shape.coarse_at : shape.coarse_at + shape.coarse]]
        for block in np.flatnonzero(coarse).tolist():
            found[block << COARSE_SHIFT : (block + 1) << COARSE_SHIFT] = True
        return found

    def close(self) -> None:
        """Let go of it; what is pinned stays and goes on marking."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        self._bytes, self._numbers = np.empty(0, np.uint8), np.empty(0, np.uint64)
        if self._map is not None:
            with contextlib.suppress(BufferError):  # somebody still looks at it; it goes with him
                self._map.close()
            self._map = None

    def remove(self) -> None:
        """Close it and let it end."""
        self.close()
        self._remove_pins()

    def _counter(self, place: int) -> int:
        return int(self._numbers[place // 8])

    def _adopt(self) -> bool:
        if not (self._map_pin.exists() and self._link_pin.exists()):
            return False
        descriptors = [bpf_calls.open_pin(self._map_pin), bpf_calls.open_pin(self._link_pin)]
        self._descriptors = descriptors
        self._map_memory(descriptors[0])
        return True

    def _load(self, disk: TrackedDisk, epoch: int) -> None:
        offsets, target = _kernel_facts()
        made = bpf_calls.create_array("wherry_marks", PAGE, self.shape.pages)
        self._descriptors.append(made)
        self._map_memory(made)
        self.begin_epoch(epoch)  # before the first mark is made
        code = marking_program(offsets, self.shape, disk.device, made, disk.granule_shift)
        program = bpf_calls.load_tracing_program("wherry_mark", code, target)
        try:
            link = bpf_calls.attach_raw_tracepoint(program)
        finally:
            os.close(program)
        self._descriptors.append(link)
        try:
            bpf_calls.pin(made, self._map_pin)
            bpf_calls.pin(link, self._link_pin)
        except OSError:
            self._remove_pins()
            raise

    def _map_memory(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, self.shape.pages * PAGE)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._numbers = np.frombuffer(self._map, np.uint64, PAGE // 8)

    def _remove_pins(self) -> None:
        for path in (self._link_pin, self._map_pin):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def remove_pins(pins: Path, name: str) -> None:
    """Remove all pins of the tracker called *name*, of any version, from the folder *pins*."""
    ours = re.compile(re.escape(name) + r"-\d+-\d+-\d+-(map|link)")
    with contextlib.suppress(OSError):
        for path in pins.iterdir():
            if ours.fullmatch(path.name):
                path.unlink()


def await_programs() -> bool:
    """Wait until every BPF program that runs now has ended. Returns whether the kernel could do that.

    A global memory barrier waits for all of the kernel's RCU readers, and programs are such readers.
    """
    number = _MEMBARRIER.get(platform.machine(), _MEMBARRIER_ELSEWHERE)
    return bool(_libc.syscall(ctypes.c_long(number), _MEMBARRIER_GLOBAL, 0, 0) == 0)


@cache
def _kernel_facts() -> tuple[RequestOffsets, int]:
    """Return what the kernel's types tell; they don't change while it runs."""
    types = TypeInformation(_TYPES.read_bytes())
    return request_offsets(types), types.find(TYPEDEF, f"btf_trace_{TRACEPOINT}")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename == str(_TYPES):
        return "the kernel doesn't describe its types (it was built without CONFIG_DEBUG_INFO_BTF)"
    if isinstance(error, PermissionError):
        return f"the kernel doesn't permit it, or its verifier refuses the program: {error}"
    return str(error)
