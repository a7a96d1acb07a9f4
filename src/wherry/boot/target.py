"""The machine that a landed system is to boot on."""

from dataclasses import dataclass
from enum import StrEnum

from wherry.contract.enumerations import DiskBus, NetworkWish


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


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
