"""The replica of a task on the receiver: what its disks hold, how a pass becomes a checkpoint, and how it recovers.

Pass 0 is written in place (`landing`), unless its disks were adopted; later passes go to a redo log (`redo`) and are
applied to the medium when they are committed. Whatever dies in between: after `open` the medium is at the newest
checkpoint (or in pass 0, with a table that tells the truth), and what was made durable of an open pass is still there.
docs/protocol.md has the rules.
"""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from wherry.contract.wherry import ProofHalf
from wherry.replication import coverage
from wherry.replication.adopting import check_media, claims
from wherry.replication.digests import Overlay
from wherry.replication.errors import (
    CheckpointGone,
    PatchesUnfit,
    ProtocolViolated,
    ReplicaDamaged,
    StorageFailed,
)
from wherry.replication.fitting import Fitter, note
from wherry.replication.frames import Opened
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.granuleset import Mask
from wherry.replication.growing import growth, resize_table
from wherry.replication.landing import Landing, bring
from wherry.replication.lobby import Lobby
from wherry.replication.medium import resolve_unknown
from wherry.replication.messages import CommitPass, Committed, DiskLine
from wherry.replication.record import RECORD_NAME, Checkpoint, ReplicaDisk, ReplicaRecord, decode_record, encode_record
from wherry.replication.redo import RedoLog, log_path, told_by
from wherry.replication.replicadisk import OpenDisk, make_table, medium_root, open_disk
from wherry.replication.snapshots import reflink
from wherry.replication.storage import FileStorage, Storage
from wherry.replication.tally import Tally
from wherry.replication.turn import DirectoryLock, Turn

__all__ = ["Checkpoint", "CreateDisk", "Replica", "ReplicaDisk"]

CreateDisk = Callable[[int, int], Path]
"""Makes the target of a disk from (index, size in bytes) and returns its path: a sparse file, or a block device.

It may be called again for the same disk, after a crash or with a larger size, and then returns the same path. Content
that is there already is recognised and digested.
"""

Runs = Sequence[tuple[int, int]]


