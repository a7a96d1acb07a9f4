"""Which ways of tracking work on this server and why the others don't: facts, for the agent's owner.

Everything is tried, not guessed: a trace instance and a BPF program are made and removed again. With `listen_s` the
disks are watched for a while, so that it shows whether the channels see all that the statistics count.
"""

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.disks.sysblock import disks_beneath, kernel_name, size_of
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.diskstats import queue_facts
from wherry.disks.tracking.ebpf import MarkingProgram, ProgramRefused, await_programs
from wherry.disks.tracking.ftrace import TraceInstance, TracingRefused
from wherry.disks.tracking.kernel_folders import BPFFS_PLACE, is_memory, open_bpffs
from wherry.disks.tracking.remains import Remains, memory_folder, trace_folder
from wherry.disks.tracking.tracker import Tracker, TrackerOptions
from wherry.errors import WherryError

_RING_BYTES = 64 * 1024
_NO_DISK = TrackedDisk(0, 0, 1 << 20)
"""Device number 0 is no disk's, so that nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One way of tracking, or what all of them need."""

    name: str
    works: bool
    reason: str
    """Why it doesn't work, "" when it does."""
    facts: tuple[tuple[str, str], ...] = ()
    """What is worth knowing besides, as pairs of name and value."""


@dataclass(frozen=True, slots=True)
class DiskFinding:
    """One disk."""

    name: str
    works: bool
    reason: str
    """Why it can't be tracked, "" when it can."""
    beneath: tuple[str, ...]
    """The disks that it's made of, when it's made of others: those can be tracked."""
    heard: tuple[tuple[str, str], ...] = ()
    """What each channel said of the disk while it was listened to."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings."""

    kernel: str
    machine: str
    channels: tuple[Finding, ...]
    """The ways of tracking; one that works is enough."""
    memory: Finding
    """Where the marks are kept, whichever way they're made."""
    disks: tuple[DiskFinding, ...]

    @property
    def works(self) -> bool:
        """Whether the changes of every disk can be tracked, of which there is one; else passes are digest scans."""
        channel = self.memory.works and any(each.works for each in self.channels)
        return channel and bool(self.disks) and all(disk.works for disk in self.disks)


def examine(disks: Sequence[Path], listen_s: float = 0.0) -> Diagnosis:
    """Try the channels, and look at *disks* (paths of block devices). Needs root to be of use."""
    name = f"doctor-{os.getpid()}"
    return Diagnosis(
        kernel=os.uname().release,
        machine=platform.machine(),
        channels=(_examine_ftrace(name), _examine_ebpf(name)),
        memory=_examine_memory(),
        disks=tuple(_examine_disk(path, name, listen_s) for path in disks),
    )


def _examine_ftrace(name: str) -> Finding:
    remains = Remains(name, memory_folder(name))
    try:
        with trace_folder() as tracefs:
            try:
                instance = TraceInstance(tracefs, remains.kernel_name, _RING_BYTES, [_NO_DISK])
            except TracingRefused as error:
                return Finding("ftrace", works=False, reason=str(error))
            try:
                facts = (
                    ("tracefs", "mounted for the agent alone" if str(tracefs).startswith("/proc") else str(tracefs)),
                    ("clock", "mono" if instance.has_clock else "local: checked in quiet moments only"),
                    ("rings", str(instance.rings)),
                )
            finally:
                instance.close()
                remains.remove_channels()
    except OSError as error:
        return Finding("ftrace", works=False, reason=f"there is no tracefs: {error}")
    return Finding("ftrace", works=True, reason="", facts=facts)


def _examine_ebpf(name: str) -> Finding:
    with tempfile.TemporaryDirectory(prefix="wherry-doctor-") as folder:
        remains = Remains(name, Path(folder) / "memory")
        try:
            pins = open_bpffs(remains.own_bpffs)
        except OSError as error:
            return Finding("ebpf", works=False, reason=f"there is no bpffs to pin maps in: {error}")
        began = time.monotonic()
        try:
            program = MarkingProgram(pins, remains.kernel_name, _NO_DISK, epoch=1, adopt=False)
        except ProgramRefused as error:
            return Finding("ebpf", works=False, reason=str(error))
        else:
            took_ms = round((time.monotonic() - began) * 1000)
            program.remove()
        finally:
            with contextlib.suppress(OSError):
                remains.remove_channels()
        facts = (
            ("bpffs", str(BPFFS_PLACE) if pins == BPFFS_PLACE else "mounted for the agent alone"),
            ("load", f"{took_ms} ms"),
            ("waits for programs", "yes" if await_programs() else "no: granules may be looked at twice"),
        )
        return Finding("ebpf", works=True, reason="", facts=facts)


def _examine_memory() -> Finding:
    folder = memory_folder("")
    found = next(place for place in (folder, *folder.parents) if place.exists())
    works = is_memory(found)
    reason = "" if works else f"{found} lies on a disk, and the memory of the tracker mustn't"
    return Finding("memory", works=works, reason=reason, facts=(("folder", str(folder)),))


def _examine_disk(path: Path, name: str, listen_s: float) -> DiskFinding:
    try:
        number = path.stat().st_rdev
    except OSError as error:
        return DiskFinding(str(path), works=False, reason=error.strerror or str(error), beneath=())
    if not number:
        return DiskFinding(str(path), works=False, reason="it's no block device: image files are scanned", beneath=())
    below = tuple(kernel_name(disk) for disk in disks_beneath(number) if disk != number)
    reason = _obstacle(number, below)
    heard = tuple(_listen(number, name, listen_s)) if listen_s and not reason else ()
    return DiskFinding(str(path), works=not reason, reason=reason, beneath=below, heard=heard)


def _obstacle(device_number: int, beneath: Sequence[str]) -> str:
    if beneath:
        return f"it's made of {', '.join(beneath)}, which can be tracked instead"
    facts = queue_facts(device_number)
    if not facts.obstacle and not facts.statistics:
        return "the kernel keeps no statistics of it: switch them on by writing 1 to its queue/iostats"
    return facts.obstacle


def _listen(device_number: int, name: str, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield what each channel alone says of the disk after so many seconds."""
    disk = TrackedDisk(0, device_number, size_of(device_number))
    for channel in ("ftrace", "ebpf"):
        options = TrackerOptions(ftrace=channel == "ftrace", ebpf=channel == "ebpf", ring_bytes=8 << 20)
        with Tracker(name, [disk], options) as tracker:
            try:
                yield channel, _hear(tracker, seconds)
            except WherryError as error:
                yield channel, error.message
            finally:
                tracker.discard()


def _hear(tracker: Tracker, seconds: float) -> str:
    tracker.begin()
    tracker.commit(tracker.cut().epoch)
    time.sleep(seconds)
    dirty = tracker.cut().disks[0]
    if not dirty.trusted:
        return dirty.reason
    granules = f"{int(dirty.granules.sum())} granules were written"
    return f"{granules}, not a sector was missed" if dirty.trust.exact else f"{granules}, too busy to compare exactly"
