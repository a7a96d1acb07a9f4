"""What inspection found out about a landed system: plain data, for rules and for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from wherry.boot.guest import GuestDisk, GuestFilesystem
from wherry.boot.parsing.interfaces import Interface
from wherry.boot.target import Firmware


@dataclass(frozen=True, slots=True)
class Distribution:
    """Who made the system, by os-release."""

    id: str
    version: str
    name: str
    like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """An installed kernel, and which of the drivers that a disk bus may need it has where."""

    version: str
    image: str
    """Path of the kernel itself."""
    initramfs: str
    """Path of its initramfs; "" where it has none."""
    available: frozenset[str] = frozenset()
    """As modules on the root filesystem."""
    builtin: frozenset[str] = frozenset()
    carried: frozenset[str] | None = None
    """In the initramfs; None where that couldn't be read."""
    unreadable: str = ""
    """Why the initramfs couldn't be read."""


class InitramfsTool(StrEnum):
    """What builds the system's initramfs."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"


class LoaderKind(StrEnum):
    """Which boot loader a system has."""

    GRUB2 = "grub2"
    SYSTEMD_BOOT = "systemd-boot"
    GRUB_LEGACY = "grub-legacy"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Loader:
    """The boot loader and what it can be started by."""

    kind: LoaderKind
    config_paths: tuple[str, ...] = ()
    """Its configuration: grub.cfg, entries by the Boot Loader Specification, GRUB's environment block."""
    bios_platform: bool = False
    """Whether GRUB's modules for BIOS are installed, so that it can be put into a boot sector."""
    efi_platform: bool = False
    esp: str = ""
    """Where the EFI system partition is mounted; "" where there's none."""
    efi_programs: tuple[str, ...] = ()
    """The EFI programs on it, as paths in the system."""


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A file of network configuration."""

    path: str
    kind: str
    """Who reads it: ifupdown, netplan, networkd, link, networkmanager, ifcfg, udev."""
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class Selinux:
    """Whether SELinux guards the system."""

    mode: str
    """enforcing, permissive, disabled, or "" where it isn't installed."""
    policy: str = ""

    @property
    def labels_matter(self) -> bool:
        """Whether a file without a label would be in the way."""
        return self.mode in {"enforcing", "permissive"}


@dataclass(frozen=True, slots=True)
class CloudInit:
    """Whether cloud-init runs, and where it would look for its data."""

    installed: bool = False
    disabled: bool = False
    seeded: bool = False
    """Whether its data lies on the system's own disk, so that it's found anywhere."""
    datasources: tuple[str, ...] | None = None
    """What its configuration names, None where it names nothing."""


@dataclass(frozen=True, slots=True)
class HypervisorTool:
    """A service that belongs to the machine that the system came from."""

    unit: str
    hypervisor: str


@dataclass(frozen=True, slots=True)
class System:
    """A landed system."""

    distribution: Distribution
    hostname: str
    disks: tuple[GuestDisk, ...]
    filesystems: tuple[GuestFilesystem, ...]
    kernels: tuple[Kernel, ...] = ()
    initramfs_tool: InitramfsTool | None = None
    loader: Loader = Loader(LoaderKind.NONE)
    network: tuple[NetworkFile, ...] = ()
    virtual_interfaces: frozenset[str] = frozenset()
    """Names that the system gives to interfaces which aren't cards: bridges, bonds."""
    selinux: Selinux = Selinux("")
    cloud_init: CloudInit = CloudInit()
    tools: tuple[HypervisorTool, ...] = ()
    """Those that start, and would fail elsewhere."""
    names_by_kernel: bool = False
    """Whether cards have the kernel's names (net.ifnames=0) and not udev's."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The text of the files that a change set may change, by path."""

    @property
    def boots_by(self) -> tuple[Firmware, ...]:
        """Which firmware finds a boot loader on these disks as they are."""
        found = []
        if any(disk.boot_code for disk in self.disks):
            found.append(Firmware.BIOS)
        if self.loader.efi_programs:
            found.append(Firmware.UEFI)
        return tuple(found)
