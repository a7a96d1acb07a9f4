"""The filesystems of a landed system, mounted at their places below a folder. For a process with its own namespaces."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from wherry.boot.chroot.fat import kernel_has_fat, unpacked
from wherry.boot.errors import WorkbenchFailed
from wherry.boot.guest import GuestFilesystem
from wherry.boot.places import CONTAINERS, FAT, Blocks, Place, find_root, places, shows_a_root, why_no_root
from wherry.process import ProgramFailed, run

_DEVICES: Final = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_TABLES: Final = (
    ("proc", "proc", "nosuid,nodev,noexec"),
    ("sysfs", "sys", "ro,nosuid,nodev,noexec"),
    ("tmpfs", "dev", "mode=755,nosuid"),
    ("tmpfs", "run", "mode=755,nosuid,nodev"),
    ("tmpfs", "tmp", "mode=1777,nosuid,nodev"),
)


class Jail:
    """A folder that is this process's root for a while. Only root can leave it again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outside = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        """Go in."""
        os.chroot(self._folder)
        os.chdir("/")

    def __exit__(self, *_: object) -> None:
        """Come out."""
        os.fchdir(self._outside)
        os.chroot(".")


@contextlib.contextmanager
def mounted(blocks: Blocks, folder: Path, *, writable: bool) -> Iterator[list[GuestFilesystem]]:
    """Mount the system at *folder*/root; yield the filesystems with their mount points.

    Raises:
        NoSystem: there's no root filesystem.
        LayoutUnknown: it lies in LVM, LUKS or md.
        WorkbenchFailed: a filesystem can't be mounted.
    """
    root = folder / "root"
    root.mkdir()
    with contextlib.ExitStack() as stack:
        main = _find_root(blocks, folder)
        stack.enter_context(_mounted(main, root, folder, writable=writable))
        jail = Jail(root)
        with jail:
            fstab = _text(Path("/etc/fstab"))
        wanted = places(fstab, blocks, main)
        for place in wanted[1:]:
            with jail:
                inside = os.path.realpath(place.mount_point)
                is_there = Path(inside).is_dir()
            if is_there:
                target = root / inside.lstrip("/")
                stack.enter_context(_mounted(place, target, folder, writable=writable))
        if writable:
            _mount_tables(root, blocks, stack)
        mount_points = {place.filesystem: place.mount_point for place in reversed(wanted)}
        yield [replace(each, mount_point=mount_points.get(each)) for each in blocks.filesystems]


def _find_root(blocks: Blocks, folder: Path) -> Place:
    probe = folder / "probe"
    probe.mkdir()

    def is_root(place: Place) -> bool:
        with contextlib.suppress(WorkbenchFailed), _mounted(place, probe, folder, writable=False):
            return shows_a_root(lambda name: os.path.lexists(probe / name))
        return False  # damaged, or there's no such subvolume

    root = find_root(blocks, is_root)
    if root is None:
        raise why_no_root(blocks, CONTAINERS)
    return root


@contextlib.contextmanager
def _mounted(place: Place, target: Path, folder: Path, *, writable: bool) -> Iterator[None]:
    filesystem = place.filesystem
    with contextlib.ExitStack() as stack:
        command = ["mount", "-t", filesystem.type, "-o", _options(place, writable=writable), filesystem.device]
        if filesystem.type in FAT and not kernel_has_fat():
            content = folder / f"fat-{filesystem.device.rpartition('/')[2]}"
            stack.enter_context(unpacked(filesystem.device, content, writable=writable))
            command = ["mount", "--bind", str(content)]
        try:
            run([*command, str(target)])
        except ProgramFailed as error:
            raise WorkbenchFailed(reason=error.message) from error
        try:
            yield
        finally:
            _unmount(target)


def _options(place: Place, *, writable: bool) -> str:
    options = ["nodev", *place.options(writable=writable)]
    if place.filesystem.type == "xfs":
        options.append("nouuid")  # the source's own disk may be mounted here too
    return ",".join(options)


def _unmount(target: Path) -> None:
    try:
        run(["umount", "--recursive", str(target)])
    except ProgramFailed as error:
        raise WorkbenchFailed(reason=error.message) from error


def _mount_tables(root: Path, blocks: Blocks, stack: contextlib.ExitStack) -> None:
    """Mount what programs expect of a running system: a /dev with the landed disks and no others."""
    for kind, name, options in _TABLES:
        target = root / name
        if target.is_symlink() or not target.is_dir():
            raise WorkbenchFailed(reason=f"/{name} is no directory in the landed system")
        run(["mount", "-t", kind, "-o", options, kind, str(target)])
        stack.callback(_unmount, target)
    for name, (major, minor) in _DEVICES.items():
        _make_node(root / "dev" / name, stat.S_IFCHR, os.makedev(major, minor), 0o666)
    for name, target_name in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (root / "dev" / name).symlink_to(target_name)
    by_uuid = root / "dev/disk/by-uuid"
    by_uuid.mkdir(parents=True)
    partitions = [partition.device for disk in blocks.disks for partition in disk.partitions]
    for device in (*(disk.device for disk in blocks.disks), *partitions):
        if Path(device).exists():
            _make_node(root / device.lstrip("/"), stat.S_IFBLK, Path(device).stat().st_rdev, 0o600)
    for filesystem in blocks.filesystems:
        if filesystem.uuid and "/" not in filesystem.uuid and not (by_uuid / filesystem.uuid).is_symlink():
            (by_uuid / filesystem.uuid).symlink_to(filesystem.device)


def _make_node(path: Path, kind: int, device: int, mode: int) -> None:
    os.mknod(path, kind | mode, device)
    path.chmod(mode)


def _text(path: Path) -> str:
    return path.read_text(errors="surrogateescape") if path.is_file() else ""
