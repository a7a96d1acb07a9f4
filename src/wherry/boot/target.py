"""The machine that a landed system is to boot on."""

from dataclasses import dataclass
from enum import StrEnum


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


class DiskBus(StrEnum):
    """How the machine's disks are attached, and so which driver the initramfs must have."""

    VIRTIO_BLK = "virtio-blk"
    VIRTIO_SCSI = "virtio-scsi"
    SATA = "sata"
    NVME = "nvme"


class NicModel(StrEnum):
    """The machine's network cards, and so the driver and the predictable name."""

    VIRTIO = "virtio-net"
    E1000E = "e1000e"


class NetworkWish(StrEnum):
    """Where the system has its addresses from at its new home."""

    DHCP = "dhcp"
    KEEP = "keep"
    """What is configured stays as it is."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card of the target machine."""

    mac: str
    """In lower case with colons."""
    name: str = ""
    """Which interface of the source it stands for; "" for the next one in order."""


@dataclass(frozen=True, slots=True)
class TargetMachine:
    """What a change set is planned for."""

    firmware: Firmware
    bus: DiskBus = DiskBus.VIRTIO_BLK
    network: NetworkWish = NetworkWish.KEEP
    nics: tuple[Nic, ...] = ()
    """Empty where the MAC addresses aren't known yet."""
    source_disks: tuple[str, ...] = ()
    """What the landed disks were called on the source (/dev/sda), in their order. Empty where nobody knows."""
