"""Which granules a pass has to look at: what the tracker saw written, or all in use, with the reason said.

Tracking belongs to one task. It outlives the agent's process, so that the next one goes on without a scan, and ends
with the task. Where it isn't possible, everything works by digest scans. Between freeze and thaw nothing here logs or
writes to a disk.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from wherry.disks.tracking.blocks import BlockMarks
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.marks import Granules
from wherry.disks.tracking.ownership import sweep
from wherry.disks.tracking.tracker import Cut, Dirty, Tracker, TrackerOptions
from wherry.disks.tracking.trust import Reason
from wherry.durable import write_file
from wherry.errors import WherryError
from wherry.replication.sending import SourceDisk

log = structlog.get_logger(__name__)

_HOPELESS = frozenset({Reason.UNTRACKABLE, Reason.NO_STATISTICS})
"""Why a disk will not be trusted at the next pass either."""


class ChangeTracker(Protocol):
    """Tracks the disks of a task; `wherry.disks.tracking.tracker.Tracker` is the real one."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels in use."""

    def begin(self) -> None:
        """Begin, or go on where an earlier process was. Raises WherryError and OSError when it's not possible."""

    def cut(self) -> Cut:
        """End the epoch."""

    def drain(self, limit_s: float = 1.0) -> Cut:
        """End the epoch on frozen filesystems: wait until nothing is under way."""

    def commit(self, epoch: int) -> None:
        """Forget what was written up to the end of *epoch*."""

    def close(self) -> None:
        """End, and leave the channels recording for the next process."""

    def discard(self) -> None:
        """End, and leave nothing behind."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a pass has to look at."""

    epoch: int | None = None
    """To be committed with the pass; None without a tracker."""
    written: Mapping[int, Granules] = field(default_factory=dict)
    """By disk, what was written since the last committed pass. A disk that isn't here has to be scanned."""
    blocks: Mapping[int, BlockMarks] = field(default_factory=dict)
    """By disk, which blocks of that were written, where it's known."""
    fresh: Mapping[int, Granules] = field(default_factory=dict)
    """By disk, what of it was written since the last cut; only the disks where that is something."""
    doubts: Mapping[int, str] = field(default_factory=dict)
    """By disk that is scanned though it's tracked, why: its marks can't be trusted now, but can after the scan."""
    untracked: Mapping[int, str] = field(default_factory=dict)
    """By disk that can't be tracked at all, why."""

    @property
    def scan(self) -> bool:
        """Whether some disk is scanned: all that is in use on it is read."""
        return bool(self.doubts or self.untracked)

    @property
    def reason(self) -> str:
        """Why disks are scanned, for the operator; "" when none is."""
        return "; ".join(dict.fromkeys([*self.doubts.values(), *self.untracked.values()]))


