"""Whose a tracker's remains are: a note beside its memory, locked while a process of the owner tracks.

The owner is a folder: that of an agent's state. Remains are kept for an owner that comes back; one whose folder is gone
never will, and whoever comes by may clear up after him.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from wherry.disks.tracking.remains import Remains, all_remains

_MOUNTS: Final = Path("/proc/self/ns/mnt")


class _Note(msgspec.Struct, frozen=True):
    """*mounts*: the mount namespace in which the path *owner* means something, by its inode."""

    owner: str
    mounts: int


class Claim:
    """Says of remains that they belong to the folder *owner*, and that it's alive until `release`. Raises OSError."""

    def __init__(self, remains: Remains, owner: Path) -> None:
        self._descriptor = os.open(remains.owner_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note = msgspec.json.encode(_Note(str(owner.absolute()), _MOUNTS.stat().st_ino))
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, note, 0)
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """The owner may come back."""
        os.close(self._descriptor)


def sweep(is_gone: Callable[[str, Path], bool]) -> list[str]:
    """Remove the remains whose owner won't come back: *is_gone* tells, from their name and the owner's folder.

    What a live process uses stays, and what was made in another mount namespace, where the path is another's. What
    can't be removed is left to the next time. Returns the names of what was removed.
    """
    return [remains.name for remains in all_remains() if _removed(remains, is_gone)]


def _removed(remains: Remains, is_gone: Callable[[str, Path], bool]) -> bool:
    try:
        with remains.owner_path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note = msgspec.json.decode(file.read(), type=_Note)
            ours = note.mounts == _MOUNTS.stat().st_ino and os.fstat(file.fileno()).st_uid == os.geteuid()
            if not (ours and is_gone(remains.name, Path(note.owner))):
                return False
            remains.remove()
    except (OSError, msgspec.MsgspecError):
        return False
    return True
