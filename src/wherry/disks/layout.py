"""What lies on a disk: partitions, filesystems, where they are mounted and how full they are."""

from dataclasses import dataclass
from pathlib import Path


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
    """GPT type GUID in lower case, or the MBR type as two hexadecimal digits; "" for a whole disk."""
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


@dataclass(frozen=True, slots=True)
class DiskLayout:
    """A disk and its partitions in the order of their offsets."""

    path: Path
    name: str
    size: int
    """Size in bytes."""
    sector_size: int
    """Logical sector size in bytes."""
    partition_style: str
    """"GPT", "MBR" or "" for a disk without a partition table."""
    partitions: tuple[Partition, ...]
