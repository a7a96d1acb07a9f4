"""A disk of a replica, open: its medium, its digest table, and what the pass under way says about it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.contract.wherry import DiskRoot
from wherry.replication.digests import FileTable, Overlay
from wherry.replication.errors import ReplicaDamaged, TargetTooSmall
from wherry.replication.granules import DIGEST_SIZE, granule_count
from wherry.replication.landing import Landing
from wherry.replication.medium import digest_pieces
from wherry.replication.proof import disk_root, pieces_of
from wherry.replication.record import ReplicaDisk
from wherry.replication.storage import Storage, StoredFile


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


def medium_root(disk: OpenDisk, covered: Sequence[tuple[int, int]]) -> DiskRoot:
    """Return what a proof says of a disk, with the granules *covered* read from the medium. Raises StorageFailed."""
    disk.file.forget_cache()
    pieces = digest_pieces(disk.file.read_into, disk.line.size, pieces_of(covered))
    return disk_root(disk.line.index, disk.line.name, disk.line.size, covered, pieces)
