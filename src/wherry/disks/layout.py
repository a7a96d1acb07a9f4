"""What lies on a disk: partitions, filesystems, where they are mounted and how full they are.

The partition table is read from the disk itself, so that an image file is understood as well as a device; which device
node belongs to a partition, and what the kernel has mounted, is told by the kernel.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.disks import sysblock
from wherry.disks.direct import BlockReader, open_reader
from wherry.disks.mounts import Mount, mounts_of_device, read_mounts
from wherry.disks.partitions import Entry, PartitionTable, PartitionTableDamaged, ReadAt, read_partition_table
from wherry.disks.superblocks import Superblock, read_superblock


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a disk, or the whole disk where a filesystem lies on it without partitions (index 0)."""

    index: int
    """The number that the kernel gives it, from 1; 0 for a whole disk."""
    start: int
    """Offset of its first byte on the disk."""
    size: int
    """Size in bytes."""
    type_id: str
    """GPT type GUID in lower case, or the MBR type as two hexadecimal digits; "" when no table lists it."""
    filesystem: str
    """Type by its superblock (ext4, xfs, btrfs, swap, LVM2_member, ...); "" when it isn't known."""
    uuid: str
    label: str
    mount_point: str | None
    """Where it's mounted, None when it isn't."""
    used_bytes: int | None
    """Bytes in use as statvfs tells, None when it isn't mounted."""
    device: str
    """Path of its node in /dev, "" when the kernel has none."""
    device_number: int = 0
    """Number of that node as in `st_rdev`, 0 when the kernel has none."""
    holders: tuple[str, ...] = ()
    """Kernel names of the devices (LVM, LUKS, md) that are built on it, directly or not."""

    @property
    def end(self) -> int:
        """The first byte on the disk after the partition."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class DiskLayout:
    """A disk and its partitions in the order of their offsets. Extended partitions aren't listed, logical ones are."""

    path: Path
    name: str
    """Name of the device in /dev, or of the image file."""
    size: int
    """Size in bytes."""
    sector_size: int
    """Logical sector size in bytes."""
    partition_style: str
    """Either "GPT", "MBR", or "" for a disk without a partition table."""
    partitions: tuple[Partition, ...]
    device_number: int = 0
    """Number of the device as in `st_rdev`, 0 for an image file."""
    warnings: tuple[str, ...] = ()
    """What is wrong with the disk although it can be copied, each with code, cause and fix."""


def read_layout(path: Path) -> DiskLayout:
    """Return the layout of the block device or image file at *path*.

    A disk with a GPT of which no copy can be read has a warning, and only those partitions that the kernel still
    knows; without any it's one unknown area (index 0), which is copied whole.
    Raises NotADisk when it can't be opened, DiskReadFailed when the medium fails.
    """
    with open_reader(path) as reader:
        device_number = _device_number(path)
        read = _read_function(reader)
        sector_size = reader.sector_size if device_number else _image_sector_size(read)
        table, damage = _read_table(read, reader.size, sector_size)
        entries = () if table is None else table.entries
        mounts = read_mounts() if device_number else []
        partitions = list(_partitions(read, entries, device_number, mounts))
        whole = _describe(read, Entry(0, 0, reader.size, "", "", "", container=False), _node(device_number), mounts)
        if whole.mount_point is not None or (not partitions and (whole.filesystem or whole.holders or damage)):
            partitions.insert(0, whole)
        return DiskLayout(
            path=path,
            name=sysblock.kernel_name(device_number) if device_number else path.name,
            size=reader.size,
            sector_size=sector_size,
            partition_style="" if table is None else table.style,
            partitions=tuple(partitions),
            device_number=device_number,
            warnings=damage,
        )


def _read_table(read: ReadAt, size: int, sector_size: int) -> tuple[PartitionTable | None, tuple[str, ...]]:
    try:
        return read_partition_table(read, size, sector_size), ()
    except PartitionTableDamaged as error:
        return None, (error.explain(),)


