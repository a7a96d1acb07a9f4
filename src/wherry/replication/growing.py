"""A replica that grows: disks that were added or enlarged since its task ran last.

What is new is made so that nothing of it can be mistaken: a table says of a new granule what the medium holds there, or
that nobody knows. A crash at any point leaves a replica that is as it was, and grows at the next session.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from wherry.replication.digests import FileTable
from wherry.replication.errors import DisksDiffer, TargetTooSmall
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, UNKNOWN_DIGEST, granule_count
from wherry.replication.messages import DiskLine
from wherry.replication.record import ReplicaDisk
from wherry.replication.replicadisk import table_path
from wherry.replication.storage import Storage

_PIECE = 65536  # granules


def growth(known: Iterable[ReplicaDisk], announced: Sequence[DiskLine]) -> list[DiskLine]:
    """Return which of the disks *announced* are new or larger than what is *known*, ascending by index.

    Raises DisksDiffer when one is missing or smaller: nobody throws away what was copied without being told.
    """
    sizes = {disk.index: disk.size for disk in known}
    wanted = {line.index: line.size for line in announced}
    lost = [index for index, size in sizes.items() if wanted.get(index, -1) < size]
    if lost:
        raise DisksDiffer(reason=f"announced {_sizes(wanted)}, known are {_sizes(sizes)}")
    grown = (line for line in announced if sizes.get(line.index) != line.size)
    return sorted(grown, key=lambda line: line.index)


def resize_table(storage: Storage, before: ReplicaDisk, now: ReplicaDisk, directory: Path) -> None:
    """Add the new granules of a disk that has grown to its table in *directory*, or leave those that are gone.

    Raises TargetTooSmall, StorageFailed.
    """
    if before.size == now.size:
        return
    file = storage.open(now.path)
    table_file = storage.open(table_path(directory, now.index))
    try:
        if file.size < now.size:
            raise TargetTooSmall(reason=f"the target of disk {now.index} has {file.size} bytes, {now.size} are needed")
        file.sync()
        whole, known, count = min(before.size, now.size) // GRANULE_SIZE, *map(granule_count, (before.size, now.size))
        table = FileTable(table_file, count)
        # A last granule that was or is short has another length, so that its digest is another one.
        table.mark_unknown(whole, min(known, count) - whole)
        is_zero = file.is_hole(known * GRANULE_SIZE)
        for start in range(known, count, _PIECE):
            length = min(_PIECE, count - start)
            table.set(start, bytes(length * DIGEST_SIZE) if is_zero else UNKNOWN_DIGEST * length)
        table.flush()
    finally:
        table_file.close()
        file.close()


def _sizes(disks: dict[int, int]) -> str:
    return ", ".join(f"disk {index} with {size} bytes" for index, size in sorted(disks.items()))
