"""Fill a filesystem with real files out of /usr and with incompressible ones."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from wherry.process import run

ROOTS = ("/usr/bin", "/usr/lib", "/usr/share", "/usr/sbin", "/usr/include", "/usr/local")
BLOCK = 4096
LARGEST_FILE = 32 << 20
NOISE_FILE = 8 << 20
UNPACK = 'tar -C / --null --no-recursion -T - -cf - | tar -C "$1" -xpf -'


def room_of(size: int) -> int:
    """Return about how many bytes of a filesystem a file of *size* bytes takes: whole blocks and its inode."""
    return -(-size // BLOCK) * BLOCK + 512


def choose_files(roots: Sequence[str], budget: int) -> list[str]:
    """Return regular files and links below *roots*, in a stable order, that together take at most *budget* bytes."""
    chosen: list[str] = []
    for path, size in _walk(roots):
        taken = room_of(size)
        if size > LARGEST_FILE or taken > budget:
            continue
        budget -= taken
        chosen.append(path)
        if budget < BLOCK:
            break
    return chosen


def _walk(roots: Sequence[str]) -> Iterator[tuple[str, int]]:
    for root in roots:
        for directory, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)  # noqa: PTH118 (a hundred thousand of them)
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    yield path, 0
                elif stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
                    yield path, status.st_size


def roots_for(index: int) -> list[str]:
    """Return the roots in the order in which filesystem *index* takes from them, so that no two hold the same."""
    turn = 2 * index % len(ROOTS)
    return [*ROOTS[turn:], *ROOTS[:turn]]


def fill(directory: Path, *, index: int, files: int, noise: int) -> None:
    """Fill *directory* with about *files* bytes out of /usr and *noise* incompressible bytes.

    *index* tells which share of /usr the directory gets.
    """
    chosen = choose_files(roots_for(index), files)
    names = b"".join(os.fsencode(path.lstrip("/")) + b"\0" for path in chosen)
    run(["bash", "-o", "pipefail", "-c", UNPACK, "fill", str(directory)], stdin=names, timeout_s=300)
    folder = directory / "noise"
    folder.mkdir()
    for number, start in enumerate(range(0, noise, NOISE_FILE)):
        with (folder / f"{number}.bin").open("wb") as file:
            file.write(os.urandom(min(NOISE_FILE, noise - start)))
