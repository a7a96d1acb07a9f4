"""Makes a sparse qcow2 of each kept checkpoint, which stands still: as a whole and proven equal, or not at all.

``<replica>/checkpoint-<number>/disk-<index>.qcow2`` appears by a rename; until then it lies in a folder that the next
start sweeps. What is missing is looked for on the medium, so a receiver that was killed makes up for it.
"""

import os
import queue
import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

from wherry.durable import sync_directory
from wherry.errors import WherryError
from wherry.process import run
from wherry.receiver.drivers import Driver
from wherry.receiver.errors import ConversionRoomMissing

log = structlog.get_logger(__name__)

CONVERSION_S = 24 * 3600.0
"""How long one step of `qemu-img` may take, in seconds; a bound for a hanging medium, not for slow ones."""
_NEW = ".qcow2.new"


def require_converter() -> None:
    """Raise ProgramMissing unless `qemu-img` (package qemu-utils) is there."""
    run(["qemu-img", "--version"], timeout_s=60)


class Conversions:
    """Converts in a thread of its own, one disk after the other; sessions never wait for it."""

    def __init__(self, driver: Driver, convert: Callable[[Path, Path], None]) -> None:
        self._driver = driver
        self._convert = convert
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def kept(self, task_id: str) -> None:
        """Have the kept checkpoints of a task looked at."""
        self._waiting.put(task_id)

    def end(self) -> None:
        """Have `run` return after the conversion it's at."""
        self._waiting.put(None)

    def run(self) -> None:
        """Sweep and make up for what a killed receiver left, then convert what is kept, until the end."""
        for present in self._driver.replicas():
            self._waiting.put(present)
        while (task_id := self._waiting.get()) is not None:
            try:
                self.settle(task_id)
            except OSError as error:
                log.error("conversion_failed", task_id=task_id, reason=str(error))  # noqa: TRY400 - no bug of ours

    def settle(self, task_id: str) -> None:
        """Convert what a task's kept checkpoints lack, the newest first; a failure is logged, and harms nobody else."""
        directory = self._driver.replica_directory(task_id)
        work = directory / _NEW
        for raw in sorted(directory.glob("checkpoint-*/disk-*.raw"), reverse=True):
            if raw.with_suffix(".qcow2").exists():
                continue
            _sweep(work)
            try:
                self._make(raw, work)
            except FileNotFoundError:
                log.info("conversion_overtaken", task_id=task_id, path=str(raw))
            except WherryError as error:
                if raw.exists():
                    log.error("conversion_failed", task_id=task_id, path=str(raw), **error.facts)  # noqa: TRY400 - no bug of ours
            else:
                log.info("converted", task_id=task_id, path=str(raw))
        _sweep(work)

    def _make(self, raw: Path, work: Path) -> None:
        needed, free = raw.stat().st_blocks * 512, self._driver.free_bytes()
        if needed > free:
            raise ConversionRoomMissing(path=raw, needed=needed, free=free)
        work.mkdir(mode=0o700)
        fresh = work / "disk.qcow2"
        self._convert(raw, fresh)
        fresh.replace(raw.with_suffix(".qcow2"))
        sync_directory(raw.parent)


def convert_image(raw: Path, target: Path) -> None:
    """Make *target* of *raw*, check it, compare both; durable on return.

    Raises ProgramFailed (a full disk, too), ProgramMissing, ProgramTimedOut, OSError.
    """
    for words in (
        ("convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)),
        ("check", "-f", "qcow2", str(target)),
        ("compare", "-f", "raw", "-F", "qcow2", str(raw), str(target)),
    ):
        run(["qemu-img", *words], timeout_s=CONVERSION_S)
    target.chmod(0o600)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(work: Path) -> None:
    if work.exists():
        shutil.rmtree(work)  # an orphaned child of a killed receiver writes to nowhere from here on
