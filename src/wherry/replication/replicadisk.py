"""A disk of a replica, open: its medium, its digest table, and what the pass under way says about it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wherry.contract.wherry import DiskRoot
from wherry.replication.digests import FileTable, Overlay
from wherry.replication.errors import ReplicaDamaged, TargetTooSmall
from wherry.replication.granules import DIGEST_SIZE, UNKNOWN_DIGEST, ZERO_DIGEST, granule_count
from wherry.replication.landing import Landing
from wherry.replication.medium import digest_pieces
from wherry.replication.proof import disk_root, pieces_of
from wherry.replication.record import ReplicaDisk
from wherry.replication.storage import Storage, StoredFile

_SAMPLES: Final = 64


@dataclass(slots=True)
class OpenDisk:
    """An open disk. *touched*: pass 0 has written to it since the last sync.

    *unfit*: the granules whose patches in the open pass didn't fit, and that weren't sent as a whole since.
    """

    line: ReplicaDisk
    file: StoredFile
    table: FileTable
    view: Landing | Overlay
    touched: bool = False
    unfit: set[int] = field(default_factory=set)


def table_path(directory: Path, index: int) -> Path:
    """Return where the table of disk *index* lies in a replica's *directory*."""
    return directory / f"disk-{index}.digests"


def open_disk(storage: Storage, line: ReplicaDisk, directory: Path, *, landing: bool) -> OpenDisk:
    """Open a disk and its table in *directory*; *landing*: it's in pass 0. Raises StorageFailed, ReplicaDamaged."""
    with contextlib.ExitStack() as opened:
        file = storage.open(line.path, direct=True)
        opened.callback(file.close)
        table_file = storage.open(table_path(directory, line.index))
        opened.callback(table_file.close)
        table = FileTable(table_file, granule_count(line.size))
        # A longer table is of a growth that was broken off; it's done again.
        if file.size < line.size or table_file.size < table.count * DIGEST_SIZE:
            raise ReplicaDamaged(directory=directory, reason=f"disk {line.index} or its table was cut")
        opened.pop_all()
    return OpenDisk(line, file, table, Landing(file, table) if landing else Overlay(table))


def make_table(storage: Storage, line: ReplicaDisk, directory: Path) -> None:
    """Make the table of a disk that was just made or adopted: true when it's a hole, else not known at all.

    Raises TargetTooSmall, StorageFailed.
    """
    file = storage.open(line.path)
    try:
        if file.size < line.size:
            reason = f"the target of disk {line.index} has {file.size} bytes, {line.size} are needed"
            raise TargetTooSmall(reason=reason)
        file.sync()
        storage.sync_name(line.path)
        count = granule_count(line.size)
        table = FileTable(storage.create(table_path(directory, line.index), count * DIGEST_SIZE), count)
        if not file.is_hole():
            table.mark_unknown(0, count)
        table.flush()
        table.close()
    finally:
        file.close()


def holds_what_is_known(disk: OpenDisk) -> bool:
    """Tell by samples whether a medium is the one that the table is of; true where there's nothing to compare.

    One granule in four is enough: a log that is being applied, or somebody who used the disk, may have changed some.
    """
    count = disk.table.count
    numbers = {number * count // _SAMPLES for number in range(_SAMPLES)} | set(range(min(_SAMPLES, count)))
    known = {number: disk.table.get(number, 1) for number in sorted(numbers)} if count else {}
    told = {number: digest for number, digest in known.items() if digest not in {ZERO_DIGEST, UNKNOWN_DIGEST}}
    found = digest_pieces(disk.file.read_into, disk.line.size, ((number, 1) for number in told))
    equal = sum(told[number] == digest for number, digest in found)
    return 4 * equal >= len(told)


def medium_root(disk: OpenDisk, covered: Sequence[tuple[int, int]]) -> DiskRoot:
    """Return what a proof says of a disk, with the granules *covered* read from the medium. Raises StorageFailed."""
    disk.file.forget_cache()
    pieces = digest_pieces(disk.file.read_into, disk.line.size, pieces_of(covered))
    return disk_root(disk.line.index, disk.line.name, disk.line.size, covered, pieces)
