"""The disk that is raced over: an ext4 filesystem on a loop device, nearly full, on an image without holes.

A third of its bytes are incompressible, the rest comes out of real programs; what isn't used holds old data, as on any
disk that has been in use for a while.
"""

import contextlib
import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path

from demo.mounting import attached, mounted
from wherry.process import run

MIB = 1 << 20
CHANGE = 4096
"""Bytes of a scattered change: a block of a filesystem."""
STRETCH = 64
"""Blocks that lie together in a clustered change."""

_FULL = 0.88
_LARGEST = 8 * MIB
_BLKFLSBUF = 0x1261


class SourceDisk:
    """The disk: its *device*, and its filesystem where it's mounted."""

    def __init__(self, device: Path, mount_point: Path, size: int) -> None:
        self.device = device
        self.size = size
        self._mount_point = mount_point

    @contextlib.contextmanager
    def tree(self, *, read_only: bool = True) -> Iterator[Path]:
        """Lend the files."""
        with mounted(self.device, self._mount_point, ["ro"] if read_only else []):
            yield self._mount_point
        self._mount_point.rmdir()
        self.forget()

    def forget(self) -> None:
        """Let the kernel forget what it has read of the device itself: a mounted filesystem writes past that."""
        descriptor = os.open(self.device, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _BLKFLSBUF)
        finally:
            os.close(descriptor)

    def change(self, share: float, seed: int, *, clustered: bool) -> None:
        """Overwrite *share* of the disk's blocks, anywhere in the files, one by one or in stretches."""
        generator = random.Random(seed)
        length = CHANGE * (STRETCH if clustered else 1)
        with self.tree(read_only=False) as tree:
            files = sorted(path for path in tree.rglob("*") if path.is_file() and path.stat().st_size >= length)
            sizes = [path.stat().st_size for path in files]
            for path in generator.choices(files, sizes, k=int(self.size * share / length)):
                with path.open("r+b") as file:
                    file.seek(generator.randrange(path.stat().st_size // length) * length)
                    file.write(generator.randbytes(length))


@contextlib.contextmanager
def source_disk(folder: Path, size: int) -> Iterator[SourceDisk]:
    """Make and lend the disk of *size* bytes; its image lies in *folder*."""
    image = folder / "source.raw"
    fill(image, size)
    with attached(image) as device:
        run(["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", str(device)])
        disk = SourceDisk(device, folder / "source", size)
        with disk.tree(read_only=False) as tree:
            _write_files(tree, int(size * _FULL))
        yield disk


def fill(path: Path, size: int) -> None:
    """Write *size* bytes to *path*: bytes of programs and libraries below /usr, every third MiB random."""
    content = _content()
    with path.open("wb") as image:
        for _ in range(size // MIB):
            image.write(next(content))


def _write_files(tree: Path, total: int) -> None:
    """Write files of 4 KiB to 8 MiB, *total* bytes of them."""
    generator, content, number, written = random.Random(1), _content(), 0, 0
    while written < total:
        size = min(_LARGEST, int(2 ** generator.uniform(12, 23)))
        folder = tree / f"{number // 100}"
        folder.mkdir(exist_ok=True)
        with (folder / f"{number}").open("wb") as file:
            for start in range(0, size, MIB):
                file.write(next(content)[: size - start])
        number, written = number + 1, written + size


def _content() -> Iterator[bytes]:
    programs = _program_bytes()
    while True:
        yield next(programs)
        yield next(programs)
        yield os.urandom(MIB)


def _program_bytes() -> Iterator[bytes]:
    """Yield MiB after MiB of what lies in /usr, over and over."""
    pending = b""
    while True:
        for folder, _, names in os.walk("/usr/lib"):
            for name in names:
                file = Path(folder, name)
                if file.is_file() and not file.is_symlink():
                    pending += file.read_bytes()[: 8 * MIB]
                while len(pending) >= MIB:
                    yield pending[:MIB]
                    pending = pending[MIB:]
