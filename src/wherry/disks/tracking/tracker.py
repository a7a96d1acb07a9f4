"""Tracking of what is written to the disks: cut, copy, commit, over and over, with a verdict at each cut.

`begin` before the used-block maps are read. `cut` ends an epoch and says what was written since the last commit; what
is written meanwhile belongs to the next epoch. When all of that has been copied, read after the cut, `commit` it.
Nothing is forgotten before. When the filesystems are frozen, `drain` is a cut that waits until nothing is under way.

The memory is in files below /run, in a trace instance and in pinned BPF maps, all named after the tracker: another
process that makes a tracker of the same name goes on where this one was. `discard` removes all of them.
"""

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from types import TracebackType
from typing import Self

from wherry.disks.extents import Extent
from wherry.disks.tracking import marks
from wherry.disks.tracking.blocks import BlockMarks
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.diskstats import DiskStatistics, boot_id, disk_sequence, queue_facts
from wherry.disks.tracking.ebpf import MarkingProgram, ProgramRefused, await_programs
from wherry.disks.tracking.ftrace import TraceInstance, TracingRefused, ring_size
from wherry.disks.tracking.kernel_folders import TraceFolder, open_bpffs
from wherry.disks.tracking.marks import Granules
from wherry.disks.tracking.memory import DiskMemory, Identity
from wherry.disks.tracking.ownership import Claim
from wherry.disks.tracking.remains import Remains, memory_folder
from wherry.disks.tracking.trust import Reason, Trust
from wherry.disks.tracking.watched import WatchedDisk, untrusted
from wherry.errors import WherryError

__all__ = ["Cut", "Dirty", "TrackedDisk", "Tracker", "TrackerOptions", "TrackingUnavailable"]

_SETTLE_PAUSE_S = 0.001
_BASELINE_LIMIT_S = 2.0


class TrackingUnavailable(WherryError):
    """No change can be tracked on this server: passes have to be digest scans."""

    code = "WHERRY.1040"
    template = "Changes can't be tracked: {reason}."
    default_cause = "The kernel offers neither ftrace nor eBPF to the agent, or the disk's driver reports no requests."
    default_fix = "Nothing has to be done: each pass looks at all used blocks. `wherry agent doctor` tells more."


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How a tracker works.

    ring_bytes: of the ring of each CPU; None for a size that fits the server. interval_s: how often it's drained.
    ftrace, ebpf: which channels are used where the kernel has them. folder: where the memory lies, None for the usual
    place; it must not be on a disk. settle_s: how long a cut may look for a quiet moment to compare the statistics.
    owner: the folder without which nobody will go on with what is left behind; None where nothing is.
    """

    ring_bytes: int | None = None
    interval_s: float = 0.2
    ftrace: bool = True
    ebpf: bool = True
    folder: Path | None = None
    settle_s: float = 0.1
    owner: Path | None = None


DEFAULT_OPTIONS = TrackerOptions()


@dataclass(frozen=True, slots=True)
class Dirty:
    """What was written to one disk."""

    disk: TrackedDisk
    granules: Granules
    """For each granule whether it was written since the last commit, as far as it was seen."""
    fresh: Granules
    """The same since the last cut."""
    trust: Trust
    blocks: BlockMarks | None = None
    """Which blocks of the granules were written since the last commit; None where only the granules are known."""

    @property
    def trusted(self) -> bool:
        """Whether these are all; if not, everything has to be looked at."""
        return self.trust.trusted

    @property
    def reason(self) -> str:
        """Why they can't be trusted, as a sentence for the operator; "" when they can."""
        detail = f": {self.trust.detail}" if self.trust.detail else ""
        return f"{self.trust.reason.value}{detail}"

    def extents(self) -> list[Extent]:
        """Return the granules as extents of the disk."""
        runs = marks.granule_extents(self.granules, self.disk.granule_size, self.disk.size)
        return [Extent(offset, length) for offset, length in runs]


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of an epoch."""

    epoch: int
    """To be committed when all that is dirty has been copied."""
    disks: Mapping[int, Dirty]
    """By the disks' indexes."""

    @property
    def trusted(self) -> bool:
        """Whether the marks of all disks can be trusted."""
        return all(dirty.trusted for dirty in self.disks.values())

    @property
    def granules(self) -> dict[int, Granules]:
        """What was written to the disks that can be trusted; the others have to be looked at as a whole."""
        return {index: dirty.granules for index, dirty in self.disks.items() if dirty.trusted}

    @property
    def blocks(self) -> dict[int, BlockMarks]:
        """Which blocks of these granules were written, of the disks where that is known."""
        found = {index: dirty.blocks for index, dirty in self.disks.items() if dirty.trusted}
        return {index: blocks for index, blocks in found.items() if blocks is not None}

    @property
    def exact(self) -> bool:
        """Whether besides that the sectors of all disks agree with the statistics, to the last one."""
        return all(dirty.trust.exact for dirty in self.disks.values())


