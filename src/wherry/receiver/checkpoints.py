"""Keeps consistent checkpoints as reflinks beside the replica, so that a landed server can be had as it was before.

``<replica>/checkpoint-<number>/disk-<index>.raw``: made in milliseconds, of the images' own blocks, while the replica
goes on. A folder appears as a whole or not at all; only the newest ones stay. Without reflinks nothing is kept.
"""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from wherry.durable import sync_directory
from wherry.receiver.drivers import Driver
from wherry.replication.errors import CheckpointGone, SnapshotRefused, StorageFailed
from wherry.replication.replica import Checkpoint

log = structlog.get_logger(__name__)

_NEW = ".checkpoint.new"


class Snapping(Protocol):
    """What this needs of a replica."""

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        """Clone the images of *checkpoint* into *folder*. Raises CheckpointGone, SnapshotRefused, StorageFailed."""


class Shelf(Protocol):
    """Where replicas are found."""

    def get(self, task_id: str) -> Snapping:
        """Return the replica of a task, opened."""


def checkpoint_folder(directory: Path, number: int) -> Path:
    """Return where what is kept of a checkpoint lies below the replica's *directory*."""
    return directory / f"checkpoint-{number:08}"


def kept_images(directory: Path) -> Mapping[int, Path]:
    """Return the folders of the checkpoints whose raw images are kept below the replica's *directory*, by number.

    A folder with nothing but qcow2 in it was converted from the replica's own images.
    """
    found = (path for path in directory.glob("checkpoint-*") if any(path.glob("disk-*.raw")))
    return {int(path.name.partition("-")[2]): path for path in found}


def keep_newest(directory: Path, most: int) -> None:
    """Remove what is kept of all checkpoints but the *most* newest. Raises OSError."""
    for old in sorted(directory.glob("checkpoint-*"))[:-most]:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(old)
    sync_directory(directory)


class CheckpointKeeper:
    """Keeps the *most* newest consistent checkpoints of each task; 0 keeps none."""

    def __init__(self, driver: Driver, replicas: Shelf, most: int, kept: Callable[[str], None] | None = None) -> None:
        """*kept* is told the task's id after each; it mustn't take long."""
        self._kept = kept
        self._driver = driver
        self._replicas = replicas
        self._most = most

    def committed(self, task_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint that the replica is at. What goes wrong is logged: the migration itself is none the worse.

        It's called by the session's thread, before the next pass can touch the medium.
        """
        if not self._most or not checkpoint.consistent:
            return
        directory = self._driver.replica_directory(task_id)
        try:
            self._keep(self._replicas.get(task_id), directory, checkpoint.number)
        except (CheckpointGone, SnapshotRefused, StorageFailed) as error:
            log.warning("checkpoint_not_kept", task_id=task_id, checkpoint=checkpoint.number, **error.facts)
        except OSError as error:
            log.warning("checkpoint_not_kept", task_id=task_id, checkpoint=checkpoint.number, reason=str(error))
        else:
            log.info("checkpoint_kept", task_id=task_id, checkpoint=checkpoint.number)
            if self._kept is not None:
                self._kept(task_id)

    def _keep(self, replica: Snapping, directory: Path, number: int) -> None:
        fresh = directory / _NEW
        if fresh.exists():
            shutil.rmtree(fresh)  # of a receiver that was killed
        try:
            replica.snapshot(number, fresh)
            fresh.rename(checkpoint_folder(directory, number))
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(fresh)
            raise
        keep_newest(directory, self._most)