class Replica:
    """The replica of one task in a directory of its own, which one process holds at a time.

    `session` gives one session at a time the right to `prepare`, `begin`, `store`, `sync` and `commit`; a later session
    takes over from an earlier one. `half` and the properties may be used by any thread.
    """

    def __init__(
        self, directory: Path, task_id: str, create_disk: CreateDisk, storage: Storage, lock: DirectoryLock
    ) -> None:
        self.directory = directory
        self.task_id = task_id
        self._create_disk = create_disk
        self._storage = storage
        self._lock = lock
        self._turn = Turn(directory)
        self._medium = threading.Lock()  # held while the medium moves from one checkpoint to the next, or is read
        self._disks: dict[int, OpenDisk] = {}
        self._log: RedoLog | None = None
        self._tally = Tally()
        self._fitter = Fitter()
        self._sound = False
        self._record = ReplicaRecord(task_id, [], None, None, uuid.uuid4().hex)
        self.lobby = Lobby()
        """Where further connections find the session that has the turn."""

    # Opening and closing

    @classmethod
    def open(cls, directory: Path, task_id: str, create_disk: CreateDisk, *, storage: Storage | None = None) -> Self:
        """Open or make the replica and recover it; applies what was committed and not applied yet.

        A medium that refuses (full, I/O errors) is told to the next session, which tries again.
        Raises ReplicaBusy when another process has it, ReplicaDamaged when its files contradict each other.
        """
        lock = DirectoryLock(directory)
        replica = cls(directory, task_id, create_disk, FileStorage() if storage is None else storage, lock)
        try:
            replica._load()
            with contextlib.suppress(StorageFailed):
                replica._recover()
        except BaseException:
            replica._release()
            raise
        return replica

    def close(self) -> None:
        """Shut the session that runs, if any, and release the replica. Raises ReplicaBusy when that doesn't end."""
        self._turn.close()
        with self._medium:
            self._release()

    def _release(self) -> None:
        self._close_files()
        self._lock.release()

    def _close_files(self) -> None:
        self._sound = False
        for disk in self._disks.values():
            disk.file.close()
            disk.table.close()
        self._disks = {}
        if self._log is not None:
            self._log.close()
            self._log = None

    # What it is

    @property
    def identity(self) -> str:
        """Tells this replica from any other, also from an earlier one of the same task."""
        return self._record.identity

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest committed pass; None before pass 0 was committed."""
        return self._record.checkpoint

    @property
    def disks(self) -> Sequence[ReplicaDisk]:
        """The disks; empty before the first session."""
        return self._record.disks

    @property
    def next_pass(self) -> int:
        """The number of the pass that is open, or would be begun next."""
        return 0 if self._record.checkpoint is None else self._record.checkpoint.number + 1

    @property
    def open_pass(self) -> int | None:
        """The pass of which something has been stored already, if any."""
        return self._log.number if self._log is not None and not self._log.is_empty else None

    def digests(self, index: int, first: int, count: int) -> bytes:
        """Return what granules of disk *index* hold, the open pass included. For the session that has the turn."""
        return self._disks[index].view.get(first, count)

    def changes(self, index: int) -> Iterator[tuple[int, bytes]]:
        """Yield where disk *index* may differ from the checkpoint by the open pass: (first granule, joined digests).

        For the session that has the turn, after pass 0.
        """
        view = self._disks[index].view
        return view.changes() if isinstance(view, Overlay) else iter(())

    def granules(self, index: int) -> int:
        """Return how many granules disk *index* has; 0 when there's none."""
        disk = self._disks.get(index)
        return 0 if disk is None else disk.table.count

    def half(self, checkpoint: int) -> ProofHalf:
        """Read the medium and return the receiver's half of the proof. Raises CheckpointGone, StorageFailed."""
        with self._turn.taken_if_idle() as idle:
            if idle and not self._sound:
                self._recover()  # a session that broke off does that when the next one comes, which nobody waits for
        with self._medium:
            current = self._check_stands(checkpoint)
            disks = [medium_root(disk, current.covered.get(disk.line.index, ())) for disk in self._disks.values()]
            return ProofHalf(checkpoint=checkpoint, taken_at=current.taken_at, disks=disks)

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        """Freeze the images of *checkpoint* into files below *folder* that share their blocks, by disk index.

        They stay as they are while the replica goes on. Durable on return. The folder must be on the images' own
        filesystem. Raises CheckpointGone, SnapshotRefused where that knows no reflinks, StorageFailed.
        """
        with self._medium:
            self._check_stands(checkpoint)
            return reflink({index: disk.line.path for index, disk in self._disks.items()}, folder)

    def _check_stands(self, checkpoint: int) -> Checkpoint:
        current = self._record.checkpoint
        if current is None or current.number != checkpoint or not self._sound:
            raise CheckpointGone(actual=current.number if current and self._sound else "none", wanted=checkpoint)
        return current

    # Sessions

    @contextlib.contextmanager
    def session(self, shut: Callable[[], None]) -> Iterator[None]:
        """Have the turn. *shut* is called by another thread when somebody else wants it; then leave soon.

        Raises ReplicaBusy when the one before doesn't leave, StorageFailed while the medium still refuses.
        """
        with self._turn.taken(shut):
            try:
                if not self._sound:
                    self._recover()
                yield
            finally:
                with contextlib.suppress(StorageFailed):
                    self._settle()
                    self._drop_empty_log()

    def _drop_empty_log(self) -> None:
        """Leave no log behind that nothing was stored in: what lies there is a pass that somebody has begun."""
        if self._log is not None and self._log.is_empty:
            with self._watched():
                self._log.close()
                self._storage.remove(log_path(self.directory, self._log.number))
                self._log = None

    def _settle(self) -> None:
        """Make everything durable and leave no marks behind."""
        if not self._sound:
            return
        self.sync()
        with self._watched():
            for disk in self._disks.values():
                if isinstance(disk.view, Landing):
                    disk.view.settle()
                    disk.table.flush()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Remember that something broke off: memory and medium may differ then, and the next session recovers first."""
        try:
            yield
        except BaseException:
            self._sound = False
            raise

    # Storing, for the session that has the turn

    def prepare(self, lines: Sequence[DiskLine]) -> None:
        """Make the disks, or those that are new, and enlarge those that have grown.

        Raises DisksDiffer when one is missing or smaller, or isn't among those that were adopted, TargetTooSmall,
        StorageFailed.
        """
        if len({line.index for line in lines}) != len(lines):
            raise ProtocolViolated(reason="two disks with the same index")
        changed = claims(self._record, lines) if self._record.adopted else growth(self._record.disks, lines)
        if changed:
            self._make_disks(changed)

    def begin(self, number: int) -> None:
        """Begin pass *number*, or go on with it. Raises ProtocolViolated when another one is due."""
        if number != self.next_pass:
            raise ProtocolViolated(reason=f"pass {number} was begun where {self.next_pass} was due")
        self.make_ready()

    def make_ready(self) -> None:
        """Make the log of the next pass, so that its beginning doesn't wait for the medium. Raises StorageFailed."""
        if not self._record.lands_in_place and self._log is None:
            with self._watched():
                self._log = RedoLog.create(self._storage, log_path(self.directory, self.next_pass), self.next_pass)
            self._tally = Tally()

    def check(self, opened: Opened) -> None:
        """Check that a data frame fits a disk and the pass. Raises ProtocolViolated otherwise."""
        header = opened.header
        disk = self._disks.get(header.disk)
        if disk is None:
            raise ProtocolViolated(reason=f"a frame for disk {header.disk}, which was not announced")
        if header.pass_number != self.next_pass:
            raise ProtocolViolated(reason=f"a frame of pass {header.pass_number} in pass {self.next_pass}")
        if opened.end > disk.line.size or (opened.end % GRANULE_SIZE and opened.end != disk.line.size):
            raise ProtocolViolated(reason=f"a frame that does not fit disk {header.disk}")
        if opened.patch is not None and self._log is None:
            raise ProtocolViolated(reason="a patch before there is anything to be patched")

    def fits(self, opened: Opened) -> Mask:
        """Tell for each granule of a checked PATCH whether it becomes what it should.

        For any thread, while the pass is open. Raises StorageFailed.
        """
        return self._fitter.fits(self._disks[opened.header.disk], opened)

    def unfit(self, index: int) -> Sequence[int]:
        """Return the granules of disk *index* that were patched in vain: they have to be sent as a whole."""
        return sorted(self._disks[index].unfit)

    def store(self, opened: Opened, fitting: Mask | None = None) -> None:
        """Store a checked data frame; durable by the next `sync`. *fitting*: what `fits` says of a PATCH.

        Raises StorageFailed.
        """
        disk = self._disks[opened.header.disk]
        with self._watched():
            if self._tally.count(disk, opened) and self._log is None:
                return  # the medium holds it already
            if isinstance(disk.view, Landing):
                disk.view.write(opened)
                disk.touched = True
            elif self._log is not None:
                self._log.append(opened.head, opened.stored)
                note(disk, opened, fitting)

    def sync(self) -> None:
        """Return when everything stored is durable. Raises StorageFailed."""
        with self._watched():
            if self._log is not None:
                self._log.sync()
            for disk in self._disks.values():
                if disk.touched and isinstance(disk.view, Landing):
                    disk.file.sync()
                    disk.view.seal()
                    disk.touched = False

    def commit(
        self,
        message: CommitPass,
        covered: Mapping[int, Runs],
        frames: Sequence[tuple[bytes, bytes]],
        answer: Callable[[Committed], None],
    ) -> Checkpoint:
        """Make the pass a checkpoint.

        *frames*: the COVERED and COMMIT frames as they came, (header, payload), for the log. *answer* is called as soon
        as the commit is durable; the log is applied to the medium after that. Returns the checkpoint when the medium is
        at it. Raises ProtocolViolated, PatchesUnfit, StorageFailed, and what *answer* raises, which changes nothing any
        more.
        """
        if message.number != self.next_pass:
            raise ProtocolViolated(reason=f"pass {message.number} was committed where {self.next_pass} was due")
        if self._log is None and not self._record.lands_in_place:
            raise ProtocolViolated(reason=f"pass {message.number} was committed but never begun")
        coverage.check(covered, self._sizes)
        if message.toggles and self._record.checkpoint is None:
            raise ProtocolViolated(reason="a first commit that refers to one before")
        unfit = sum(len(disk.unfit) for disk in self._disks.values())
        if unfit:
            raise PatchesUnfit(number=message.number, count=unfit)
        committed = Committed(
            checkpoint=message.number, received_bytes=self._tally.received, repeated_bytes=self._tally.repeated
        )
        with self._medium, self._watched():
            if self._log is None:
                checkpoint = self._checkpoint_of(message, covered)
                self._commit_landing(checkpoint)
                answer(committed)
                return checkpoint
            # One sync for all: a log in which the COMMIT is durable, and something before it isn't, counts as torn.
            for head, payload in frames:
                self._log.append(head, payload)
            self._log.sync()
            self._log.committed = True
            try:
                answer(committed)
            finally:
                # Whoever waits for the answer is frozen; the rest has time.
                checkpoint = self._checkpoint_of(message, covered)
                self._apply(self._log, checkpoint)
        return checkpoint

    @property
    def _sizes(self) -> Mapping[int, int]:
        return {disk.index: disk.size for disk in self._record.disks}

    def _checkpoint_of(self, message: CommitPass, covered: Mapping[int, Runs]) -> Checkpoint:
        before = self._record.checkpoint
        covers = coverage.after({} if before is None else before.covered, covered, self._sizes, toggles=message.toggles)
        return Checkpoint(message.number, message.consistent, message.taken_at, covers)

    def _commit_landing(self, checkpoint: Checkpoint) -> None:
        self._settle()
        self._write_record(replace(self._record, checkpoint=checkpoint))
        for disk in self._disks.values():
            disk.view = Overlay(disk.table)
        self._tally = Tally()

    def _apply(self, log: RedoLog, checkpoint: Checkpoint) -> None:
        """Write a committed log to the medium. May be repeated from any point of it."""
        if self._record.applying is None:
            # From here on the medium is between two checkpoints: without the log it would be neither.
            self._write_record(replace(self._record, applying=log.number))
        views = {index: Overlay(disk.table) for index, disk in self._disks.items()}
        complete = False
        for record in log.records():
            complete = isinstance(record.message, CommitPass)
            if record.message is not None:
                continue
            self.check(record.opened)
            index = record.opened.header.disk
            bring(self._disks[index].file, record.opened)
            for first, digests in record.opened.entries():
                views[index].set(first, digests)
        if not complete:
            raise ReplicaDamaged(directory=self.directory, reason=f"the committed log of pass {log.number} is damaged")
        for index, disk in self._disks.items():
            disk.view = Overlay(disk.table)
            if not views[index].is_changed:
                continue
            disk.file.sync()
            for first, digests in views[index].changes():
                disk.table.set(first, digests)
            disk.table.flush()
        self._write_record(replace(self._record, checkpoint=checkpoint, applying=None))
        log.close()
        self._log = None
        self._tally = Tally()
        self._storage.remove(log_path(self.directory, log.number))

    # Recovery

    def _load(self) -> None:
        content = self._storage.read_record(self._record_path)
        if content is None:
            return
        record = decode_record(content, self.directory)
        if record.task_id != self.task_id:
            raise ReplicaDamaged(directory=self.directory, reason=f"it belongs to task {record.task_id}")
        # One of an earlier version has no identity; it gets one with the next record.
        self._record = record if record.identity else replace(record, identity=self._record.identity)

    def _recover(self) -> None:
        """Bring memory and medium to what the files say. Raises StorageFailed, ReplicaDamaged; may be tried again."""
        with self._medium:
            self._close_files()
            landing = self._record.lands_in_place
            for line in self._record.disks:
                self._disks[line.index] = open_disk(self._storage, line, self.directory, landing=landing)
            check_media(self._disks.values() if self._record.adopted else ())
            self._tally = Tally()
            self._recover_log()
            if self._log is None:
                for disk in self._disks.values():
                    resolve_unknown(disk.file, disk.table, disk.line.size)
            self._sound = True

    def _recover_log(self) -> None:
        if self._record.lands_in_place:
            return
        number = self.next_pass
        # The log of a pass that was applied, but whose removal didn't become durable.
        applied = log_path(self.directory, number - 1)
        if number and self._storage.exists(applied):
            self._storage.remove(applied)
        path = log_path(self.directory, number)
        log = RedoLog.open(self._storage, path, number) if self._storage.exists(path) else None
        if self._record.applying is not None and (log is None or not log.committed):
            if log is not None:
                log.close()
            raise ReplicaDamaged(directory=self.directory, reason=f"the log of committed pass {number} is gone")
        self._log = log
        if log is None:
            return
        if log.committed:
            message, covered = told_by(log)
            self._apply(log, self._checkpoint_of(message, covered))
            return
        for record in log.records():
            if record.message is None:
                self.check(record.opened)
                disk = self._disks[record.opened.header.disk]
                self._tally.count(disk, record.opened)
                note(disk, record.opened, None if record.opened.patch is None else self.fits(record.opened))
        self._drop_empty_log()

    def _make_disks(self, lines: Sequence[DiskLine]) -> None:
        """Make or enlarge disks. What there is of an open pass goes: its frames end where a disk ended before."""
        with self._medium:
            self._close_files()
            if not self._record.lands_in_place:
                self._storage.remove(log_path(self.directory, self.next_pass))
            disks = {disk.index: disk for disk in self._record.disks}
            for line in lines:
                before = disks.get(line.index)
                now = ReplicaDisk(line.index, line.name, line.size, self._place_of(before, line))
                if before is None:
                    make_table(self._storage, now, self.directory)
                else:
                    resize_table(self._storage, before, now, self.directory)
                disks[line.index] = now
            self._write_record(replace(self._record, disks=[disks[index] for index in sorted(disks)]))
        self._recover()

    def _place_of(self, before: ReplicaDisk | None, line: DiskLine) -> Path:
        if self._record.adopted and before is not None:
            return before.path
        try:
            return self._create_disk(line.index, line.size)
        except OSError as error:
            raise StorageFailed.of(self.directory, error) from error

    def _write_record(self, record: ReplicaRecord) -> None:
        self._storage.write_record(self._record_path, encode_record(record))
        self._record = record

    @property
    def _record_path(self) -> Path:
        return self.directory / RECORD_NAME
