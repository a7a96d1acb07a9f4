"""What a target machine can consist of."""

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
