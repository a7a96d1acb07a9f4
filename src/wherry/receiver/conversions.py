"""Makes sparse qcow2 of checkpoints that stand still: as a whole and compared, or not at all.

``<replica>/checkpoint-<number>/disk-<index>.qcow2`` is made of the checkpoint that was kept as reflinks, or, where none
was (ext4), of the replica's own images once their checkpoint is consistent and its proof handed in: from then on only
a restart of the task changes them, and a conversion that this overtakes is thrown away. What is made lies in a folder
that the next start sweeps until it's renamed. What is missing is looked for on the medium, so a receiver that was
killed makes up for it.
"""

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import structlog

from wherry.durable import sync_directory
from wherry.errors import WherryError
from wherry.receiver.adoption import sizes_of
from wherry.receiver.agenda import Agenda
from wherry.receiver.checkpoints import checkpoint_folder, keep_newest
from wherry.receiver.drivers import Driver
from wherry.receiver.errors import ConversionRoomMissing
from wherry.receiver.proofs import was_handed_in
from wherry.replication.errors import CheckpointGone
from wherry.replication.record import Standing, read_standing

log = structlog.get_logger(__name__)

RETRY_S = 1800.0
"""Pause before what failed is tried again, in seconds: there may be room now."""
_NEW = ".qcow2.new"


class Conversions:
    """Converts in a thread of its own, one disk after the other; sessions never wait for it."""

    def __init__(
        self, driver: Driver, convert: Callable[[Path, Path], None], most: int, retry_s: float = RETRY_S
    ) -> None:
        """*most*: of how many checkpoints of a task something is kept."""
        self._driver = driver
        self._convert = convert
        self._most = most
        self._agenda = Agenda(retry_s)

    def look(self, task_id: str) -> None:
        """Have a task's replica looked at: something was kept or proven."""
        self._agenda.add(task_id)

    def end(self) -> None:
        """Have `run` return after the conversion it's at."""
        self._agenda.end()

    def run(self) -> None:
        """Sweep and make up for what a killed receiver left, then convert what comes to stand, until the end."""
        for present in self._driver.replicas():
            self._agenda.add(present)
        for task_id in self._agenda:
            try:
                self.settle(task_id)
            except (OSError, WherryError) as error:
                self._fail(task_id, self._driver.replica_directory(task_id), error)

    def settle(self, task_id: str) -> None:
        """Convert what a task's checkpoints lack, the newest kept one first. A failure is logged, and harms nobody.

        Raises OSError, StorageFailed, ReplicaDamaged where the replica's folder can't be read.
        """
        directory = self._driver.replica_directory(task_id)
        _sweep(directory)
        for raw in sorted(directory.glob("checkpoint-*/disk-*.raw"), reverse=True):
            if not raw.with_suffix(".qcow2").exists():
                self._attempt(task_id, raw, partial(self._of_kept, raw, directory), raw.exists)
        standing = _proven(directory)
        if standing is None:
            return
        folder = checkpoint_folder(directory, standing.checkpoint.number)
        if not folder.exists():
            self._attempt(
                task_id, folder, lambda: self._of_images(standing, folder), lambda: _proven(directory) == standing
            )

    def _attempt(self, task_id: str, path: Path, make: Callable[[], None], stands: Callable[[], bool]) -> None:
        """Convert by *make*; *stands* tells whether there is still what *path* is made of."""
        directory = self._driver.replica_directory(task_id)
        try:
            make()
        except (OSError, WherryError) as error:
            if stands():
                self._fail(task_id, path, error)
            else:
                log.info("conversion_overtaken", task_id=task_id, path=str(path))
        else:
            log.info("converted", task_id=task_id, path=str(path))
        finally:
            _sweep(directory)

    def _fail(self, task_id: str, path: Path, error: OSError | WherryError) -> None:
        self._agenda.add_again(task_id)
        facts = error.facts if isinstance(error, WherryError) else {"reason": str(error)}
        log.error("conversion_failed", task_id=task_id, path=str(path), **facts)

    def _of_kept(self, raw: Path, directory: Path) -> None:
        """Put the qcow2 of a kept image beside it."""
        target = raw.with_suffix(".qcow2")
        work = self._make({target.name: raw}, directory)
        (work / target.name).replace(target)
        sync_directory(target.parent)

    def _of_images(self, standing: Standing, folder: Path) -> None:
        """Make the *folder* of the checkpoint that the images stand at. Raises CheckpointGone when it was overtaken."""
        directory = folder.parent
        work = self._make({f"disk-{disk.index}.qcow2": disk.path for disk in standing.disks}, directory)
        sync_directory(work)
        if _proven(directory) != standing:
            raise CheckpointGone(actual="another", wanted=standing.checkpoint.number)
        work.rename(folder)
        keep_newest(directory, self._most)

    def _make(self, images: dict[str, Path], directory: Path) -> Path:
        """Convert raw images into files of these names in a new folder below *directory*, which is returned."""
        needed, free = _taken(images.values()), self._driver.free_bytes()
        if needed > free:
            raise ConversionRoomMissing(path=next(iter(images.values())), needed=needed, free=free)
        work = directory / _NEW
        work.mkdir(mode=0o700)
        for name, raw in images.items():
            self._convert(raw, work / name)
        return work


def _proven(directory: Path) -> Standing | None:
    """Return what a replica stands at if that's consistent and its proof was handed in, else None."""
    standing = read_standing(directory)
    if standing is None or not standing.checkpoint.consistent:
        return None
    return standing if was_handed_in(directory, standing.checkpoint.number) else None


def _taken(images: Iterable[Path]) -> int:
    """Return how many bytes sparse files take on their medium; of a device, its size."""
    return sum(sizes_of([image])[0] if image.is_block_device() else image.stat().st_blocks * 512 for image in images)


def _sweep(directory: Path) -> None:
    work = directory / _NEW
    if work.exists():
        shutil.rmtree(work)
