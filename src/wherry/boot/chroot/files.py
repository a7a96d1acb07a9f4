"""What a Guest does to files, for a process whose root is the landed system's.

The kernel resolves every path inside of that root, links too. Paths come and go as bytes: not all are text.
"""

import os
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wherry.boot.guest import FileKind, FileStatus

_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}
_KINDS: Final = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.LINK}


def read_bytes(path: bytes) -> bytes | None:
    """Return a regular file's content."""
    place = Path(os.fsdecode(path))
    try:
        return place.read_bytes() if place.is_file() else None
    except FileNotFoundError:
        return None


def write(path: bytes, content: bytes, mode: int | None) -> None:
    """Write a file in its place, so that it keeps its owner and attributes, or make it."""
    place = Path(os.fsdecode(path))
    is_new = not place.exists()
    if is_new:
        _make_parents(Path(os.path.realpath(place)))
    descriptor = os.open(place, os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if is_new or mode is not None:
            os.fchmod(descriptor, 0o644 if mode is None else mode)


def make_directory(path: bytes, mode: int) -> None:
    """Make a directory; one that is there stays."""
    place = Path(os.path.realpath(os.fsdecode(path)))
    if not place.is_dir():
        _make_parents(place)
        place.mkdir()
        place.chmod(mode)


def make_link(path: bytes, target: bytes) -> None:
    """Make a symbolic link, in place of a file or link."""
    place = Path(os.fsdecode(path))
    if os.path.lexists(place):
        place.unlink()
    _make_parents(place)
    place.symlink_to(os.fsdecode(target))


def remove(path: bytes) -> None:
    """Remove a file, a link or an empty directory."""
    place = Path(os.fsdecode(path))
    if place.is_dir() and not place.is_symlink():
        place.rmdir()
    else:
        place.unlink(missing_ok=True)


def set_mode(path: bytes, mode: int) -> None:
    """Set permission bits."""
    Path(os.fsdecode(path)).chmod(mode)


def set_owner(path: bytes, owner: int, group: int) -> None:
    """Set user and group, of a link itself."""
    os.lchown(path, owner, group)


def status(path: bytes) -> FileStatus | None:
    """Return what a name stands for."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), FileKind.OTHER)
    return FileStatus(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_size)


def names(path: bytes) -> list[bytes]:
    """Return the names in a directory."""
    return sorted(os.listdir(path)) if is_dir(path) else []  # noqa: PTH208 (names are what is wanted)


def readlink(path: bytes) -> bytes | None:
    """Return where a link leads."""
    return os.readlink(path) if Path(os.fsdecode(path)).is_symlink() else None  # noqa: PTH115 (as it's written)


def exists(path: bytes) -> bool:
    """Whether there's anything."""
    return Path(os.fsdecode(path)).exists()


def is_dir(path: bytes) -> bool:
    """Whether there's a directory."""
    return Path(os.fsdecode(path)).is_dir()


def run(argv: Sequence[bytes], stdin: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
    """Run a program of the system; kill it, and what it started, when it takes too long (TimeoutExpired)."""
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        return 127, b"", argv[0] + f": {error.strerror}".encode()
    with child:
        try:
            stdout, stderr = child.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            os.killpg(child.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(argv[0], timeout_s) from error
    return (child.returncode if child.returncode >= 0 else 128 - child.returncode), stdout, stderr


def _make_parents(place: Path) -> None:
    for each in reversed(place.parents):
        if not each.is_dir():
            each.mkdir()
            each.chmod(0o755)
