"""What a source server for tests consists of. Frozen: two equal recipes make the same server."""

import hashlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

import msgspec

MIB: Final = 1 << 20
GIB: Final = 1 << 30


class Suite(StrEnum):
    """A release of Debian."""

    BULLSEYE = "bullseye"
    BOOKWORM = "bookworm"
    TRIXIE = "trixie"


class RootFilesystem(StrEnum):
    """What the root filesystem is."""

    EXT4 = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"


class Layout(StrEnum):
    """What lies between the disk and the root filesystem."""

    PLAIN = "plain"
    LVM = "lvm"
    """A volume group with root and swap; /boot has a partition of its own, as in all that follow."""
    THIN = "thin"
    """The same with the root in a thin pool."""
    MIRROR = "mirror"
    """md RAID 1 over two disks."""
    LUKS = "luks"
    """An encrypted partition that the initramfs opens with a key of its own."""
    SPREAD = "spread"
    """A swap partition and a swap file, and /srv on a second disk."""


class Initramfs(StrEnum):
    """Which drivers are in the initramfs."""

    MOST = "most"
    """Debian's default: those of every bus."""
    SATA_ONLY = "sata-only"
    """Those of one machine with SATA disks, as MODULES=dep makes it there."""


_PACKAGES: Final = (
    *("systemd-sysv", "udev", "dbus", "kmod", "procps", "login", "passwd", "zstd"),
    *("linux-image-amd64", "initramfs-tools", "e2fsprogs"),
    *("grub2-common", "grub-pc-bin", "grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed"),
    *("ifupdown", "isc-dhcp-client", "iproute2", "openssh-server", "ca-certificates", "curl", "sqlite3"),
)

_OF_FILESYSTEM: Final = {RootFilesystem.XFS: ("xfsprogs",), RootFilesystem.BTRFS: ("btrfs-progs",)}


_OF_LAYOUT: Final = {
    Layout.LVM: ("lvm2",),
    Layout.THIN: ("lvm2", "thin-provisioning-tools"),
    Layout.MIRROR: ("mdadm",),
    Layout.LUKS: ("cryptsetup-initramfs", "busybox"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A source server: Debian with GRUB for BIOS and UEFI on its first disk."""

    suite: Suite = Suite.BOOKWORM
    root: RootFilesystem = RootFilesystem.EXT4
    layout: Layout = Layout.PLAIN
    initramfs: Initramfs = Initramfs.MOST
    extra_packages: tuple[str, ...] = ()
    disk_size: int = 2 * GIB
    """Of each disk, in bytes."""
    hostname: str = "source"

    @property
    def packages(self) -> tuple[str, ...]:
        """All packages that are installed by name, without recommended ones."""
        own = (*_OF_FILESYSTEM.get(self.root, ()), *_OF_LAYOUT.get(self.layout, ()), *self.extra_packages)
        return tuple(sorted({*_PACKAGES, *own}))

    @property
    def name(self) -> str:
        """A short name for folders and people."""
        return f"{self.suite}-{self.root}-{self.layout}-{self.initramfs}"


def digest(*parts: object) -> str:
    """Return what stands for *parts*, of which equal ones give equal digests."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def recipe_digest(recipe: Recipe) -> str:
    """Return what stands for the recipe."""
    return digest(asdict(recipe), recipe.packages)
