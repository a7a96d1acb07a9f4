"""The kernel's own filesystems that the channels need: tracefs and bpffs, mounted where nobody else sees it.

Where the system has them mounted, those mounts are used. Else tracefs is mounted on no directory at all: the mount is
an open descriptor and goes away with it. A bpffs keeps its pins only as long as it's mounted, so that one of our own
needs a directory and stays mounted until `unmount_bpffs`.
Sources: Linux fs/namespace.c, fsopen(2), fsmount(2), include/uapi/linux/magic.h.
"""

import contextlib
import ctypes
import os
from pathlib import Path

TRACEFS_MAGIC = 0x74726163
BPFFS_MAGIC = 0xCAFE4A11
TMPFS_MAGIC = 0x01021994
RAMFS_MAGIC = 0x858458F6

TRACEFS_PLACES = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))
BPFFS_PLACE = Path("/sys/fs/bpf")

# These numbers are the same on all architectures.
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_PRIVATE = 2, 4, 8, 1 << 18
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class TraceFolder:
    """The root folder of tracefs, by a path that works as long as this isn't closed."""

    def __init__(self) -> None:
        """Find or mount it. Raises OSError where the kernel has none or doesn't let us."""
        self._descriptor = -1
        self.path = next((place for place in TRACEFS_PLACES if filesystem_magic(place) == TRACEFS_MAGIC), Path())
        if self.path == Path():
            self._descriptor = _mount_detached("tracefs")
            self.path = Path(f"/proc/self/fd/{self._descriptor}")

    def close(self) -> None:
        """Let go of it. Files that were opened in it stay open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def filesystem_magic(path: Path) -> int:
    """Return the number that names the type of the filesystem at *path*, 0 when there is nothing."""
    # struct statfs is at most 120 bytes and begins with the type, a long, on all architectures but s390.
    buffer = (ctypes.c_long * 32)()
    if _libc.statfs(os.fsencode(path), ctypes.byref(buffer)):
        return 0
    return int(buffer[0]) & 0xFFFFFFFF


def is_memory(path: Path) -> bool:
    """Return whether files at *path* live in memory only, so that writing them touches no disk."""
    return filesystem_magic(path) in {TMPFS_MAGIC, RAMFS_MAGIC}


def open_bpffs(own: Path) -> Path:
    """Return a folder of a bpffs: the system's, or one that is mounted at *own*, which is made.

    Raises OSError where the kernel has none or doesn't let us.
    """
    found = find_bpffs(own)
    if found is None:
        own.mkdir(parents=True, exist_ok=True)
        _mount("bpf", own, "bpf", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "mode=700")
        # What is mounted in a shared place would show in every container.
        with contextlib.suppress(OSError):
            _mount(None, own, None, _MS_PRIVATE, None)
        found = own
    return found


def find_bpffs(own: Path) -> Path | None:
    """Return the folder that `open_bpffs` returned, None where there is none (any more)."""
    return next((place for place in (BPFFS_PLACE, own) if filesystem_magic(place) == BPFFS_MAGIC), None)


def unmount_bpffs(own: Path) -> None:
    """Unmount what `open_bpffs` mounted at *own*, with everything that is pinned there, and remove the directory."""
    if filesystem_magic(own) == BPFFS_MAGIC:
        _libc.umount2(os.fsencode(own), _MNT_DETACH)
    with contextlib.suppress(OSError):
        own.rmdir()


def _mount_detached(kind: str) -> int:
    context = _syscall(_FSOPEN, kind.encode(), _CLOEXEC)
    try:
        _syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall(_FSMOUNT, context, _CLOEXEC, 0)
    finally:
        os.close(context)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, options: str | None) -> None:
    def text(value: str | None) -> bytes | None:
        return None if value is None else value.encode()

    if _libc.mount(text(source), os.fsencode(target), text(kind), ctypes.c_ulong(flags), text(options)):
        raise _last_error()


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _last_error()
    return int(result)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
