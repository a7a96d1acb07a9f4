"""The process that holds a libguestfs appliance: ``python -m wherry.boot.guestfs.worker``.

The landed system's filesystems are read by the appliance's kernel, and its programs run there, without a network.
"""

import contextlib
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from wherry.boot.chroot.devices import QCOW2_ENDING
from wherry.boot.guest import FileKind, FileStatus, GuestDisk
from wherry.boot.guestfs.library import Appliance, ApplianceSpec, launched
from wherry.boot.guestfs.volumes import MOST_AT_ONCE, Volumes, device
from wherry.boot.inspection import MDADM_CONFIGS
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.messages import Facts, Opening
from wherry.boot.paths import parents
from wherry.boot.places import (
    Blocks,
    Place,
    find_root,
    places,
    shows_a_root,
    volume_names,
    why_no_root,
    with_array_names,
)
from wherry.boot.serving import Operations, serve

_UNLOCKING_MIB: Final = 2560
"""What the appliance gets to open LUKS 2, whose Argon2 takes up to 1 GiB by itself."""

_KINDS: Final = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.LINK}
_TOO_LATE: Final = frozenset({124, 128 + 9})
"""How `timeout` ends when it had to end the program; a program may end so by itself, but sooner."""

_RUN: Final = """\
d=$1 t=$2; shift 2
timeout -k 5 "$t" "$@" <"$d/in" >"$d/out" 2>"$d/words"
echo $? >"$d/status"
"""
"""Runs a program and keeps what it says: the library's own call tells neither status nor both streams. The program and
its arguments are words of their own, which this shell hands on unread."""


def main() -> None:
    """Open, serve until the input ends, close."""
    serve(_opened)


@contextlib.contextmanager
def _opened(opening: Opening) -> Iterator[tuple[Facts, Operations]]:
    keys = KeyFolder(Path(opening.keys)) if opening.keys else None
    spec = ApplianceSpec(
        [(Path(disk), "qcow2" if disk.endswith(QCOW2_ENDING) else "raw") for disk in opening.disks],
        opening.writable,
        opening.emulate,
        _UNLOCKING_MIB if keys else 0,
        opening.scratch,
    )
    with launched(spec) as (appliance, names):
        volumes = Volumes(appliance, names, keys)
        files = _Files(appliance)
        blocks = volumes.open({})
        root = _mounted_root(appliance, blocks, writable=opening.writable)
        called = volume_names(files.text(b"/etc/crypttab"), blocks)
        if volumes.called_otherwise(blocks, called):
            appliance.do("umount_all")
            volumes.close()
            blocks = volumes.open(called)
            root = _mounted_root(appliance, blocks, writable=opening.writable)
        mdadm = "".join(files.text(path.encode()) for path in MDADM_CONFIGS)
        blocks = with_array_names(mdadm, blocks)
        wanted = places(files.text(b"/etc/fstab"), blocks, root)
        for place in wanted[1:]:
            if files.is_dir(os.fsencode(place.mount_point)):
                _mount(appliance, place, writable=opening.writable)
        mount_points = {place.filesystem.device: place.mount_point for place in reversed(wanted)}
        found = [replace(each, mount_point=mount_points.get(each.device)) for each in blocks.filesystems]
        yield Facts(blocks.disks, found), files.operations(blocks.disks)


def _mounted_root(appliance: Appliance, blocks: Blocks, *, writable: bool) -> Place:
    """Find the root filesystem and mount it; raise why there's none."""

    def is_root(place: Place) -> bool:
        try:
            _mount(appliance, place, writable=False)
        except OSError:
            return False  # damaged, or there's no such subvolume
        try:
            return shows_a_root(lambda name: bool(appliance.number("exists", f"/{name}".encode())))
        finally:
            appliance.do("umount_all")

    root = find_root(blocks, is_root)
    if root is None:
        raise why_no_root(blocks, closed=())
    _mount(appliance, root, writable=writable)
    return root


def _mount(appliance: Appliance, place: Place, *, writable: bool) -> None:
    options = ",".join(place.options(writable=writable))
    appliance.do("mount_options", *map(os.fsencode, (options, place.filesystem.device, place.mount_point)))


