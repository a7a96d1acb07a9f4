"""A replica on the receiver (interface first; the storage follows within the hour)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from wherry.contract.wherry import ProofHalf

CreateDisk = Callable[[int, int], Path]
"""Makes the target of a disk from (index, size in bytes) and returns its path: a sparse file, or a block device."""


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


class Replica:
    """The replica of one task in a directory of its own, which one process holds at a time."""

    @classmethod
    def open(cls, directory: Path, task_id: str, create_disk: CreateDisk) -> Self:
        """Open or make the replica; applies what was committed and not applied. Raises ReplicaBusy, ReplicaDamaged, StorageFailed."""
        raise NotImplementedError

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest committed pass; None before pass 0 was committed."""
        raise NotImplementedError

    @property
    def disks(self) -> Sequence[ReplicaDisk]:
        """The disks; empty before the first session."""
        raise NotImplementedError

    def half(self, checkpoint: int) -> ProofHalf:
        """Read the medium and return the receiver's half of the proof. Raises CheckpointGone, StorageFailed."""
        raise NotImplementedError

    def close(self) -> None:
        """Shut the session that runs, if any, and release the replica."""
        raise NotImplementedError
