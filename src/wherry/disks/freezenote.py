"""A note of what is frozen, for the one case in which nobody is left to thaw: freezer and watchdog killed at once.

It's written before the freeze, and removed after the thaw by whoever thawed: `wherry.disks.freezing`, or its watchdog
once the other one is gone. So a note that is still there tells the truth, or that both died on their way to it. It lies
in memory, which is never frozen, and is gone after a reboot, as the freeze is.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from wherry.disks.mounts import mount_of, read_mounts
from wherry.disks.watchdog import thaw


class NotedFilesystem(msgspec.Struct, frozen=True):
    """A filesystem that is frozen, or is going to be. *device*: major and minor number of its super block."""

    mount_point: str
    device: tuple[int, int]


class FreezeNote:
    """The note in the file *path*, whose folder should lie in memory. One for each process that freezes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, filesystems: Iterable[NotedFilesystem]) -> None:
        """Note what is going to be frozen, in this order. Where that can't be, the freeze does without."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.write_bytes(msgspec.json.encode(list(filesystems)))

    def erase(self) -> None:
        """All is thawed."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def make_good(self) -> list[str]:
        """Thaw what a process before this one left frozen; return the mount points of what was.

        Call it before anything is written. What is mounted there by now instead isn't touched.
        """
        try:
            content, owner = self.path.read_bytes(), self.path.stat().st_uid
            noted = msgspec.json.decode(content, type=list[NotedFilesystem])
        except (OSError, msgspec.MsgspecError):  # nothing was frozen, or it was about to be noted
            noted, owner = [], os.geteuid()
        # /run belongs to root alone, but not every system has it in memory, and then others may write beside us.
        thawed = [each.mount_point for each in reversed(noted) if owner == os.geteuid() and _thawed(each)]
        self.erase()
        return thawed


def _thawed(noted: NotedFilesystem) -> bool:
    """Thaw a filesystem, and return whether it was frozen."""
    try:
        descriptor = os.open(noted.mount_point, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it isn't mounted any more
        return False
    try:
        mount = mount_of(descriptor, read_mounts())
        return mount is not None and (mount.major, mount.minor) == noted.device and thaw(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