class _Files:
    """What a Guest does, by the library's functions. Paths come and go as bytes."""

    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance

    def operations(self, disks: Sequence[GuestDisk]) -> Operations:
        """Return what can be ordered."""
        names = [os.fsencode(disk.device) for disk in disks]
        devices = [device(self._appliance, name) for name in names]
        return {
            "read_bytes": self.read_bytes,
            "write": self.write,
            "make_directory": self.make_directory,
            "make_link": self.make_link,
            "remove": self.remove,
            "set_mode": lambda path, mode: self._appliance.do("chmod", mode, path),
            "set_owner": lambda path, owner, group: self._appliance.do("lchown", owner, group, path),
            "status": self.status,
            "names": self.names,
            "readlink": self.readlink,
            "exists": lambda path: bool(self._appliance.number("exists", path)),
            "is_dir": self.is_dir,
            "run": self.run,
            "read_disk": lambda disk, offset, size: devices[disk].read(offset, size),
            "write_disk": lambda disk, offset, content: self._write_device(names[disk], offset, content),
        }

    def status(self, path: bytes) -> FileStatus | None:
        found = self._appliance.status(path)
        if found is None:
            return None
        kind = _KINDS.get(stat.S_IFMT(found.mode), FileKind.OTHER)
        return FileStatus(kind, stat.S_IMODE(found.mode), found.owner, found.group, found.size)

    def is_dir(self, path: bytes) -> bool:
        return self._kind(path) is FileKind.DIRECTORY

    def read_bytes(self, path: bytes) -> bytes | None:
        if self._kind(path) is not FileKind.FILE:
            return None
        with tempfile.NamedTemporaryFile() as file:
            self._appliance.do("download", path, os.fsencode(file.name))
            return Path(file.name).read_bytes()

    def text(self, path: bytes) -> str:
        """Return the content of a file; "" where there's none."""
        return (self.read_bytes(path) or b"").decode(errors="surrogateescape")

    def write(self, path: bytes, content: bytes, mode: int | None) -> None:
        is_new = self._kind(path) is None
        if is_new:
            self._make_parents(path)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(content)
            self._appliance.do("upload", os.fsencode(file.name), path)
        if is_new or mode is not None:
            self._appliance.do("chmod", 0o644 if mode is None else mode, path)

    def make_directory(self, path: bytes, mode: int) -> None:
        if not self.is_dir(path):
            self._make_parents(path)
            self._appliance.do("mkdir", path)
            self._appliance.do("chmod", mode, path)

    def make_link(self, path: bytes, target: bytes) -> None:
        self._make_parents(path)
        self._appliance.do("ln_sf", target, path)

    def remove(self, path: bytes) -> None:
        status = self.status(path)
        if status is not None:
            self._appliance.do("rmdir" if status.kind is FileKind.DIRECTORY else "rm_f", path)

    def names(self, path: bytes) -> list[bytes]:
        return sorted(self._appliance.texts("ls", path)) if self.is_dir(path) else []

    def readlink(self, path: bytes) -> bytes | None:
        status = self.status(path)
        is_link = status is not None and status.kind is FileKind.LINK
        return self._appliance.text("readlink", path) if is_link else None

    def run(self, argv: Sequence[bytes], stdin: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
        folder = self._appliance.text("mkdtemp", b"/var/tmp/wherry-run-XXXXXX")
        try:
            self.write(folder + b"/in", stdin, 0o600)
            limit = max(1, round(timeout_s))
            began = time.monotonic()
            self._appliance.command([b"/bin/sh", b"-c", _RUN.encode(), b"sh", folder, str(limit).encode(), *argv])
            took_s = time.monotonic() - began
            status, out, words = (self.read_bytes(folder + name) or b"" for name in (b"/status", b"/out", b"/words"))
        finally:
            self._appliance.do("rm_rf", folder)
        if int(status) in _TOO_LATE and took_s >= limit:
            raise subprocess.TimeoutExpired(argv[0], timeout_s)
        return int(status), out, words

    def _kind(self, path: bytes) -> FileKind | None:
        """Return what *path* leads to."""
        if not self._appliance.number("exists", path):
            return None
        status = self.status(self._appliance.text("realpath", path))
        return None if status is None else status.kind

    def _make_parents(self, path: bytes) -> None:
        for each in parents(os.fsdecode(path)):
            self.make_directory(os.fsencode(each), 0o755)

    def _write_device(self, device: bytes, offset: int, content: bytes) -> None:
        for start in range(0, len(content), MOST_AT_ONCE):
            piece = content[start : start + MOST_AT_ONCE]
            self._appliance.do("pwrite_device", device, piece, len(piece), offset + start)


if __name__ == "__main__":
    main()
