"""Adoption of disks by the operator of a receiver: what is checked on this host before a disk may be written.

Source of the mechanism: docs/adr/0031.
"""

import stat
from collections.abc import Sequence
from pathlib import Path

from wherry.disks.direct import NotADisk, open_reader
from wherry.disks.occupancy import occupant
from wherry.disks.sysblock import is_read_only
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.errors import DisksUnfit
from wherry.replication.adopting import Adoption, Progress, adopt
from wherry.replication.errors import DiskInUse


def sizes_of(disks: Sequence[Path]) -> list[int]:
    """Return the sizes of block devices or image files in bytes. Raises NotADisk for anything else."""
    found = []
    for path in disks:
        with open_reader(path) as reader:
            found.append(reader.size)
    return found


def check_sizes(task_id: str, wanted: Sequence[tuple[str, int]], disks: Sequence[Path]) -> None:
    """Check that *disks* can hold what a task moves: (name, bytes) each. Raises DisksUnfit, NotADisk."""
    if len(wanted) != len(disks):
        names = ", ".join(name for name, _ in wanted)
        raise DisksUnfit(task_id=task_id, reason=f"it moves {len(wanted)} ({names}), and {len(disks)} were named")
    for (name, size), path, room in zip(wanted, disks, sizes_of(disks), strict=True):
        if room < size:
            raise DisksUnfit(task_id=task_id, reason=f"{name} has {size} bytes, {path} has {room}")


def adopt_disks(images: Path, task_id: str, disks: Sequence[Path], *, in_place: bool, progress: Progress) -> Adoption:
    """Make *disks*, in this order, the replica of *task_id* below the folder *images* of a receiver.

    Raises NotADisk, DisksUnfit for one that is named twice, DiskInUse, and what `adopt` raises.
    """
    media = [path.absolute() for path in disks]  # links such as those in /dev/disk/by-id stay: they outlast a boot
    if len({_identity(path) for path in media}) < len(media):
        raise DisksUnfit(task_id=task_id, reason="one of them was named twice")
    for path, size in zip(media, sizes_of(media), strict=True):
        if not size:
            raise NotADisk(path=path, reason="it's empty")
        _require_free(path)
    directory = ImageDriver(images).replica_directory(task_id)
    return adopt(directory, task_id, media, in_place=in_place, progress=progress)


def _require_free(path: Path) -> None:
    try:
        found = occupant(path)
    except OSError as error:
        raise NotADisk(path=path, reason=f"it can't be written: {error.strerror or error}") from error
    if found:
        raise DiskInUse(path=path, reason=found)
    if path.is_block_device() and is_read_only(path.stat().st_rdev):
        raise NotADisk(path=path, reason="it can't be written: the device is read-only")


def _identity(path: Path) -> tuple[int, int]:
    """Return what is the same for two names of a file or a device."""
    try:
        facts = path.stat()
    except OSError as error:
        raise NotADisk(path=path, reason=error.strerror or str(error)) from error
    return (0, facts.st_rdev) if stat.S_ISBLK(facts.st_mode) else (facts.st_dev, facts.st_ino)
