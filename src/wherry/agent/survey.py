"""The disks that are moved, as the work on a task needs them: layouts, readers, used-block maps, what to freeze."""

import contextlib
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.agent.errors import DisksChanged, NoDisk
from wherry.agent.registration import device_name
from wherry.disks.direct import BlockReader, open_reader
from wherry.disks.extents import Extent
from wherry.disks.layout import DiskLayout, mounts_on, read_layout
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.usedmap import UsedMap
from wherry.disks.writeback import write_back_all
from wherry.replication.messages import DiskLine
from wherry.replication.sending import SourceDisk


class Survey(Protocol):
    """What one pass has to know of the disks. It holds the filesystems open; close it soon after the pass."""

    @property
    def mount_points(self) -> Sequence[str]:
        """One mount point of each filesystem that has to be frozen for the disks to stand still."""

    def write_back(self) -> None:
        """Write the filesystems back, so that what was written before is on the disks."""

    def used(self, disks: Iterable[int], *, flush: bool) -> Mapping[int, Sequence[Extent]]:
        """Return the used bytes of *disks* by index; with *flush* their filesystems are written back before."""


class Disks(Protocol):
    """The open disks of a task."""

    @property
    def disks(self) -> Sequence[SourceDisk]:
        """The disks and how to read them."""

    @property
    def size(self) -> int:
        """The bytes of all disks together."""

    def survey(self) -> contextlib.AbstractContextManager[Survey]:
        """Look at partitions, filesystems and mounts as they are now."""

    def close(self) -> None:
        """Release the disks."""


def lines(disks: Disks) -> tuple[DiskLine, ...]:
    """Return the disks as HELLO announces them."""
    return tuple(DiskLine(disk.index, disk.name, disk.size) for disk in disks.disks)


@dataclass(frozen=True, slots=True)
class LayoutSurvey:
    """A survey of real disks."""

    mount_points: Sequence[str]
    maps: Sequence[UsedMap]

    def write_back(self) -> None:
        """Write back the filesystems of the disks, and no others."""
        write_back_all(self.mount_points)

    def used(self, disks: Iterable[int], *, flush: bool) -> Mapping[int, Sequence[Extent]]:
        """Ask each filesystem of *disks* what it uses; with *flush* it's written back before.

        One that can't be written back, or asked, is used whole.
        """
        return {index: self.maps[index].extents(flush=flush) for index in disks}


class OpenDisks:
    """Real disks, open for reading."""

    def __init__(self, layouts: Sequence[DiskLayout]) -> None:
        """Open them in this order. Raises NoDisk when there is none, NotADisk when one can't be opened."""
        if not layouts:
            raise NoDisk(reason="the inventory is empty")
        self._paths = [layout.path for layout in layouts]
        self.tracked = _tracked(layouts)
        """Those that are block devices; whether the kernel lets them be tracked is another thing."""
        with contextlib.ExitStack() as opened:
            self.disks: Sequence[SourceDisk] = [
                SourceDisk(index, device_name(layout), layout.size, _reader(layout.path, opened))
                for index, layout in enumerate(layouts)
            ]
            self._opened = opened.pop_all()

    @property
    def size(self) -> int:
        """The bytes of all disks together."""
        return sum(disk.size for disk in self.disks)

    @contextmanager
    def survey(self) -> Iterator[Survey]:
        """Read the layouts anew, since filesystems come and go, and open the maps of those that are mounted.

        Raises DisksChanged when a disk has grown, or shrunk.
        """
        layouts = [read_layout(path) for path in self._paths]
        for disk, layout in zip(self.disks, layouts, strict=True):
            if disk.size != layout.size:
                raise DisksChanged(name=disk.name, before=disk.size, now=layout.size)
        mount_points = dict.fromkeys(mount.mount_point for layout in layouts for mount in mounts_on(layout))
        with contextlib.ExitStack() as opened:
            maps = [opened.enter_context(UsedMap(layout)) for layout in layouts]
            yield LayoutSurvey(list(mount_points), maps)

    def close(self) -> None:
        """Release the disks."""
        self._opened.close()


def _tracked(layouts: Sequence[DiskLayout]) -> list[TrackedDisk]:
    found = []
    for index, layout in enumerate(layouts):
        with contextlib.suppress(OSError):  # one that can't be opened is told by its reader
            facts = layout.path.stat()
            if stat.S_ISBLK(facts.st_mode):
                found.append(TrackedDisk(index, facts.st_rdev, layout.size))
    return found


def _reader(path: Path, opened: contextlib.ExitStack) -> BlockReader:
    return opened.enter_context(contextlib.closing(open_reader(path)))
