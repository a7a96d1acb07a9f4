"""Disks that were there before their replica: an old server's, to which a launched target fails back, or a seed.

They're taken as they are. What they hold is read once, so that a source sends only what it has otherwise; what has been
read when the program dies isn't read again. They're never made or enlarged, and not touched beyond the source's end.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.replication.errors import AdoptionRefused, DiskExchanged, DisksDiffer, ReplicaBusy
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.growing import growth
from wherry.replication.medium import resolve_unknown
from wherry.replication.messages import DiskLine
from wherry.replication.record import RECORD_NAME, ReplicaDisk, ReplicaRecord, decode_record, encode_record
from wherry.replication.redo import log_path
from wherry.replication.replicadisk import OpenDisk, holds_what_is_known, make_table, open_disk
from wherry.replication.storage import FileStorage, Storage
from wherry.replication.turn import DirectoryLock

Progress = Callable[[int, int], None]
"""Told how many bytes have been read, and how many there are to be read in all."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was adopted. *begun*: a source has begun to send already, so that nothing was read."""

    disks: Sequence[ReplicaDisk]
    begun: bool


def claims(record: ReplicaRecord, announced: Sequence[DiskLine]) -> list[DiskLine]:
    """Return which of the disks *announced* the adopted ones have to become: by their name, or by their size.

    Before the first commit a source may be smaller than the disk that was adopted for it. Raises DisksDiffer when there
    are more or fewer of them, or when one has become smaller since.
    """
    known = {disk.index: (disk.name, disk.size) for disk in record.disks}
    wanted = {line.index: (line.name, line.size) for line in announced}
    if known.keys() != wanted.keys():
        raise DisksDiffer(
            reason=f"the source has {len(wanted)} disk(s), {len(known)} were adopted",
            cause="Every disk of the source goes to a disk that was adopted, in the order of the task's disks.",
            fix="Remove the task's folder at the receiver, which leaves the disks alone, and adopt as many as it has.",
        )
    if record.checkpoint is not None:
        return growth(record.disks, announced)
    return [line for line in announced if known[line.index] != (line.name, line.size)]


def check_media(disks: Iterable[OpenDisk]) -> None:
    """Check that adopted disks are still those that were read. Raises DiskExchanged, StorageFailed."""
    for disk in disks:
        if not holds_what_is_known(disk):
            raise DiskExchanged(path=disk.line.path)


def adopt(
    directory: Path,
    task_id: str,
    media: Sequence[Path],
    *,
    in_place: bool = False,
    storage: Storage | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Adoption:
    """Make the disks *media*, in this order, the replica of *task_id* in *directory*; read what isn't known of them.

    *in_place*: the first pass is written straight to them. It may be repeated: what an earlier call has read is known,
    unless it had read all of them; then they are read anew, since they may have been used since. Once a source has
    begun to send, nothing is done. Raises AdoptionRefused, ReplicaBusy, ReplicaDamaged, TargetTooSmall, StorageFailed;
    DiskInUse for a device that others have.
    """
    storage = FileStorage() if storage is None else storage
    lock = _locked(directory)
    try:
        record = _recorded(storage, directory)
        if record is None:
            record = _fresh(storage, directory, task_id, media)
        else:
            _check_same(directory, record, task_id, media)
        if record.checkpoint is not None or storage.exists(log_path(directory, 0)):
            return Adoption(record.disks, begun=True)
        record = replace(record, logged=not in_place)
        # From here on they are the task's disks; what isn't read yet, the receiver would read at its first session.
        storage.write_record(directory / RECORD_NAME, encode_record(record))
        _read(storage, directory, record, progress)
    finally:
        lock.release()
    return Adoption(record.disks, begun=False)


def _locked(directory: Path) -> DirectoryLock:
    try:
        return DirectoryLock(directory)
    except ReplicaBusy as error:
        raise ReplicaBusy(
            directory=directory,
            reason="the receiver has it open, or another adoption runs",
            cause="An agent has connected for this task; or the command was given twice.",
            fix="To have disks read again, stop the receiver, adopt them, and start it; else there's nothing to do.",
        ) from error


def _recorded(storage: Storage, directory: Path) -> ReplicaRecord | None:
    content = storage.read_record(directory / RECORD_NAME)
    return None if content is None else decode_record(content, directory)


def _fresh(storage: Storage, directory: Path, task_id: str, media: Sequence[Path]) -> ReplicaRecord:
    disks = []
    for index, path in enumerate(media):
        file = storage.open(path)
        size = file.size
        file.close()
        disks.append(ReplicaDisk(index, "", size, path))
        make_table(storage, disks[-1], directory)
    return ReplicaRecord(task_id, disks, None, None, uuid.uuid4().hex, adopted=True)


def _check_same(directory: Path, record: ReplicaRecord, task_id: str, media: Sequence[Path]) -> None:
    known = [disk.path for disk in record.disks]
    if record.task_id != task_id:
        raise AdoptionRefused(directory=directory, reason=f"the replica there belongs to task {record.task_id}")
    if not record.adopted:
        raise AdoptionRefused(directory=directory, reason="the task has disks there that were made for it")
    if known != list(media):
        raise AdoptionRefused(directory=directory, reason=f"adopted are {_named(known)}, and not {_named(media)}")


def _named(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def _read(storage: Storage, directory: Path, record: ReplicaRecord, progress: Progress) -> None:
    with contextlib.ExitStack() as opened:
        disks = [opened.enter_context(_opened(storage, line, directory)) for line in record.disks]
        # All of them were read before, but may have been used since; or the rest of what was read is on another disk.
        if not any(map(_unknown, disks)) or not all(map(holds_what_is_known, disks)):
            for disk in disks:
                disk.table.mark_unknown(0, disk.table.count)
                disk.table.flush()
        done, total = 0, sum(map(_unknown, disks))

        def advanced(count: int) -> None:
            nonlocal done
            done += count
            progress(done * GRANULE_SIZE, total * GRANULE_SIZE)

        for disk in disks:
            resolve_unknown(disk.file, disk.table, disk.line.size, advanced)


@contextlib.contextmanager
def _opened(storage: Storage, line: ReplicaDisk, directory: Path) -> Iterator[OpenDisk]:
    disk = open_disk(storage, line, directory, landing=False)
    with contextlib.closing(disk.file), contextlib.closing(disk.table):
        yield disk


def _unknown(disk: OpenDisk) -> int:
    """Return of how many granules it isn't known what they hold."""
    return sum(count for _, count in disk.table.unknown_runs())
