"""Names of devices that don't travel, and the names of the same filesystems that do.

/dev/sda1 is what one machine's bus and order of disks made of a filesystem; its UUID is its own.
Source: systemd's rules.d/60-persistent-storage.rules; Linux Documentation/admin-guide/devices.txt.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wherry.boot.guest import GuestDisk, GuestFilesystem, GuestPartition

_LETTERS: Final = re.compile(r"/dev/(?:sd|vd|xvd|hd)([a-z]{1,3})(\d*)")
_NUMBERS: Final = re.compile(r"/dev/(?:nvme(\d+)n1|mmcblk(\d+))(?:p(\d+))?")
_LINKS: Final = re.compile(r"/dev/disk/by-(?:path|id)/(?!dm-|md-|lvm-)[^/]+?(?:-part(\d+))?")
_IDENTITIES: Final = re.compile(r"/dev/disk/by-(uuid|label|partuuid)/(.+)")
_FIELDS: Final = {"UUID": "uuid", "LABEL": "label", "PARTUUID": "part_uuid"}
_SPLIT: Final = re.compile(r"(.*?)(?:p?(\d+))?")
_EXT: Final = frozenset({"ext2", "ext3", "ext4"})


class Landed(Protocol):
    """Disks and what lies on them: of an opened guest, or of an inspected system."""

    @property
    def disks(self) -> Sequence[GuestDisk]:
        """The disks in their order."""

    @property
    def filesystems(self) -> Sequence[GuestFilesystem]:
        """What can be mounted, swapped to, or opened on them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A disk and a partition on it; None for a disk that the name doesn't tell, or for a whole disk."""

    disk: int | None
    partition: int | None


def is_of_the_host(spec: str) -> bool:
    """Whether a device's name depends on the machine: on its bus, its order of disks, its slots."""
    return any(pattern.fullmatch(spec) for pattern in (_LETTERS, _NUMBERS, _LINKS))


def stable_name(spec: str, landed: Landed, source_disks: Sequence[str] = (), kind: str = "auto") -> str | None:
    """Return UUID= or PARTUUID= for what *spec* named on the source; None where that can't be told for sure.

    *kind* is the type that the filesystem should have, as fstab has it. A name that isn't of the host returns None.
    """
    found = find(spec, landed, source_disks, kind)
    if found is None:
        return None
    counts = Counter(each.uuid for each in landed.filesystems)
    if found.uuid and (counts[found.uuid] == 1 or found.type == "btrfs"):  # a btrfs may have several devices
        return f"UUID={found.uuid}"
    return f"PARTUUID={found.part_uuid}" if found.part_uuid else None


def find(spec: str, landed: Landed, source_disks: Sequence[str] = (), kind: str = "auto") -> GuestFilesystem | None:
    """Return the filesystem that *spec* named on the source; None where none or several may be meant."""
    place = _place(spec, source_disks)
    if place is None:
        return None
    candidates = [
        each
        for each in landed.filesystems
        if each.partition == place.partition
        and (each.disk == place.disk if place.disk is not None else each.disk is not None)
        and fits(kind, each.type)
    ]
    return candidates[0] if len(candidates) == 1 else None


def find_partition(spec: str, landed: Landed, source_disks: Sequence[str] = ()) -> GuestPartition | None:
    """Return the partition that *spec* named on the source, whatever is on it; None where that can't be told."""
    place = _place(spec, source_disks)
    if place is None:
        return None
    candidates = [
        partition
        for number, disk in enumerate(landed.disks)
        for partition in disk.partitions
        if place.disk in {None, number} and partition.number == place.partition
    ]
    return candidates[0] if len(candidates) == 1 else None


def is_known(spec: str, landed: Landed) -> bool:
    """Whether a name that travels (UUID=, LABEL=, PARTUUID= and their links) is one of the landed disks.

    True for everything that isn't such a name.
    """
    tag, value = _identity(spec)
    if not tag:
        return True
    partitions = {each.part_uuid.lower() for disk in landed.disks for each in disk.partitions}
    return identified(spec, landed) is not None or (tag == "PARTUUID" and value in partitions)


def identified(spec: str, landed: Landed) -> GuestFilesystem | None:
    """Return the first filesystem that a name that travels stands for: of a btrfs, its first device. None for none."""
    tag, value = _identity(spec)
    field = _FIELDS.get(tag)
    found = (each for each in landed.filesystems if field and getattr(each, field).lower() == value)
    return next(found, None)


def volume(spec: str, landed: Landed) -> GuestFilesystem | None:
    """Return the filesystem on a volume by the name that LVM, md or the device mapper gives it, which travels."""
    wanted = _volume_name(spec)
    volumes = (each for each in landed.filesystems if each.disk is None)
    return next((each for each in volumes if wanted in {_volume_name(each.device), *each.names}), None)


def _volume_name(device: str) -> str:
    """Return /dev/GROUP/VOLUME for either form of a volume's name: in /dev/mapper a hyphen of a name is doubled."""
    mapped = device.removeprefix("/dev/mapper/")
    if mapped == device:
        return device
    return "/dev/" + "/".join(part.replace("--", "-") for part in re.split(r"(?<!-)-(?!-)", mapped, maxsplit=1))


def _identity(spec: str) -> tuple[str, str]:
    """Return tag and value of a name that travels, the value in lower case; two empty words for another name."""
    word = spec.strip('"')
    link = _IDENTITIES.fullmatch(word)
    tag, equals, value = (link[1].upper(), "=", link[2]) if link else word.partition("=")
    return (tag, value.strip('"').lower()) if equals and tag in _FIELDS else ("", "")


def fits(kind: str, actual: str) -> bool:
    """Whether fstab's type *kind* may be a filesystem of the type *actual*."""
    return kind in {"auto", "none", actual} or {kind, actual} <= _EXT or {kind, actual} <= {"vfat", "msdos"}


def _place(spec: str, source_disks: Sequence[str]) -> _Place | None:
    if not is_of_the_host(spec):
        return None
    link = _LINKS.fullmatch(spec)
    if link:
        return _Place(None, _number(link[1]))
    for index, name in enumerate(source_disks):
        if spec.startswith(name) and (tail := _SPLIT.fullmatch(spec[len(name) :])) and not tail[1]:
            return _Place(index, _number(tail[2]))
    if source_disks:
        return None
    letters = _LETTERS.fullmatch(spec)
    if letters:
        return _Place(_index(letters[1]), _number(letters[2]))
    numbers = _NUMBERS.fullmatch(spec)
    return _Place(int(numbers[1] or numbers[2]), _number(numbers[3])) if numbers else None


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _index(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1
