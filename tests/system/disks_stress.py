"""Writes to a filesystem without end, in every way that changes blocks: `python disks_stress.py SEED KIND DIRECTORY`.

Kinds: buffered (overwrites, appends, fsync), direct (O_DIRECT), uring (O_DIRECT through io_uring), mapped (mmap,
msync), churn (create, rename, truncate, delete), holes (punched holes, preallocation, discards of what is free), swap
(an own swap file, pages pushed out to it). What direct and uring write says of itself what it is (`disks_sectors`). It
ends when it's killed; a full filesystem is no reason to end.
"""

import ctypes
import errno
import fcntl
import itertools
import mmap
import os
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.system.disks_sectors import stamped
from tests.system.disks_uring import ENTRIES, Ring

MIB = 1 << 20
BLOCK = 4096
FITRIM = 0xC0185879
PUNCH_HOLE, KEEP_SIZE, ZERO_RANGE = 2, 1, 16
MADV_PAGEOUT = 21

_libc = ctypes.CDLL(None, use_errno=True)


def file_of(path: Path, size: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    os.truncate(path, size)
    return descriptor


def buffered(chance: random.Random, folder: Path) -> Callable[[], None]:
    size = 8 * MIB
    files = [file_of(folder / f"buffered{number}", size) for number in range(3)]

    def step() -> None:
        file = chance.choice(files)
        length = chance.choice((17, 512, BLOCK, 3 * BLOCK + 5, 100_000))
        os.pwrite(file, chance.randbytes(length), chance.randrange(size - length))
        if chance.random() < 0.1:
            os.fsync(file) if chance.random() < 0.5 else os.fdatasync(file)

    return step


def direct(chance: random.Random, folder: Path) -> Callable[[], None]:
    size = 8 * MIB
    path = folder / "direct"
    os.close(file_of(path, size))
    file = os.open(path, os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, 256 * 1024)
    numbers = itertools.count(1)

    def step() -> None:
        length = chance.choice((BLOCK, BLOCK, 16 * BLOCK, 64 * BLOCK))
        place = chance.randrange((size - length) // BLOCK) * BLOCK
        buffer[:length] = stamped("direct", place, length, next(numbers), chance.randbytes)
        with memoryview(buffer) as view:
            os.pwritev(file, [view[:length]], place)

    return step


def uring(chance: random.Random, folder: Path) -> Callable[[], None]:
    """Several writes under way at a time, to places of their own."""
    part, length = MIB, 4 * BLOCK
    path = folder / "uring"
    os.close(file_of(path, ENTRIES * part))
    file = os.open(path, os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, ENTRIES * length)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    ring = Ring()
    numbers = itertools.count(1)

    def step() -> None:
        sequence, pieces = next(numbers), []
        for number in range(chance.randrange(1, ENTRIES + 1)):
            place = number * part + chance.randrange((part - length) // BLOCK) * BLOCK
            buffer[number * length : (number + 1) * length] = stamped(
                "uring", place, length, sequence, chance.randbytes
            )
            pieces.append((address + number * length, length, place))
        for result in ring.write(file, pieces):
            if result < 0:
                raise OSError(-result, os.strerror(-result))

    return step


def mapped(chance: random.Random, folder: Path) -> Callable[[], None]:
    size = 4 * MIB
    file = file_of(folder / "mapped", size)
    os.posix_fallocate(file, 0, size)
    memory = mmap.mmap(file, size)

    def step() -> None:
        for _ in range(20):
            place = chance.randrange(size - 64)
            memory[place : place + 64] = chance.randbytes(64)
        if chance.random() < 0.3:
            memory.flush()

    return step


def churn(chance: random.Random, folder: Path) -> Callable[[], None]:
    root = folder / "churn"
    root.mkdir(exist_ok=True)

    def step() -> None:
        path = root / f"file{chance.randrange(60)}"
        match chance.randrange(6):
            case 0:
                path.unlink(missing_ok=True)
            case 1 if path.exists():
                os.truncate(path, chance.randrange(200_000))
            case 2 if path.exists():
                path.rename(root / f"file{chance.randrange(60)}")
            case 3:
                (root / f"folder{chance.randrange(20)}").mkdir(exist_ok=True)
            case _:
                with path.open("ab") as file:
                    file.write(chance.randbytes(chance.randrange(1, 80_000)))
                    if chance.random() < 0.3:
                        os.fsync(file.fileno())
        if chance.random() < 0.02:
            for old in list(root.glob("file*"))[:30]:
                old.unlink(missing_ok=True)

    return step


def holes(chance: random.Random, folder: Path) -> Callable[[], None]:
    size = 8 * MIB
    file = file_of(folder / "holes", size)
    whole = os.open(folder, os.O_RDONLY)

    def step() -> None:
        length = chance.randrange(1, 64) * BLOCK
        place = chance.randrange((size - length) // BLOCK) * BLOCK
        match chance.randrange(12):
            case 0 | 1 | 2:
                allocate(file, PUNCH_HOLE | KEEP_SIZE, place, length)
            case 3:
                allocate(file, ZERO_RANGE, place, length)
            case 4:
                allocate(file, 0, place, length)
            case 5:
                fcntl.ioctl(whole, FITRIM, struct.pack("=QQQ", 0, 2**64 - 1, 0))
            case _:
                os.pwrite(file, chance.randbytes(length), place)
        if chance.random() < 0.3:
            os.fsync(file)

    return step


def allocate(file: int, mode: int, offset: int, length: int) -> None:
    if _libc.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def swap(chance: random.Random, folder: Path) -> Callable[[], None]:
    """Push own memory out: the test has made a swap file on the filesystem and switched it on."""
    memory = mmap.mmap(-1, 4 * MIB)

    def step() -> None:
        place = chance.randrange(len(memory) // (64 * BLOCK)) * 64 * BLOCK
        memory[place : place + 64 * BLOCK] = chance.randbytes(64 * BLOCK)
        memory.madvise(MADV_PAGEOUT, place, 64 * BLOCK)

    return step


KINDS = {
    "buffered": buffered,
    "direct": direct,
    "uring": uring,
    "mapped": mapped,
    "churn": churn,
    "holes": holes,
    "swap": swap,
}


def main() -> None:
    seed, kind, folder = sys.argv[1:]
    chance = random.Random(f"{seed} {kind}")
    step = KINDS[kind](chance, Path(folder))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        try:
            step()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EOPNOTSUPP, errno.EDQUOT}:
                raise
        if chance.random() < 0.05:
            time.sleep(chance.random() * 0.01)


if __name__ == "__main__":
    main()
