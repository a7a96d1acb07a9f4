"""Where the filesystems of a landed system belong, by its own fstab. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wherry.boot.guest import GuestFilesystem
from wherry.boot.naming import Landed, find, identified
from wherry.boot.parsing.columns import FstabEntry, read_fstab

MOUNTABLE: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "msdos"})

CONTAINERS: Final = {"LVM2_member": "LVM", "crypto_LUKS": "LUKS", "linux_raid_member": "md"}
"""What other filesystems may lie in, by the name of what it's a part of."""

ROOT_SUBVOLUMES: Final = ("", "@", "@rootfs", "root", "@/.snapshots/1/snapshot")
"""Where distributions put the root on a btrfs; "" for the default subvolume."""


@dataclass(frozen=True, slots=True)
class Place:
    """A filesystem and where it's mounted."""

    filesystem: GuestFilesystem
    mount_point: str
    subvolume: str = ""
    """Of a btrfs; "" for the default one."""


def places(fstab: str, landed: Landed, root: Place, source_disks: Sequence[str] = ()) -> list[Place]:
    """Return the root and what fstab mounts of the landed filesystems, each after what it's mounted on.

    What fstab names and isn't there is left out, as are swap and what is bound from elsewhere.
    """
    found: dict[str, Place] = {"/": root}
    for entry in read_fstab(fstab):
        mount_point = "/" + entry.mount_point.strip("/")
        if not entry.mount_point.startswith("/") or mount_point in found or "/.." in mount_point:
            continue
        filesystem = identified(entry.spec, landed) or find(entry.spec, landed, source_disks, entry.type)
        if filesystem is not None and filesystem.type in MOUNTABLE:
            found[mount_point] = Place(filesystem, mount_point, _subvolume(entry))
    return sorted(found.values(), key=lambda place: (place.mount_point.rstrip("/").count("/"), place.mount_point))


def _subvolume(entry: FstabEntry) -> str:
    named = [option.removeprefix("subvol=") for option in entry.options if option.startswith("subvol=")]
    return named[-1].strip("/") if named else ""
