"""The durable record of a replica: its disks and newest checkpoint, in one JSON file that is replaced as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wherry.replication.errors import ReplicaDamaged, StorageFailed

RECORD_NAME = "replica.json"
"""The record's file in the folder of the replica."""


@dataclass(frozen=True, slots=True)
class ReplicaDisk:
    """A disk of the replica: *size* in bytes, *path* of its image or device."""

    index: int
    name: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A committed pass. *taken_at* in epoch milliseconds; *covered*: for each disk runs (first granule, count)."""

    number: int
    consistent: bool
    taken_at: int
    covered: Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class ReplicaRecord:
    """Everything that a replica must remember besides tables and log.

    applying: the committed pass whose log is being written to the medium; None when the medium is at the checkpoint.
    identity: tells this replica from any other, also of the same task.
    adopted: its disks were there before it; they are neither made nor enlarged.
    logged: the first pass goes to a redo log too, so that the disks stay what they were until it's committed.
    """

    task_id: str
    disks: Sequence[ReplicaDisk]
    checkpoint: Checkpoint | None
    applying: int | None
    identity: str = ""
    adopted: bool = False
    logged: bool = False

    @property
    def lands_in_place(self) -> bool:
        """Whether the next pass is written straight to the disks."""
        return self.checkpoint is None and not self.logged


@dataclass(frozen=True, slots=True)
class Standing:
    """A replica whose medium is at *checkpoint*; *identity* as in its record."""

    identity: str
    disks: Sequence[ReplicaDisk]
    checkpoint: Checkpoint


class _DiskForm(msgspec.Struct, frozen=True):
    index: int
    name: str
    size: int
    path: str


class _CheckpointForm(msgspec.Struct, frozen=True):
    number: int
    consistent: bool
    taken_at: int
    covered: list[tuple[int, list[tuple[int, int]]]]


class _RecordForm(msgspec.Struct, frozen=True):
    version: int
    task_id: str
    disks: list[_DiskForm]
    checkpoint: _CheckpointForm | None
    applying: int | None
    identity: str = ""
    adopted: bool = False
    logged: bool = False


def read_standing(directory: Path) -> Standing | None:
    """Return what the medium of the replica in *directory* stands at; None while it's between checkpoints or in pass 0.

    For those who read the images without holding the replica: its record says so before the medium changes. So all that
    was read between two equal answers is of that checkpoint. Raises StorageFailed, ReplicaDamaged.
    """
    path = directory / RECORD_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailed.of(path, error) from error
    record = decode_record(content, directory)
    if record.checkpoint is None or record.applying is not None:
        return None
    return Standing(record.identity, record.disks, record.checkpoint)


def encode_record(record: ReplicaRecord) -> bytes:
    """Return *record* as JSON."""
    checkpoint = record.checkpoint
    form = _RecordForm(
        version=1,
        task_id=record.task_id,
        disks=[_DiskForm(disk.index, disk.name, disk.size, str(disk.path)) for disk in record.disks],
        checkpoint=None if checkpoint is None else _checkpoint_form(checkpoint),
        applying=record.applying,
        identity=record.identity,
        adopted=record.adopted,
        logged=record.logged,
    )
    return msgspec.json.encode(form)


def decode_record(content: bytes, directory: Path) -> ReplicaRecord:
    """Return the record in *content*. Raises ReplicaDamaged, which names *directory*, when there is none in it."""
    try:
        form = msgspec.json.decode(content, type=_RecordForm)
    except msgspec.MsgspecError as error:
        raise ReplicaDamaged(directory=directory, reason=f"its record can't be read: {error}") from error
    if form.version != 1:
        raise ReplicaDamaged(
            directory=directory,
            reason=f"its record has version {form.version}",
            cause="A newer receiver wrote it.",
            fix="Run the newer receiver again.",
        )
    return ReplicaRecord(
        task_id=form.task_id,
        disks=[ReplicaDisk(disk.index, disk.name, disk.size, Path(disk.path)) for disk in form.disks],
        checkpoint=None if form.checkpoint is None else _checkpoint_of(form.checkpoint),
        applying=form.applying,
        identity=form.identity,
        adopted=form.adopted,
        logged=form.logged,
    )


def _checkpoint_form(checkpoint: Checkpoint) -> _CheckpointForm:
    covered = [(index, list(runs)) for index, runs in sorted(checkpoint.covered.items())]
    return _CheckpointForm(checkpoint.number, checkpoint.consistent, checkpoint.taken_at, covered)


def _checkpoint_of(form: _CheckpointForm) -> Checkpoint:
    return Checkpoint(form.number, form.consistent, form.taken_at, dict(form.covered))
