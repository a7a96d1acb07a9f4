"""The disks that the agent moves: those that --disk names, or every disk of the server."""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from wherry.agent.errors import DiskMissing, NoDisk
from wherry.agent.registration import device_name
from wherry.contract.sources import SourceDetail
from wherry.disks import sysblock
from wherry.disks.inventory import local_disks
from wherry.disks.layout import DiskLayout, read_layout
from wherry.errors import WherryError

log = structlog.get_logger(__name__)


def read_inventory(named: Sequence[Path], find: Callable[[], Sequence[Path]] = local_disks) -> list[DiskLayout]:
    """Return the layouts of the disks *named*, or of those that *find* finds when none is.

    A disk that was named must be readable; one that was found is left out, with a word in the log, when it isn't.
    Raises NoDisk when nothing is left, and what `read_layout` raises for a named disk.
    """
    if named:
        return [read_layout(path) for path in dict.fromkeys(path.resolve() for path in named)]
    layouts = []
    for path in find():
        try:
            layouts.append(read_layout(path))
        except WherryError as error:
            log.warning("disk_left_out", disk=str(path), **error.facts)
    if not layouts:
        raise NoDisk(reason="no whole disk of this server can be read")
    return layouts


def in_order(layouts: Sequence[DiskLayout], known: Sequence[str]) -> list[DiskLayout]:
    """Return *layouts* so that the disks *known* to a task (see `key_of`) keep their places; new ones come after them.

    Raises DiskMissing when one of them isn't there.
    """
    found = {key_of(layout): layout for layout in layouts}
    for key in known:
        if key not in found:
            raise DiskMissing(name=key)
    return [found[key] for key in known] + [layout for layout in layouts if key_of(layout) not in known]


def key_of(layout: DiskLayout) -> str:
    """Return what a task knows a disk by: its serial number where it has one, since names change; else its name."""
    return sysblock.serial_of(layout.device_number) or device_name(layout)


def chosen(layouts: Sequence[DiskLayout], source: SourceDetail) -> list[DiskLayout]:
    """Return the layouts without those that the user left out of the migration of *source*, this server's record.

    Raises NoDisk when nothing is left.
    """
    left_out = {disk.name for disk in source.disks or () if disk.need_migration is False}
    kept = [layout for layout in layouts if device_name(layout) not in left_out]
    if not kept:
        raise NoDisk(reason="every disk was left out of the migration")
    return kept