class Tracker:
    """Tracks several disks. Its methods are for one thread; a thread of its own drains the ring."""

    def __init__(self, name: str, disks: Sequence[TrackedDisk], options: TrackerOptions = DEFAULT_OPTIONS) -> None:
        """*name* has to be the same for the next process to go on, and no other tracker's on this server."""
        self.disks = tuple(disks)
        self.options = options
        self.obstacles: dict[str, str] = {}
        """Why a channel ("ftrace", "ebpf") or a disk (by its index) isn't used."""
        self.resumed = False
        """Whether the memory of another process was taken over for all disks."""
        self._remains = Remains(name, memory_folder(name) if options.folder is None else options.folder)
        self._claim: Claim | None = None
        self._watched: dict[int, WatchedDisk] = {}
        self._tracefs: TraceFolder | None = None
        self._pins: Path | None = None
        self._instance: TraceInstance | None = None
        self._epoch = 1
        self._failure = ""
        self._missed = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    # --- life --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin to track, or go on with what the last process of this name left.

        Everything that is written after it has returned is tracked. Raises TrackingUnavailable.
        """
        try:
            self._open_memories()
            if self._watched:
                self._open_programs()
                self._open_instance()
            self._check_channels()
            self._begin_comparing()
        except BaseException:
            self.close()
            raise
        if self._instance is not None:
            self._thread = threading.Thread(target=self._keep_draining, name="tracker", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End, but leave the channels recording for the next process of this name."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            if self._instance is not None:
                with contextlib.suppress(OSError):
                    self._drain()
                self._instance.close()
                self._instance = None
            for watched in self._watched.values():
                watched.close()
            self._watched = {}
            if self._tracefs is not None:
                self._tracefs.close()
                self._tracefs = None
            if self._claim is not None:
                self._claim.release()
                self._claim = None

    def discard(self) -> None:
        """End, and remove everything that would let another process go on."""
        self.close()
        self._remains.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where its memory lies."""
        return self._remains.folder

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels in use: "ftrace", "ebpf" (that one perhaps not for every disk)."""
        ebpf = any(watched.program is not None for watched in self._watched.values())
        return (("ftrace",) if self._instance is not None else ()) + (("ebpf",) if ebpf else ())

    # --- passes ------------------------------------------------------------------------------------------------

    def cut(self) -> Cut:
        """End the epoch and return what was written since the last commit."""
        return self._cut(self.options.settle_s, quiet=False)

    def drain(self, limit_s: float = 1.0) -> Cut:
        """End the epoch while the filesystems are frozen: wait until nothing is under way and all events are in.

        After *limit_s* seconds it returns all the same: the marks of a disk that was busy until then aren't trusted.
        """
        return self._cut(limit_s, quiet=True)

    def commit(self, epoch: int) -> None:
        """Forget what was written up to the end of *epoch* (of a cut): it has been copied."""
        with self._lock:
            for watched in self._watched.values():
                watched.memory.commit(epoch)

    def _cut(self, limit_s: float, *, quiet: bool) -> Cut:
        with self._lock:
            verdicts = self._judge(limit_s, quiet=quiet)
            closing = self._epoch
            self._try_to_drain()
            self._begin_epoch(closing + 1)
        # A program that has looked up the epoch before it changed may still be about to mark. On frozen disks there is
        # none, and if there were, the ring has its event too; so don't spend frozen time on waiting for it.
        channels = self.channels
        overlap = "ebpf" in channels and not (quiet and "ftrace" in channels) and not await_programs()
        found: dict[int, Dirty] = {}
        for disk in self.disks:
            watched = self._watched.get(disk.index)
            if watched is None:
                nothing = marks.no_granules(disk.granules)
                found[disk.index] = Dirty(disk, nothing, nothing, untrusted(Reason.UNTRACKABLE))
                continue
            granules = watched.dirty(closing, overlap=overlap)
            alone = watched.floor >= closing - 1
            fresh = granules if alone else watched.dirty(closing, only_last=True, overlap=overlap)
            found[disk.index] = Dirty(disk, granules, fresh, verdicts[disk.index], watched.blocks(closing))
        return Cut(closing, found)

    # --- trust -------------------------------------------------------------------------------------------------

    def _judge(self, limit_s: float, *, quiet: bool, restarted: bool = False) -> dict[int, Trust]:
        """Compare all disks with their statistics and decide. What is decided is the past: comparing begins anew."""
        self._settle(limit_s, quiet=quiet, restarted=restarted)
        dropped, failure = self._dropped()
        self._failure = ""
        verdicts: dict[int, Trust] = {}
        for index, watched in self._watched.items():
            memory = watched.memory
            verdict = watched.judge(dropped=dropped, failure=failure, restarted=restarted, quiet=quiet)
            # That a disk isn't quiet is no loss; it only spoils this cut.
            if not verdict.trusted and verdict.reason is not Reason.BUSY:
                memory.suspect(verdict.reason, self._epoch)
            watched.take_baselines(dropped, trusted=verdict.trusted)
            watched.compare_anew()
            if memory.suspicion not in {Reason.NONE, verdict.reason}:
                verdict = untrusted(memory.suspicion)
            verdicts[index] = verdict
        return verdicts

    def _settle(self, limit_s: float, *, quiet: bool, restarted: bool) -> None:
        """Look at the statistics and drain, until each channel's comparison has an outcome or the time is up."""
        until = time.monotonic() + limit_s
        while True:
            waiting = [watched for watched in self._watched.values() if not watched.is_settled(restarted=restarted)]
            for watched in waiting:
                watched.look()
            self._try_to_drain()
            for watched in waiting:
                watched.weigh(quiet=quiet)
            settled = all(watched.is_settled(restarted=restarted) for watched in waiting)
            if settled or time.monotonic() >= until:
                return
            time.sleep(_SETTLE_PAUSE_S)

    def _dropped(self) -> tuple[int, str]:
        """Return what the rings dropped, and why they couldn't be read since the last verdict."""
        if self._instance is None:
            return 0, ""
        try:
            self._instance.open_rings()
            return self._instance.dropped() + self._missed, self._failure
        except (OSError, ValueError) as error:
            return 0, str(error)

    # --- draining ----------------------------------------------------------------------------------------------

    def _keep_draining(self) -> None:
        while not self._ending.wait(self.options.interval_s):
            with self._lock:
                # A disk that is never quiet has its baseline found by the way.
                seeking = [watched for watched in self._watched.values() if watched.seeks_baseline]
                for watched in seeking:
                    watched.look()
                self._try_to_drain()
                for watched in seeking:
                    watched.weigh(quiet=False)

    def _try_to_drain(self) -> None:
        try:
            self._drain()
        except OSError as error:
            self._failure = str(error)

    def _drain(self) -> None:
        if self._instance is None:
            return
        for completions, missed in self._instance.drain(self._note_batch):
            self._missed += int(missed)
            for watched in self._watched.values():
                watched.take(completions)

    def _note_batch(self) -> None:
        for watched in self._watched.values():
            watched.note_batch()

    def _take_left_over(self, instance: TraceInstance) -> None:
        """Take in what the last process had taken out of the ring when it was killed."""
        completions, missed = instance.left_over()
        self._missed += int(missed)
        if len(completions):
            for watched in self._watched.values():
                watched.undo_batch()
                watched.take(completions)

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        for watched in self._watched.values():
            watched.begin_epoch(epoch)
            if epoch - watched.floor > marks.WIDEST:
                watched.join(epoch)

    # --- beginning ---------------------------------------------------------------------------------------------

    def _open_memories(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.options.owner is not None:
            with contextlib.suppress(OSError):  # without it nobody clears up but the owner
                self._claim = Claim(self._remains, self.options.owner)
        running = boot_id()
        for disk in self.disks:
            facts = queue_facts(disk.device_number)
            if facts.obstacle:
                self.obstacles[str(disk.index)] = f"{disk}: {facts.obstacle}"
                continue
            identity = Identity(
                boot_id=running,
                device=disk.device,
                disk_sequence=disk_sequence(disk.device_number),
                size=disk.size,
                granule_size=disk.granule_size,
            )
            try:
                statistics = DiskStatistics(disk.device_number)
                memory = DiskMemory(self._remains.memory_path(disk), identity)
            except (OSError, ValueError) as error:
                self.obstacles[str(disk.index)] = str(error)
                continue
            self._watched[disk.index] = WatchedDisk(disk, memory, statistics, facts, None)
        known = [watched for watched in self._watched.values() if watched.memory.obstacle is Reason.NONE]
        self.resumed = len(known) == len(self.disks)
        if not known:
            with contextlib.suppress(OSError):
                self._remains.remove_channels()
        self._epoch = max((watched.epoch for watched in self._watched.values()), default=1)

    def _open_programs(self) -> None:
        if not self.options.ebpf:
            return
        try:
            self._pins = open_bpffs(self._remains.own_bpffs)
        except OSError as error:
            self.obstacles["ebpf"] = f"there is no bpffs to pin maps in: {error}"
            return
        for watched in self._watched.values():
            known = watched.memory.obstacle is Reason.NONE
            try:
                program = MarkingProgram(self._pins, self._remains.kernel_name, watched.disk, self._epoch, adopt=known)
            except ProgramRefused as error:
                self.obstacles["ebpf"] = str(error)
            else:
                watched.use_program(program)

    def _open_instance(self) -> None:
        if not self.options.ftrace:
            return
        memory = sysconf("SC_PHYS_PAGES") * sysconf("SC_PAGE_SIZE")
        size = self.options.ring_bytes or ring_size(sysconf("SC_NPROCESSORS_CONF"), memory)
        try:
            self._tracefs = TraceFolder()
            disks = [watched.disk for watched in self._watched.values()]
            self._instance = TraceInstance(
                self._tracefs.path, self._remains.kernel_name, size, disks, self._remains.batch_path
            )
        except TracingRefused as error:
            self.obstacles["ftrace"] = str(error)
        except OSError as error:
            self.obstacles["ftrace"] = f"there is no tracefs: {error}"
        else:
            for watched in self._watched.values():
                watched.has_ring, watched.ring_has_clock = True, self._instance.has_clock
            self._take_left_over(self._instance)

    def _check_channels(self) -> None:
        if self.channels:
            return
        raise TrackingUnavailable(reason="; ".join(self.obstacles.values()) or "no channel is wanted")

    def _begin_comparing(self) -> None:
        """Judge the time in which nobody drained, and find the baselines of what is new."""
        for watched in self._watched.values():
            if watched.epoch != self._epoch:  # it's new, or the last process ended in the middle of a cut
                watched.begin_epoch(self._epoch)
        with self._lock:
            self._judge(_BASELINE_LIMIT_S, quiet=False, restarted=True)
