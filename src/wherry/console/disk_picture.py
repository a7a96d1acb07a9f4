"""Disks as a picture: where each partition lies, and how much of it is used. Only numbers; a template draws them.

Positions and widths are in thousandths of the whole. What is too small to be seen gets a least width, and what's left
of a disk is free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wherry.contract.sources import SourceDetail
from wherry.contract.storage import Disk, LogicalVolume, PhysicalVolume, VolumeGroup

WHOLE = 1000
_LEAST = 8
_BOOT_MOUNTS = ("/boot", "/boot/efi")


@dataclass(frozen=True, slots=True)
class Segment:
    """A partition or a volume. `used` None: nobody knows. *kind*: boot, system, data, swap, group or free."""

    name: str
    kind: str
    size: int
    used: int | None = None
    file_system: str = ""
    mount_point: str = ""
    start: int = 0
    width: int = 0

    @property
    def used_width(self) -> int:
        """How much of its width is used."""
        return 0 if self.used is None or self.size <= 0 else round(self.width * min(1.0, self.used / self.size))


@dataclass(frozen=True, slots=True)
class Strip:
    """A disk or a volume group, and what lies on it."""

    name: str
    size: int
    style: str
    segments: Sequence[Segment]
    moved: bool = True


def strips_of(source: SourceDetail) -> list[Strip]:
    """Return the disks of *source*, and then its volume groups."""
    disks = [
        Strip(
            name=disk.name or "",
            size=disk.size or 0,
            style=disk.partition_style or "",
            segments=laid_out([_partition(part) for part in disk.physical_volumes or ()] or [_bare(disk)], disk.size),
            moved=disk.need_migration is not False,
        )
        for disk in source.disks or ()
    ]
    groups = [_group(group) for group in source.volume_groups or ()]
    return [*disks, *groups]


def laid_out(segments: Iterable[Segment], size: int | None) -> list[Segment]:
    """Return *segments* one beside the other on something of *size* bytes, with what's free at the end."""
    parts = list(segments)
    taken = sum(part.size for part in parts)
    whole = max(size or 0, taken, 1)
    if whole - taken > whole // 200:
        parts.append(Segment("", "free", whole - taken))
    widths = [max(_LEAST, part.size * WHOLE // whole) for part in parts]
    if widths:
        # The widest one gives what the small ones were given.
        widths[widths.index(max(widths))] += WHOLE - sum(widths)
    placed, start = [], 0
    for part, width in zip(parts, widths, strict=True):
        placed.append(_placed(part, start, width))
        start += width
    return placed


def _placed(part: Segment, start: int, width: int) -> Segment:
    return Segment(part.name, part.kind, part.size, part.used, part.file_system, part.mount_point, start, width)


def _partition(part: PhysicalVolume) -> Segment:
    return Segment(
        name=part.name or "",
        kind=_kind(part.device_use, part.file_system, part.mount_point),
        size=part.size or 0,
        used=part.used_size,
        file_system=part.file_system or "",
        mount_point=part.mount_point or "",
    )


def _volume(volume: LogicalVolume) -> Segment:
    return Segment(
        name=volume.name or "",
        kind=_kind(volume.device_use, volume.file_system, volume.mount_point),
        size=volume.size or 0,
        used=volume.used_size,
        file_system=volume.file_system or "",
        mount_point=volume.mount_point or "",
    )


def _group(group: VolumeGroup) -> Strip:
    volumes = [_volume(volume) for volume in group.logical_volumes or ()]
    return Strip(group.name or "", group.size or 0, group.components or "", laid_out(volumes, group.size))


def _bare(disk: Disk) -> Segment:
    """Return a disk without partitions as the one thing on it."""
    kind = _kind(disk.device_use, "", "")
    return Segment(disk.name or "", kind, disk.size or 0, disk.used_size)


def _kind(use: str | None, file_system: str | None, mount_point: str | None) -> str:
    if use == "VOLUME_GROUP" or file_system == "LVM2_member":
        return "group"
    if file_system == "swap":
        return "swap"
    if use == "BOOT" or mount_point in _BOOT_MOUNTS:
        return "boot"
    return "system" if use == "OS" or mount_point == "/" else "data"
