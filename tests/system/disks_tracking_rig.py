"""What the proofs of tracking share: writers on a filesystem, a plain copier that follows the tracker, a comparison."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from demo.loopdisk import MIB, LoopDisk
from demo.mounting import attached, mounted, partitioned
from tests.system.disks_sectors import differences
from tests.system.left_in_kernel import MEMORY, memory_prefix
from wherry.disks.direct import DiskReader, aligned_buffer
from wherry.disks.extents import Extent, align, split, subtract, total
from wherry.disks.tracking.blocks import BLOCKS
from wherry.disks.tracking.disk import GRANULE_SIZE, TrackedDisk
from wherry.disks.tracking.tracker import Dirty, TrackerOptions
from wherry.process import ProgramFailed, run

STRESS = Path(__file__).with_name("disks_stress.py")
PROCESS = "tests.system.disks_tracker_process"
BLOCK_SIZE = GRANULE_SIZE // BLOCKS
KINDS = ("buffered", "direct", "uring", "mapped", "churn", "holes")


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """Lend a folder that lives in memory, as a tracker needs it; the folder for temporary files may be a disk."""
    base = Path(tempfile.mkdtemp(prefix=memory_prefix(), dir=MEMORY))
    try:
        yield base / "memory"
    finally:
        shutil.rmtree(base)


def tracked(disk: LoopDisk, index: int = 0) -> TrackedDisk:
    return TrackedDisk(index, disk.device.stat().st_rdev, disk.size)


def options(folder: Path, **changes: object) -> TrackerOptions:
    settings: dict[str, object] = {"folder": folder, "ring_bytes": 32 * MIB}
    return TrackerOptions(**(settings | changes))  # type: ignore[arg-type]


@contextlib.contextmanager
def writers(seed: str, folder: Path, kinds: Sequence[str] = KINDS) -> Iterator[None]:
    """Let writers write; they are killed at the end. One that ended by itself fails the test."""
    with contextlib.ExitStack() as stack:
        processes = []
        for kind in kinds:
            command = [sys.executable, str(STRESS), seed, kind, str(folder)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
        yield
        ended = [process for process in processes if process.poll() is not None]
        assert not ended, b"\n".join(process.stderr.read() for process in ended if process.stderr).decode()


@contextlib.contextmanager
def swap_file(folder: Path) -> Iterator[Path]:
    """Lend a swap file on a filesystem, switched on before any other swap."""
    path = folder / "swapfile"
    path.touch(0o600)
    with contextlib.suppress(ProgramFailed):
        run(["chattr", "+C", str(path)])  # only btrfs knows it, and needs it
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, 12 * MIB)
        file.write(bytes(12 * MIB))
    run(["mkswap", str(path)])
    run(["swapon", "--priority", "32000", str(path)])
    try:
        yield path
    finally:
        run(["swapoff", str(path)])


def written_blocks(dirty: Dirty, *, fresh: bool = False) -> list[Extent]:
    """Return the blocks that were written since the last commit; *fresh*: of the granules of the last epoch only."""
    assert dirty.blocks is not None
    numbers = np.flatnonzero(dirty.fresh if fresh else dirty.granules)
    rows, blocks = np.nonzero((dirty.blocks.of(numbers)[:, None] >> np.arange(BLOCKS)) & 1)
    return [Extent(place * BLOCK_SIZE, BLOCK_SIZE) for place in (numbers[rows] * BLOCKS + blocks).tolist()]


class TrackerProcess:
    """A tracker that can be killed."""

    def __init__(self, name: str, folder: Path, device: Path) -> None:
        command = [sys.executable, "-m", PROCESS, name, str(folder), str(device)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        self.resumed = self._answer()["resumed"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def ask(self, word: str) -> dict[str, object]:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    def kill(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answer(self) -> dict[str, object]:
        assert self._process.stdout is not None
        answer: dict[str, object] = json.loads(self._process.stdout.readline())
        return answer


class Copy:
    """A copy of a disk, made block by block."""

    def __init__(self, disk: LoopDisk, path: Path) -> None:
        self.path = path
        self.size = disk.size
        self.covered: list[Extent] = []
        with path.open("wb") as file:
            file.truncate(disk.size)
        self._reader = DiskReader(disk.device)

    def take(self, extents: Sequence[Extent]) -> int:
        """Copy whole blocks and return how many bytes."""
        whole = align(extents, BLOCK_SIZE, self.size)
        with self.path.open("r+b", buffering=0) as file, aligned_buffer(MIB) as buffer, memoryview(buffer) as view:
            for extent in split(whole, MIB):
                assert self._reader.read_into(view[: extent.length], extent.offset) == extent.length
                os.pwrite(file.fileno(), view[: extent.length], extent.offset)
        self.covered = align([*self.covered, *whole], BLOCK_SIZE, self.size)
        return total(whole)

    def missing(self, used: Sequence[Extent]) -> list[Extent]:
        """Return what of *used* was never copied."""
        return subtract(used, self.covered)

    def differences(self, used: Sequence[Extent]) -> list[str]:
        """Tell in words which used sectors aren't the same as those of the disk."""
        found: list[str] = []
        with self.path.open("rb", buffering=0) as file, aligned_buffer(MIB) as buffer, memoryview(buffer) as view:
            for extent in split(used, MIB):
                assert self._reader.read_into(view[: extent.length], extent.offset) == extent.length
                theirs = os.pread(file.fileno(), extent.length, extent.offset)
                if view[: extent.length] != theirs:
                    found += differences(theirs, bytes(view[: extent.length]), extent.offset)
        return found

    def close(self) -> None:
        self._reader.close()


def check_filesystem(kind: str, image: Path, mount_point: Path) -> None:
    """Run the checker of the filesystem on the first partition of *image*; a log is replayed by mounting first."""
    with attached(image) as device, partitioned(device) as (node, *_):
        if kind == "btrfs":
            run(["btrfs", "check", "--force", "--check-data-csum", str(node)])
            return
        if kind == "xfs":
            with mounted(node, mount_point, ["nouuid"]):
                pass
            run(["xfs_repair", "-n", str(node)])
        else:
            run(["e2fsck", "-fn", str(node)])
