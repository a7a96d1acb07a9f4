"""Where the filesystems of a landed system belong, by its own fstab. Pure."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wherry.boot.blocks import partition_path
from wherry.boot.errors import LayoutUnknown, NoSystem, VolumeLocked
from wherry.boot.guest import GuestDisk, GuestFilesystem
from wherry.boot.naming import Landed, find, identified, volume
from wherry.boot.parsing.columns import FstabEntry, read_crypttab, read_fstab
from wherry.boot.parsing.mdadm import array_names, digits
from wherry.errors import WherryError

MOUNTABLE: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "msdos"})

FAT: Final = frozenset({"vfat", "msdos"})

LUKS: Final = "crypto_LUKS"

_ARRAY_LINK: Final = re.compile(r"(/dev/disk/by-id/md-uuid-[0-9a-f:]+)(?:-part(\d+))?")

CONTAINERS: Final = {"LVM2_member": "LVM", LUKS: "LUKS", "linux_raid_member": "md"}
"""What other filesystems may lie in, by the name of what it's a part of."""

_ROOT_SUBVOLUMES: Final = ("", "@", "@rootfs", "root", "@/.snapshots/1/snapshot")
"""Where distributions put the root on a btrfs; "" for the default subvolume."""


_SIGNS_OF_A_ROOT: Final = (
    ("etc/fstab", "etc/os-release", "usr/lib/os-release"),
    ("sbin", "usr/sbin", "usr/lib/systemd"),
)
"""Names of which a root filesystem has at least one of each group."""

_READ_ONLY: Final = {
    **dict.fromkeys(("ext2", "ext3", "ext4"), "ro,noload"),
    "xfs": "ro,norecovery",
    "btrfs": "ro,rescue=nologreplay",
}
"""Without a look into the journal, which the kernel would write back."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """What was found on the disks."""

    disks: Sequence[GuestDisk]
    filesystems: Sequence[GuestFilesystem]


@dataclass(frozen=True, slots=True)
class Place:
    """A filesystem and where it's mounted."""

    filesystem: GuestFilesystem
    mount_point: str
    subvolume: str = ""
    """Of a btrfs; "" for the default one."""

    def options(self, *, writable: bool) -> list[str]:
        """Return the options to mount it with."""
        access = "rw" if writable else _READ_ONLY.get(self.filesystem.type, "ro")
        return [access, f"subvol={self.subvolume}"] if self.subvolume else [access]


def find_root(landed: Landed, is_root: Callable[[Place], bool]) -> Place | None:
    """Return the first filesystem, and its subvolume, of which *is_root* says that it holds a system; None for none."""
    for filesystem in landed.filesystems:
        if filesystem.type in MOUNTABLE - FAT:
            for subvolume in _ROOT_SUBVOLUMES if filesystem.type == "btrfs" else ("",):
                place = Place(filesystem, "/", subvolume)
                if is_root(place):
                    return place
    return None


def why_no_root(landed: Landed, closed: Collection[str]) -> WherryError:
    """Return why there's no root: it may lie in something locked, or in what this workbench keeps *closed*, by type."""
    layouts = {CONTAINERS[each.type] for each in landed.filesystems if each.type in closed}
    if layouts:
        return LayoutUnknown(layout=" and ".join(sorted(layouts)))
    locked = [each for each in landed.filesystems if each.type == LUKS and not each.opened_as]
    if locked:
        return VolumeLocked(volumes=", ".join(map(where, locked)))
    return NoSystem(count=len(landed.disks))


def volume_names(crypttab: str, landed: Landed) -> dict[str, str]:
    """Return what *crypttab* calls the encrypted volumes that were landed, by their LUKS UUIDs."""
    names: dict[str, str] = {}
    for entry in read_crypttab(crypttab):
        volume = identified(entry.device, landed) or find(entry.device, landed, kind=LUKS)
        if volume is not None and volume.type == LUKS:
            names.setdefault(volume.uuid, entry.name)
    return names


def with_array_names(mdadm: str, blocks: Blocks) -> Blocks:
    """Return the blocks in which volumes of md also have the names that mdadm's configuration gives them."""
    called = {array_identity(identity): name for identity, name in array_names(mdadm).items()}

    def named(each: GuestFilesystem) -> GuestFilesystem:
        identity, partition = _array_of(each)
        if identity not in called:
            return each
        name = called[identity] if partition is None else array_partition(called[identity], partition)
        return replace(each, names=tuple(dict.fromkeys((*each.names, name))))

    return Blocks(blocks.disks, [named(each) for each in blocks.filesystems])


def _array_of(volume: GuestFilesystem) -> tuple[str, int | None]:
    """Return udev's name of the array that a volume is, or is a partition of, and which one."""
    found = (match for name in volume.names if (match := _ARRAY_LINK.fullmatch(name)))
    return next(((match[1], int(match[2]) if match[2] else None) for match in found), ("", None))


def array_partition(array: str, number: int) -> str:
    """Return what udev calls a partition of an array that has the name *array*."""
    return f"{array}-part{number}" if array.startswith("/dev/disk/") else partition_path(array, number)


def array_identity(identity: str) -> str:
    """Return the device, as udev calls it, of the array of md with this UUID in whatever form."""
    plain = digits(identity)
    return "/dev/disk/by-id/md-uuid-" + ":".join(plain[start : start + 8] for start in range(0, len(plain), 8))


def where(filesystem: GuestFilesystem) -> str:
    """Return a volume's UUID and where it lies, for people."""
    if filesystem.disk is None:
        return f"{filesystem.uuid} ({filesystem.device})"
    partition = "" if filesystem.partition is None else f", partition {filesystem.partition}"
    return f"{filesystem.uuid} (disk {filesystem.disk}{partition})"


def shows_a_root(exists: Callable[[str], bool]) -> bool:
    """Whether a filesystem in which the names *exists* are there is a system's root."""
    return all(any(map(exists, names)) for names in _SIGNS_OF_A_ROOT)


def places(fstab: str, landed: Landed, root: Place, source_disks: Sequence[str] = ()) -> list[Place]:
    """Return the root and what fstab mounts of the landed filesystems, each after what it's mounted on.

    What fstab names and isn't there is left out, as are swap and what is bound from elsewhere.
    """
    found: dict[str, Place] = {"/": root}
    for entry in read_fstab(fstab):
        mount_point = "/" + entry.mount_point.strip("/")
        if not entry.mount_point.startswith("/") or mount_point in found or "/.." in mount_point:
            continue
        filesystem = (
            identified(entry.spec, landed)
            or volume(entry.spec, landed)
            or find(entry.spec, landed, source_disks, entry.type)
        )
        if filesystem is not None and filesystem.type in MOUNTABLE:
            found[mount_point] = Place(filesystem, mount_point, _subvolume(entry))
    return sorted(found.values(), key=lambda place: (place.mount_point.rstrip("/").count("/"), place.mount_point))


def _subvolume(entry: FstabEntry) -> str:
    named = [option.removeprefix("subvol=") for option in entry.options if option.startswith("subvol=")]
    return named[-1].strip("/") if named else ""