class Tracking:
    """The tracker of one task, or what stands in for it where there is none."""

    def __init__(self, disks: Sequence[SourceDisk], tracker: ChangeTracker | None, why_not: str = "") -> None:
        """*why_not*: why there is no *tracker*."""
        self._indexes = [disk.index for disk in disks]
        self._tracker = tracker
        self._begun = False
        self._why_not = why_not or "the disk can't be tracked"

    @property
    def words(self) -> str:
        """Which channels track the disks, or why none does, for the figures."""
        if self._tracker is None:
            return f"none: {self._why_not}"
        return "+".join(self._tracker.channels)

    @property
    def is_on(self) -> bool:
        """Whether changes are tracked, so that a pass costs what changed."""
        return self._begun and self._tracker is not None

    def begin(self) -> None:
        """Begin to track, or go on; do it before the used blocks are looked up. Without a tracker it does nothing."""
        if self._tracker is None or self._begun:
            return
        try:
            self._tracker.begin()
        except (WherryError, OSError) as error:
            self._lose(str(error))
            return
        self._begun = True
        log.info("tracking", channels=self._tracker.channels)

    def cut(self) -> Changes:
        """End the epoch and return what the next pass has to look at."""
        return self._take(lambda tracker: tracker.cut())

    def drain(self, limit_s: float) -> Changes:
        """Do the same on frozen filesystems; waits at most *limit_s* for the disks to be quiet. Doesn't log."""
        return self._take(lambda tracker: tracker.drain(limit_s))

    def commit(self, changes: Changes) -> None:
        """Note that the receiver has committed the pass that looked at *changes*."""
        if self._tracker is not None and changes.epoch is not None:
            self._tracker.commit(changes.epoch)

    def close(self) -> None:
        """End, so that the next agent can go on."""
        if self._tracker is not None:
            self._tracker.close()

    def discard(self) -> None:
        """End for good; a remnant that can't be removed is told to the log only."""
        tracker, self._tracker = self._tracker, None
        self._why_not = "the task is done"
        if tracker is None:
            return
        try:
            tracker.discard()
        except (WherryError, OSError) as error:
            log.warning("tracking_not_removed", reason=str(error))

    def _take(self, cut: Callable[[ChangeTracker], Cut]) -> Changes:
        found: Mapping[int, Dirty] = {}
        epoch = None
        if self._tracker is not None:
            try:
                taken = cut(self._tracker)
            except OSError as error:
                # Never seen; whatever it is, it must not be taken for "nothing was written".
                self._tracker.close()
                self._tracker, self._why_not = None, f"the tracking broke down: {error}"
            else:
                found, epoch = taken.disks, taken.epoch
        trusted = {index: dirty for index, dirty in found.items() if dirty.trusted}
        doubts = {
            index: dirty.reason
            for index, dirty in found.items()
            if not dirty.trusted and dirty.trust.reason not in _HOPELESS
        }
        others = [index for index in self._indexes if index not in trusted and index not in doubts]
        return Changes(
            epoch=epoch,
            written={index: dirty.granules for index, dirty in trusted.items()},
            blocks={index: dirty.blocks for index, dirty in trusted.items() if dirty.blocks is not None},
            fresh={index: dirty.fresh for index, dirty in trusted.items() if dirty.fresh.any()},
            doubts=doubts,
            untracked={index: found[index].reason if index in found else self._why_not for index in others},
        )

    def _lose(self, reason: str) -> None:
        log.warning("tracking_unavailable", reason=reason, consequence="each pass reads all that is in use")
        self._tracker, self._why_not = None, reason


class Keeper:
    """Knows which task's tracking is left behind on this server: of one at most, noted in the agent's state folder."""

    def __init__(self, state: Path, remove: Callable[[str], None] | None = None) -> None:
        """*remove* clears away what the tracker of a task left; it may raise WherryError and OSError."""
        self._state = state
        self._path = _note_in(state)
        self._remove = _remove if remove is None else remove

    def track(self, task_id: str, disks: Sequence[SourceDisk], tracked: Sequence[TrackedDisk]) -> Tracking:
        """Return the tracking of a task whose *tracked* disks can perhaps be tracked; another task's is ended."""
        if not tracked:
            return Tracking(disks, None, "no disk of the task is a block device")
        before = self._noted()
        if before and before != task_id:
            self.forget(before)
        try:
            write_file(self._path, task_id.encode(), mode=0o600)
        except OSError as error:
            # Without the note nobody would ever clear it away.
            return Tracking(disks, None, f"the state folder can't be written: {error}")
        tracker = Tracker(task_id, tracked, TrackerOptions(owner=self._state))
        return Tracking(disks, tracker, "it's no block device")

    def forget(self, task_id: str) -> None:
        """Clear away what the tracking of *task_id* left, if it left something."""
        if self._noted() != task_id:
            return
        try:
            self._remove(task_id)
        except (WherryError, OSError) as error:
            log.warning("tracking_not_removed", reason=str(error))
            return
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _noted(self) -> str:
        try:
            return _noted_in(self._state)
        except OSError:
            return ""


def sweep_tracking() -> list[str]:
    """Clear away what agents left behind that will not come back for it; return the tasks.

    An agent's state folder is gone then (a demonstration's, say), or notes another task.
    """
    return sweep(lambda task_id, state: _noted_in(state) != task_id)


def _note_in(state: Path) -> Path:
    return state / "tracking"


def _noted_in(state: Path) -> str:
    """Return the task that the state folder notes, "" for none. Raises OSError when that can't be told."""
    try:
        return _note_in(state).read_text()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ""


def _remove(task_id: str) -> None:
    Tracker(task_id, []).discard()
