"""What was before: enough to put a landed system back, byte for byte, in the reverse order of the changes."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from wherry.boot.guest import FileKind, FileStatus, Guest
from wherry.boot.paths import parents, resolve


class SavedFile(msgspec.Struct, frozen=True, tag=True):
    """A file that was there."""

    path: str
    content: bytes
    mode: int
    owner: int
    group: int


class SavedLink(msgspec.Struct, frozen=True, tag=True):
    """A symbolic link that was there."""

    path: str
    target: str
    owner: int
    group: int


class Absent(msgspec.Struct, frozen=True, tag=True):
    """A name that wasn't there: a file, a link or a directory that the changes made."""

    path: str


class SavedSectors(msgspec.Struct, frozen=True, tag=True):
    """Bytes of a disk past its filesystems."""

    disk: int
    offset: int
    content: bytes


Saved = SavedFile | SavedLink | Absent | SavedSectors


class Undo(msgspec.Struct, frozen=True):
    """The record of one application, in its order."""

    saved: tuple[Saved, ...] = ()


class Recorder:
    """Remembers what stands at a place, before something else does."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._saved: list[Saved] = []
        self._known: set[str] = set()

    def record(self) -> Undo:
        """Return what was remembered so far."""
        return Undo(tuple(self._saved))

    def file(self, path: str) -> None:
        """Remember the file that *path* leads to, and which directories above it aren't there."""
        self._remember(resolve(path, self._guest.readlink))

    def name(self, path: str) -> None:
        """Remember what has the name *path*, be it a link."""
        self._remember(resolve(path, self._guest.readlink, follow_last=False))

    def sectors(self, disk: int, offset: int, size: int) -> None:
        """Remember bytes of a disk."""
        self._saved.append(SavedSectors(disk, offset, self._guest.read_disk(disk, offset, size)))

    @contextmanager
    def folder(self, path: str) -> Iterator[None]:
        """Remember all that is below the directory *path*, and afterwards what was added to it."""
        for each in _below(self._guest, path):
            if not self._guest.is_dir(each) or self._guest.readlink(each) is not None:
                self._remember(each)
        before = set(_below(self._guest, path))
        try:
            yield
        finally:
            self._saved += [Absent(each) for each in _below(self._guest, path) if each not in before]

    def _remember(self, place: str) -> None:
        if place in self._known:
            return
        for each in (*parents(place), place):
            status = self._guest.status(each)
            if status is None and each not in self._known:
                self._saved.append(Absent(each))
                self._known.add(each)
            elif status is not None and each == place:
                self._saved.append(self._taken(place, status))
                self._known.add(place)

    def _taken(self, place: str, status: FileStatus) -> Saved:
        target = self._guest.readlink(place)
        if target is not None:
            return SavedLink(place, target, status.owner, status.group)
        content = self._guest.read_bytes(place) or b""
        return SavedFile(place, content, status.mode, status.owner, status.group)


def restore(guest: Guest, undo: Undo) -> None:
    """Put back what *undo* remembers. Raises WorkbenchFailed where a place can't be written."""
    for saved in reversed(undo.saved):
        match saved:
            case SavedFile():
                if _kind(guest, saved.path) is not FileKind.FILE:
                    guest.remove(saved.path)
                guest.write(saved.path, saved.content)
                guest.set_owner(saved.path, saved.owner, saved.group)
                guest.set_mode(saved.path, saved.mode)
            case SavedLink():
                guest.make_link(saved.path, saved.target)
                guest.set_owner(saved.path, saved.owner, saved.group)
            case SavedSectors():
                guest.write_disk(saved.disk, saved.offset, saved.content)
            case Absent():
                guest.remove(saved.path)


def _kind(guest: Guest, path: str) -> FileKind | None:
    status = guest.status(path)
    return None if status is None else status.kind


def _below(guest: Guest, folder: str) -> Iterator[str]:
    """Yield all names below a directory, each directory before what is in it. Links aren't followed."""
    for name in guest.list(folder):
        path = f"{folder}/{name}"
        yield path
        if _kind(guest, path) is FileKind.DIRECTORY:
            yield from _below(guest, path)
