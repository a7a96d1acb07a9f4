"""Which bytes of a disk have to be copied: all but those that a mounted filesystem knows to be free.

Whatever isn't understood is used: partition tables, gaps, boot sectors, filesystems without a map (vfat), swap, LVM,
md and LUKS members, unmounted filesystems, the tail of a partition behind its filesystem.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from wherry.disks import btrfsmap, fsmap
from wherry.disks.extents import Extent, complement, intersect, merge, shift, subtract
from wherry.disks.fsmap import MapUnsupported
from wherry.disks.layout import DiskLayout, Partition
from wherry.disks.writeback import write_back

_MAPS: Mapping[str, Callable[[int, int], list[Extent]]] = {
    "ext2": fsmap.free_extents,
    "ext3": fsmap.free_extents,
    "ext4": fsmap.free_extents,
    "xfs": fsmap.free_extents,
    "btrfs": btrfsmap.free_extents,
}
"""How each type of filesystem tells what is free: from an open descriptor and the number of the device."""


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A mounted filesystem that can tell what is free, open."""

    partition: Partition
    descriptor: int


class UsedMap:
    """The used bytes of a disk, to be asked several times.

    It opens the mount points once, so that it can be asked while the filesystems are frozen. A filesystem that is
    unmounted meanwhile makes no harm: its descriptor keeps it alive, hence close it soon.
    """

    def __init__(self, layout: DiskLayout) -> None:
        self.layout = layout
        self._mapped: list[_Mapped] = []
        for partition in layout.partitions:
            descriptor = _open_filesystem(partition)
            if descriptor is not None:
                self._mapped.append(_Mapped(partition, descriptor))

    def extents(self, *, flush: bool = True) -> list[Extent]:
        """Return what is used now, as ascending, disjoint extents; an image file is used whole.

        The filesystems are flushed before, since a block is allocated only when it's written back: so what was written
        before the call is in the map. Without *flush*, for frozen filesystems, they aren't.
        """
        free: list[Extent] = []
        for mapped in self._mapped:
            try:
                if flush:
                    write_back(mapped.descriptor)
                free += self._free_of(mapped)
            except (MapUnsupported, OSError):
                # Copied whole: it has no map, or one that misses the blocks which couldn't be written back.
                continue
        return complement(free, self.layout.size)

    def _free_of(self, mapped: _Mapped) -> list[Extent]:
        """Return the free bytes of a filesystem as offsets on the disk, never those that another partition covers."""
        partition = mapped.partition
        free_extents = _MAPS[partition.filesystem]
        inside = shift(free_extents(mapped.descriptor, partition.device_number), partition.start)
        own = intersect(inside, [Extent(partition.start, partition.size)])
        return subtract(own, _ranges(other for other in self.layout.partitions if other is not partition))

    def close(self) -> None:
        """Release the mount points."""
        while self._mapped:
            os.close(self._mapped.pop().descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _ranges(partitions: Iterable[Partition]) -> list[Extent]:
    return merge(Extent(partition.start, partition.size) for partition in partitions)


def _open_filesystem(partition: Partition) -> int | None:
    """Open the mounted filesystem of a partition; None when it has no map or something else is mounted there now."""
    if partition.mount_point is None or partition.filesystem not in _MAPS:
        return None
    try:
        descriptor = os.open(partition.mount_point, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    # A btrfs has a device number of its own; its map looks for the device among the filesystem's.
    if partition.filesystem != "btrfs" and os.fstat(descriptor).st_dev != partition.device_number:
        os.close(descriptor)
        return None
    return descriptor