def mounts_on(layout: DiskLayout) -> list[Mount]:
    """Return one mount of each filesystem that lies on the disk, also those on LVM, LUKS or md devices built on it.

    They are in the kernel's order. It's what has to be frozen for the disk to stand still.
    """
    numbers = {layout.device_number, *sysblock.all_holders(layout.device_number)} if layout.device_number else set()
    for partition in layout.partitions:
        if partition.device_number:
            numbers |= {partition.device_number, *sysblock.all_holders(partition.device_number)}
    mounts = read_mounts()
    # A btrfs on several of the devices is found several times.
    best = {mount for number in numbers for mount in mounts_of_device(mounts, number)[:1]}
    return sorted(best, key=mounts.index)


def _device_number(path: Path) -> int:
    found = path.stat()
    return found.st_rdev if stat.S_ISBLK(found.st_mode) else 0


def _read_function(reader: BlockReader) -> ReadAt:
    def read(offset: int, length: int) -> bytes:
        length = max(0, min(length, reader.size - offset))
        buffer = bytearray(length)
        return bytes(buffer) if length == 0 or reader.read_into(buffer, offset) == length else b""

    return read


def _image_sector_size(read: ReadAt) -> int:
    """Return the sector size that an image's GPT was written with, since a file can't tell: 512 but for 4Kn disks."""
    is_4k = read(4096, 8) == b"EFI PART" and read(512, 8) != b"EFI PART"
    return 4096 if is_4k else 512


def _node(device_number: int) -> sysblock.KernelPartition | None:
    if not device_number:
        return None
    return sysblock.KernelPartition(0, 0, 0, f"/dev/{sysblock.kernel_name(device_number)}", device_number)


def _partitions(
    read: ReadAt, entries: Sequence[Entry], device_number: int, mounts: Sequence[Mount]
) -> Iterator[Partition]:
    """Yield what the table lists, then what only the kernel knows since the table was changed after it was read."""
    nodes = {node.offset: node for node in sysblock.kernel_partitions(device_number)} if device_number else {}
    listed = [_describe(read, entry, nodes.get(entry.offset), mounts) for entry in entries if not entry.container]
    known = {entry.offset for entry in entries}
    for offset, node in nodes.items():
        if offset not in known:
            listed.append(
                _describe(read, Entry(node.index, offset, node.size, "", "", "", container=False), node, mounts)
            )
    yield from sorted(listed, key=lambda partition: partition.start)


def _describe(read: ReadAt, entry: Entry, node: sysblock.KernelPartition | None, mounts: Sequence[Mount]) -> Partition:
    found = read_superblock(_window(read, entry.offset, entry.size), entry.size) or Superblock("", "", "")
    mounted = mounts_of_device(mounts, node.device_number)[:1] if node else []
    return Partition(
        index=entry.index,
        start=entry.offset,
        size=entry.size,
        type_id=entry.type_id,
        filesystem=found.type or (mounted[0].filesystem if mounted else ""),
        uuid=found.uuid,
        label=found.label,
        mount_point=mounted[0].mount_point if mounted else None,
        used_bytes=_used_bytes(mounted[0].mount_point) if mounted else None,
        device=node.device if node else "",
        device_number=node.device_number if node else 0,
        holders=tuple(map(sysblock.kernel_name, sysblock.all_holders(node.device_number))) if node else (),
    )


def _window(read: ReadAt, start: int, size: int) -> ReadAt:
    """Return a function that reads one partition as if it were a disk."""

    def read_inside(offset: int, length: int) -> bytes:
        return read(start + offset, max(0, min(length, size - offset)))

    return read_inside


def _used_bytes(mount_point: str) -> int | None:
    try:
        figures = os.statvfs(mount_point)
    except OSError:
        return None
    return (figures.f_blocks - figures.f_bfree) * figures.f_frsize
