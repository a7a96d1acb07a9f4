"""Finds disks that stand still for an order: a kept checkpoint, a reflink of the replica, or the replica itself.

The replica itself will do only where nobody goes on with it: at the end of a cutover, in a drill, or when the task is
done or stopped. What was found is noted, so that an order that is taken up again works on the same disks.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from wherry.contract.enumerations import OrderKind, TaskState
from wherry.contract.landing import LandingOrder
from wherry.durable import sync_directory, write_file
from wherry.receiver.checkpoints import kept_images
from wherry.receiver.errors import ReplicaMoving
from wherry.receiver.landing.words import StandingDisks
from wherry.replication.errors import CheckpointGone, SnapshotRefused
from wherry.replication.record import Checkpoint, ReplicaDisk
from wherry.replication.snapshots import reflink

_WAITED_FOR = frozenset({OrderKind.LAND, OrderKind.DRILL})
"""Orders that the agent waits for, without going on with the replica meanwhile."""
_AT_REST = frozenset({TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS, TaskState.ABORT})
_NEW = ".base.new"


class ReplicaView(Protocol):
    """What this needs of a replica."""

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest committed pass."""

    @property
    def disks(self) -> Sequence[ReplicaDisk]:
        """Its disks."""

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        """Clone the images of *checkpoint* into *folder*. Raises CheckpointGone, SnapshotRefused, StorageFailed."""


class _Base(msgspec.Struct, frozen=True):
    checkpoint: int
    disks: tuple[str, ...]
    names: tuple[str, ...]
    own: bool


def recall(folder: Path) -> StandingDisks | None:
    """Return what was found for the order in *folder*, None before."""
    try:
        base = msgspec.json.decode((folder / "base.json").read_bytes(), type=_Base)
    except FileNotFoundError:
        return None
    return StandingDisks(base.checkpoint, tuple(Path(disk) for disk in base.disks), base.names, base.own)


def find_standing(
    order: LandingOrder, task_state: str, replica: ReplicaView, directory: Path, folder: Path
) -> StandingDisks | None:
    """Return disks for *order* of the replica in *directory*; None while there's no consistent checkpoint to be had.

    *folder* is the order's. Raises CheckpointGone, ReplicaMoving, StorageFailed, OSError.
    """
    known = recall(folder)
    if known is not None:
        return known
    moving = order.kind not in _WAITED_FOR and task_state not in _AT_REST
    if moving and not reflinks_in(folder):
        raise ReplicaMoving(task_id=order.task_id, reason="the filesystem of the images knows no reflinks")
    kept = kept_images(directory)
    current = replica.checkpoint
    there = {*kept, *([current.number] if current is not None and current.consistent else [])}
    if order.checkpoint is None:
        number = _newest(there, folder, fresh=order.fresh)
        if number is None:
            return None
    else:
        number = order.checkpoint
    try:
        return _take(number, kept.get(number), replica, folder)
    except CheckpointGone:
        if order.checkpoint is None:
            return None  # a newer one has taken its place this moment
        raise
    except SnapshotRefused as error:
        if moving:
            # Disks that were adopted are elsewhere than the folder.
            raise ReplicaMoving(task_id=order.task_id, reason=error.message) from error
        return _note(folder, number, {disk.index: disk.path for disk in replica.disks}, _names(replica), own=False)


def reflinks_in(folder: Path) -> bool:
    """Whether files in *folder* can share their blocks."""
    probe = folder / ".probe"
    probe.write_bytes(b"w" * 4096)
    try:
        reflink({0: probe}, folder / ".probes")
    except SnapshotRefused:
        return False
    finally:
        probe.unlink()
        shutil.rmtree(folder / ".probes", ignore_errors=True)
    return True


def _newest(there: set[int], folder: Path, *, fresh: bool) -> int | None:
    """Return the newest checkpoint; for a fresh one, one that wasn't there when the order was seen first."""
    newest = max(there, default=None)
    if not fresh:
        return newest
    seen = folder / "seen.json"
    if not seen.exists():
        write_file(seen, msgspec.json.encode(newest), mode=0o600)
    before: int | None = msgspec.json.decode(seen.read_bytes(), type=int | None)
    return newest if newest is not None and (before is None or newest > before) else None


def _take(number: int, kept: Path | None, replica: ReplicaView, folder: Path) -> StandingDisks:
    fresh = folder / _NEW
    if fresh.exists():
        shutil.rmtree(fresh)  # of a receiver that was killed
    try:
        if kept is not None:
            _link(kept, fresh)
        else:
            replica.snapshot(number, fresh)
    except FileNotFoundError as error:  # the kept checkpoint went away meanwhile
        raise CheckpointGone(actual="another", wanted=number) from error
    base = folder / "base"
    if base.exists():
        shutil.rmtree(base)
    fresh.rename(base)
    disks = {int(disk.stem.partition("-")[2]): disk for disk in base.glob("disk-*.raw")}
    return _note(folder, number, disks, _names(replica), own=True)


def _names(replica: ReplicaView) -> Mapping[int, str]:
    return {disk.index: disk.name for disk in replica.disks}


def _link(kept: Path, folder: Path) -> None:
    """Give the files of a kept checkpoint further names, so that they stay when that is removed."""
    folder.mkdir(mode=0o700)
    for disk in kept.glob("disk-*.raw"):
        os.link(disk, folder / disk.name)
    sync_directory(folder)


def _note(
    folder: Path, number: int, disks: Mapping[int, Path], names: Mapping[int, str], *, own: bool
) -> StandingDisks:
    found = StandingDisks(
        number,
        tuple(disks[index] for index in sorted(disks)),
        tuple(names.get(index, "") for index in sorted(disks)),
        own,
    )
    base = _Base(number, tuple(str(disk) for disk in found.disks), found.names, own)
    write_file(folder / "base.json", msgspec.json.encode(base), mode=0o600)
    return found
