"""Freezing the filesystems of a server for a moment, never for longer than a limit.

A frozen filesystem has written everything back and lets writers wait, so that the disk beneath stands still and is
consistent. The process that froze it may die or get stuck, on the frozen filesystem itself for one thing. So a second
process, `wherry.disks.watchdog`, stands ready before anything is frozen and thaws when the limit passes or when this
process ends. Should both be killed, a note says to the next process what is to be thawed.

While frozen, this process must not write to, log to or import from the frozen filesystems: prepare before.
Source: ioctl_fsfreeze in Linux fs/ioctl.c; freeze_super and thaw_super in fs/super.c.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wherry.disks import watchdog
from wherry.disks.freezenote import FreezeNote, NotedFilesystem
from wherry.disks.mounts import Mount, mount_of, read_mounts
from wherry.disks.watching import Watch
from wherry.disks.writeback import write_back
from wherry.errors import WherryError


class FreezeRefused(WherryError):
    """A filesystem couldn't be frozen; those that were frozen before it are thawed again."""

    code = "WHERRY.1030"
    template = "{mount_point} can't be frozen: {reason}."
    default_cause = "Another program, such as a backup, has frozen it already; or it isn't mounted any more."
    default_fix = "Let the other program end, or thaw with `fsfreeze --unfreeze`; then the freeze is tried again."


@dataclass(frozen=True, slots=True)
class FreezeOutcome:
    """How a freeze went."""

    frozen_ms: int
    """From before the first filesystem was frozen until the last one was thawed."""
    expired: bool
    """Whether somebody else thawed: the watchdog at the limit, or a stranger."""


@dataclass(frozen=True, slots=True)
class _Filesystem:
    """A filesystem to be frozen, open. *device*: the number of its super block."""

    mount_point: str
    descriptor: int
    device: tuple[int, int]


class Freeze:
    """One freeze of several filesystems: make it, `freeze`, read, ask `still_frozen`, `thaw`.

    Making it opens the mount points, starts the watchdog and locks this process into memory: all that may be slow is
    done when the constructor returns. It's a context manager that thaws when it's left, and good for one freeze.

    A filesystem named by several mount points is frozen once. They are frozen in the reverse order of their mounting,
    since a filesystem in a file on another one writes to that one when it's frozen. Filesystems that know no freeze
    (vfat, tmpfs) are flushed only; `not_frozen` names them. *note* is where it's noted for the worst case.

    Raises FreezeRefused when a mount point can't be opened, WatchdogFailed when there is no watchdog.
    """

    def __init__(self, mount_points: Iterable[str | Path], limit_s: float, *, note: FreezeNote | None = None) -> None:
        self.limit_s = limit_s
        self._note = note
        self.not_frozen: tuple[str, ...] = ()
        self._frozen: list[_Filesystem] = []
        self._frozen_at = 0.0
        self._outcome: FreezeOutcome | None = None
        self._filesystems = _open_all([str(mount_point) for mount_point in mount_points])
        try:
            self._watch = Watch(
                [filesystem.descriptor for filesystem in self._filesystems], None if note is None else note.path
            )
        except WherryError:
            _close_all(self._filesystems)
            raise
        # What is mapped and never used (stacks of threads, the work space of numpy's libraries) is most of it.
        watchdog.lock_memory(whole=False)

    def freeze(self) -> None:
        """Freeze all filesystems; the limit counts from now.

        Raises FreezeRefused when one refuses and WatchdogFailed when the watchdog is gone; all are thawed again then.
        """
        if self._note is not None:
            self._note.write(NotedFilesystem(each.mount_point, each.device) for each in self._filesystems)
        self._frozen_at = time.monotonic()
        try:
            self._watch.arm(self._frozen_at + self.limit_s)
            for filesystem in self._filesystems:
                self._freeze_one(filesystem)
            self._watch.frozen()
        except WherryError:
            self.thaw()
            raise

    def _freeze_one(self, filesystem: _Filesystem) -> None:
        self._watch.freezing(filesystem.descriptor)
        try:
            fcntl.ioctl(filesystem.descriptor, watchdog.FIFREEZE, 0)
        except OSError as error:
            self._watch.refused(filesystem.descriptor)
            if error.errno != errno.EOPNOTSUPP:
                raise FreezeRefused(mount_point=filesystem.mount_point, reason=error.strerror) from error
            self._flush(filesystem)
        else:
            self._frozen.append(filesystem)

    def _flush(self, filesystem: _Filesystem) -> None:
        try:
            write_back(filesystem.descriptor)
        except OSError as error:
            raise FreezeRefused(mount_point=filesystem.mount_point, reason=error.strerror) from error
        self.not_frozen += (filesystem.mount_point,)

    def still_frozen(self) -> bool:
        """Return whether all that was read until this call was read from frozen filesystems.

        Ask after the last read. The watchdog announces itself before it thaws: one that hasn't done so yet can't have
        touched what was read before. The kernel is asked whether somebody else thawed.
        """
        if self._outcome is not None or not self._frozen:
            return False
        return self._watch.is_quiet() and all(_is_frozen(filesystem.descriptor) for filesystem in self._frozen)

    def thaw(self) -> FreezeOutcome:
        """Thaw all filesystems, end the watchdog and return how it went; the same again when called again."""
        if self._outcome is None:
            by_us = [_thaw(filesystem.descriptor) for filesystem in reversed(self._frozen)]
            thawed_at = time.monotonic()
            if self._note is not None:
                self._note.erase()
            self._watch.end()
            if self._watch.thawed_at is not None:
                thawed_at = min(thawed_at, self._watch.thawed_at)
            frozen_ms = round((thawed_at - self._frozen_at) * 1000) if self._frozen else 0
            self._outcome = FreezeOutcome(frozen_ms, expired=self._watch.fired or not all(by_us))
        return self._outcome

    def close(self) -> None:
        """Thaw what is frozen, and release mount points, watchdog and memory."""
        try:
            self.thaw()
        finally:
            _close_all(self._filesystems)
            watchdog.unlock_memory()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _thaw(descriptor: int) -> bool:
    """Thaw and return whether it was frozen; a device that went away was not."""
    try:
        return watchdog.thaw(descriptor)
    except OSError:
        return False


