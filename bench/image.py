"""The disk that is raced over: an image without holes, a third of it incompressible, the rest out of real programs."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

MIB = 1 << 20
CHANGE = 4096
"""Bytes of one change: a block of a filesystem."""


def fill(path: Path, size: int) -> None:
    """Write *size* bytes to *path*: bytes of programs and libraries below /usr, every third MiB random."""
    programs = _program_bytes()
    with path.open("wb") as image:
        for number in range(size // MIB):
            image.write(os.urandom(MIB) if number % 3 == 2 else next(programs))


def change(path: Path, share: float, seed: int) -> None:
    """Overwrite *share* of the blocks of *path*, anywhere, with fresh bytes."""
    generator = random.Random(seed)
    blocks = path.stat().st_size // CHANGE
    with path.open("r+b") as image:
        for block in generator.sample(range(blocks), int(blocks * share)):
            image.seek(block * CHANGE)
            image.write(generator.randbytes(CHANGE))


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
