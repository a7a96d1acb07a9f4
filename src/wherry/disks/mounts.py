"""The mounts of this process's namespace, from /proc/self/mountinfo.

Source: proc(5), section /proc/pid/mountinfo; Linux fs/proc_namespace.c. The devices of a btrfs: fs/btrfs/sysfs.c.
"""

import os
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
_BTRFS = Path("/sys/fs/btrfs")
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount. Several mounts may show the same filesystem: bind mounts, or one device mounted twice."""

    mount_id: int
    parent_id: int
    major: int
    minor: int
    """Device number of the filesystem's super block; major 0 for filesystems without a device, and for btrfs."""
    root: str
    """The directory of the filesystem that is shown; "/" unless it's a bind mount or a btrfs subvolume."""
    mount_point: str
    options: str
    filesystem: str
    source: str
    """What was mounted, such as /dev/sda1; free text for filesystems without a device."""


def read_mounts() -> list[Mount]:
    """Return the mounts in the kernel's order: a mount stands after the one that it's mounted on."""
    return parse_mountinfo(_MOUNTINFO.read_bytes())


def mount_of(descriptor: int, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount through which an open file was reached, by /proc/self/fdinfo; None when it isn't in *mounts*."""
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    mount_id = next(int(line.split()[1]) for line in lines if line.startswith("mnt_id:"))
    return next((mount for mount in mounts if mount.mount_id == mount_id), None)


def parse_mountinfo(content: bytes) -> list[Mount]:
    """Return the mounts that *content*, in the format of mountinfo, tells of. Lines in another format are left out."""
    found = (_parse_line(line) for line in content.split(b"\n"))
    return [mount for mount in found if mount is not None]


def _parse_line(line: bytes) -> Mount | None:
    # Optional fields of any number stand before the "-"; no field can be a lone "-" before it but they all hold a ":".
    head, dash, tail = line.partition(b" - ")
    fields, rest = head.split(b" "), tail.split(b" ")
    if not dash or len(fields) < 6 or len(rest) < 2:
        return None
    major, colon, minor = fields[2].partition(b":")
    if not colon or not all(number.isdigit() for number in (fields[0], fields[1], major, minor)):
        return None
    return Mount(
        mount_id=int(fields[0]),
        parent_id=int(fields[1]),
        major=int(major),
        minor=int(minor),
        root=unescape(fields[3]),
        mount_point=unescape(fields[4]),
        options=unescape(fields[5]),
        filesystem=unescape(rest[0]),
        source=unescape(rest[1]),
    )


def unescape(field: bytes) -> str:
    """Undo the octal escapes of blank, tab, newline and backslash; bytes that are no UTF-8 become surrogates."""
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))


def mounts_of_device(mounts: Iterable[Mount], device: int) -> list[Mount]:
    """Return the mounts of the filesystem on the block device numbered *device* (as `st_rdev`), the best first.

    The best is one that can be reached (nothing is mounted over it), is a directory, and shows the whole filesystem.
    """
    members = _btrfs_members(device)
    found = [mount for mount in mounts if _is_on_device(mount, device, members)]
    return sorted(found, key=_rank)


def _is_on_device(mount: Mount, device: int, members: Collection[int]) -> bool:
    if mount.major:
        return os.makedev(mount.major, mount.minor) == device
    # btrfs has a made-up device number; of its devices mountinfo names one, by its path.
    if mount.filesystem != "btrfs":
        return False
    try:
        return Path(mount.source).stat().st_rdev in members
    except (OSError, ValueError):
        return False


def _btrfs_members(device: int) -> set[int]:
    """Return the numbers of all devices of the mounted btrfs that *device* belongs to, itself among them."""
    for folder in _BTRFS.glob("*/devices"):
        numbers = {_number(entry / "dev") for entry in folder.iterdir()}
        if device in numbers:
            return numbers
    return {device}


def _number(path: Path) -> int:
    try:
        major, _, minor = path.read_text().partition(":")
        return os.makedev(int(major), int(minor))
    except (OSError, ValueError):
        return 0  # it went away while it was looked at


def _rank(mount: Mount) -> tuple[bool, bool, bool]:
    try:
        there = Path(mount.mount_point).stat()
    except (OSError, ValueError):
        return (True, True, True)
    hidden = bool(mount.major) and there.st_dev != os.makedev(mount.major, mount.minor)
    return (hidden, not stat.S_ISDIR(there.st_mode), mount.root != "/")