def _is_frozen(descriptor: int) -> bool:
    """Ask the kernel, which has no question for it but refuses to freeze what is frozen."""
    try:
        fcntl.ioctl(descriptor, watchdog.FIFREEZE, 0)
    except OSError as error:
        return error.errno == errno.EBUSY
    with contextlib.suppress(OSError):
        watchdog.thaw(descriptor)
    return False


def _open_all(mount_points: Iterable[str]) -> list[_Filesystem]:
    """Open each filesystem once, the one mounted last first. Raises FreezeRefused when one can't be opened."""
    mounts = read_mounts()
    opened: dict[tuple[int, int], _Filesystem] = {}
    try:
        for mount_point in mount_points:
            _open(mount_point, mounts, opened)
    except WherryError:
        _close_all(list(opened.values()))
        raise
    order = {(mount.major, mount.minor): place for place, mount in reversed(list(enumerate(mounts)))}
    return [opened[number] for number in sorted(opened, key=order.__getitem__, reverse=True)]


def _open(mount_point: str, mounts: Iterable[Mount], opened: dict[tuple[int, int], _Filesystem]) -> None:
    """Open one filesystem and put it into *opened* under the number of its super block, unless it's there already."""
    try:
        descriptor = os.open(mount_point, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FreezeRefused(mount_point=mount_point, reason=error.strerror) from error
    # Not by st_dev: each subvolume of a btrfs has one of its own.
    mount = mount_of(descriptor, mounts)
    number = None if mount is None else (mount.major, mount.minor)
    if number is None or number in opened:
        os.close(descriptor)
    else:
        opened[number] = _Filesystem(mount_point, descriptor, number)
    if number is None:
        raise FreezeRefused(mount_point=mount_point, reason="it was mounted or unmounted just now")


def _close_all(filesystems: list[_Filesystem]) -> None:
    while filesystems:
        os.close(filesystems.pop().descriptor)
