"""Names of devices that don't travel, and the names of the same filesystems that do.

/dev/sda1 is what one machine's bus and order of disks made of a filesystem; its UUID is its own.
Source: systemd's rules.d/60-persistent-storage.rules; Linux Documentation/admin-guide/devices.txt.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wherry.boot.guest import GuestFilesystem, GuestPartition
from wherry.boot.system import System

_LETTERS: Final = re.compile(r"/dev/(?:sd|vd|xvd|hd)([a-z]{1,3})(\d*)")
_NUMBERS: Final = re.compile(r"/dev/(?:nvme(\d+)n1|mmcblk(\d+))(?:p(\d+))?")
_LINKS: Final = re.compile(r"/dev/disk/by-(?:path|id)/(?!dm-|md-|lvm-)[^/]+?(?:-part(\d+))?")
_SPLIT: Final = re.compile(r"(.*?)(?:p?(\d+))?")
_EXT: Final = frozenset({"ext2", "ext3", "ext4"})


@dataclass(frozen=True, slots=True)
class _Place:
    """A disk and a partition on it; None for a disk that the name doesn't tell, or for a whole disk."""

    disk: int | None
    partition: int | None


def is_of_the_host(spec: str) -> bool:
    """Whether a device's name depends on the machine: on its bus, its order of disks, its slots."""
    return any(pattern.fullmatch(spec) for pattern in (_LETTERS, _NUMBERS, _LINKS))


def stable_name(spec: str, system: System, source_disks: Sequence[str] = (), kind: str = "auto") -> str | None:
    """Return UUID= or PARTUUID= for what *spec* named on the source; None where that can't be told for sure.

    *kind* is the type that the filesystem should have, as fstab has it. A name that isn't of the host returns None.
    """
    found = find(spec, system, source_disks, kind)
    if found is None:
        return None
    counts = Counter(each.uuid for each in system.filesystems)
    if found.uuid and counts[found.uuid] == 1:
        return f"UUID={found.uuid}"
    return f"PARTUUID={found.part_uuid}" if found.part_uuid else None


def find(spec: str, system: System, source_disks: Sequence[str] = (), kind: str = "auto") -> GuestFilesystem | None:
    """Return the filesystem that *spec* named on the source; None where none or several may be meant."""
    place = _place(spec, source_disks)
    if place is None:
        return None
    candidates = [
        each
        for each in system.filesystems
        if each.partition == place.partition
        and (each.disk == place.disk if place.disk is not None else each.disk is not None)
        and fits(kind, each.type)
    ]
    return candidates[0] if len(candidates) == 1 else None


def find_partition(spec: str, system: System, source_disks: Sequence[str] = ()) -> GuestPartition | None:
    """Return the partition that *spec* named on the source, whatever is on it; None where that can't be told."""
    place = _place(spec, source_disks)
    if place is None:
        return None
    candidates = [
        partition
        for number, disk in enumerate(system.disks)
        for partition in disk.partitions
        if place.disk in {None, number} and partition.number == place.partition
    ]
    return candidates[0] if len(candidates) == 1 else None


def is_known(spec: str, system: System) -> bool:
    """Whether a name that travels (UUID=, LABEL=, PARTUUID= and their links) is one of the landed disks.

    True for everything that isn't such a name.
    """
    word = spec.strip('"')
    tag, equals, value = word.partition("=")
    link = re.fullmatch(r"/dev/disk/by-(uuid|label|partuuid)/(.+)", word)
    if link:
        tag, equals, value = link[1].upper(), "=", link[2]
    value = value.strip('"')
    fields = {"UUID": "uuid", "LABEL": "label", "PARTUUID": "part_uuid"}
    if not equals or tag not in fields:
        return True
    known = {getattr(each, fields[tag]).lower() for each in system.filesystems}
    known |= (
        {each.part_uuid.lower() for disk in system.disks for each in disk.partitions} if tag == "PARTUUID" else set()
    )
    return value.lower() in known


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
