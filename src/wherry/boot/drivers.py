"""Which drivers a machine needs to reach its disks.

Sources: Linux drivers/virtio, drivers/block, drivers/scsi, drivers/ata, drivers/nvme, and the Kconfig files there.
"""

import re
from collections.abc import Mapping
from typing import Final

from wherry.contract.enumerations import DiskBus

NEEDED: Final[Mapping[DiskBus, tuple[str, ...]]] = {
    DiskBus.VIRTIO_BLK: ("virtio_pci", "virtio_blk"),
    DiskBus.VIRTIO_SCSI: ("virtio_pci", "virtio_scsi", "sd_mod"),
    DiskBus.SATA: ("ahci", "sd_mod"),
    DiskBus.NVME: ("nvme",),
}

INTERESTING: Final = frozenset(name for names in NEEDED.values() for name in names)

LAYERS: Final = frozenset({
    *("dm_mod", "dm_crypt", "dm_mirror", "dm_raid", "dm_thin_pool", "dm_multipath", "dm_integrity"),
    *("raid0", "raid1", "raid10", "raid456", "linear", "ext4", "xfs", "btrfs", "f2fs"),
})  # fmt: skip
"""What lies between a disk and the root filesystem, and filesystems: an initramfs that had one of them needs it."""

_OPTIONS: Final = {
    "virtio_pci": "CONFIG_VIRTIO_PCI",
    "virtio_blk": "CONFIG_VIRTIO_BLK",
    "virtio_scsi": "CONFIG_SCSI_VIRTIO",
    "sd_mod": "CONFIG_BLK_DEV_SD",
    "ahci": "CONFIG_SATA_AHCI",
    "nvme": "CONFIG_BLK_DEV_NVME",
}


def builtin_by_config(config: str) -> frozenset[str]:
    """Return the drivers that a kernel with this configuration file has built in."""
    chosen = set(re.findall(r"^(CONFIG_[A-Z0-9_]+)=y$", config, re.MULTILINE))
    return frozenset(name for name, option in _OPTIONS.items() if option in chosen)
