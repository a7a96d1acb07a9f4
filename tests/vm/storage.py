"""Volumes of LVM, md and LUKS, made in image files without the kernel's device mapper, which this machine may lack.

A linear logical volume and a member of a mirror are runs of bytes of their partition, so a filesystem can be made and
mounted at their offset. An encrypted volume is filled by `qemu-img`, which encrypts by itself.
Sources: Linux include/uapi/linux/raid/md_p.h for the superblock 1.2; vgcfgbackup's text for LVM.
"""

import re
import struct
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.mounting import attached
from tests.vm.recipe import MIB
from wherry.process import run

VOLUME_GROUP: Final = "vg0"
ARRAY_NAME: Final = "server:0"
CRYPT_NAME: Final = "cryptroot"

_LVM: Final = (
    "--driverloaded",
    "n",
    "--config",
    (
        'devices { filter=["a|^/dev/loop|","r|.*|"] use_devicesfile=0 } activation { udev_sync=0 udev_rules=0 } '
        "backup { backup=0 archive=0 }"
    ),
)
_SWAP_SIZE: Final = 64 * MIB
_MD_DATA_AT: Final = MIB
_MD_SUPERBLOCK_AT: Final = 4096
_MD_CHECKED: Final = 256  # bytes of the superblock before the roles
_MD_MEMBERS: Final = 2
_LUKS_ITERATIONS: Final = "1000"  # a slow guest has to do them


@dataclass(frozen=True, slots=True)
class Volume:
    """A run of bytes of an image, in which a filesystem lies. Offset and size in bytes."""

    image: Path
    offset: int
    size: int


# --- LVM ---------------------------------------------------------------------------------------------------------


def make_volume_group(partition: Volume) -> tuple[Volume, Volume]:
    """Make a volume group with the logical volumes root and swap in *partition*; return both, in this order."""
    with attached(partition.image, offset=partition.offset, size=partition.size) as device:
        _lvm("pvcreate", str(device))
        _lvm("vgcreate", VOLUME_GROUP, str(device))
        # Not activated, so nothing is wiped: the image is new and holds zeros.
        _lvm("lvcreate", "-an", "-Zn", "-Wn", "-L", f"{_SWAP_SIZE}b", "-n", "swap", VOLUME_GROUP)
        _lvm("lvcreate", "-an", "-Zn", "-Wn", "-l", "100%FREE", "-n", "root", VOLUME_GROUP)
        begin = int(_lvm("pvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "pe_start", str(device)))
        lines = _lvm(
            *("lvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "lv_name,vg_extent_size,seg_pe_ranges"),
            VOLUME_GROUP,
        )
    found = {}
    for line in lines.decode().splitlines():
        name, extent, place = line.split()
        ranges = re.search(r":(\d+)-(\d+)$", place)
        assert ranges is not None
        first, last = int(ranges[1]), int(ranges[2])
        offset = partition.offset + begin + first * int(extent)
        found[name] = Volume(partition.image, offset, (last - first + 1) * int(extent))
    return found["root"], found["swap"]


def _lvm(program: str, *arguments: str) -> bytes:
    return run([program, *_LVM, *arguments])


# --- md ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mirror:
    """An array of two members, each a partition of the same offset and size on a disk of its own."""

    array: uuid.UUID
    partitions: tuple[Volume, Volume]

    @property
    def line(self) -> str:
        """The array's line in mdadm.conf."""
        words = [self.array.hex[start : start + 8] for start in range(0, 32, 8)]
        return f"ARRAY /dev/md0 metadata=1.2 UUID={':'.join(words)}"

    @property
    def data(self) -> Volume:
        """What the array holds, on its first member."""
        first = self.partitions[0]
        return Volume(first.image, first.offset + _MD_DATA_AT, first.size - _MD_DATA_AT)


def write_superblocks(mirror: Mirror) -> None:
    """Make each partition a member of the mirror, which is clean."""
    for number, partition in enumerate(mirror.partitions):
        with partition.image.open("r+b") as file:
            file.seek(partition.offset + _MD_SUPERBLOCK_AT)
            file.write(md_superblock(mirror.array, number, partition.size))


def md_superblock(array: uuid.UUID, number: int, size: int) -> bytes:
    """Return the superblock of member *number* of a clean mirror, on a partition of *size* bytes."""
    now = int(time.time())
    data_sectors = (size - _MD_DATA_AT) // 512
    block = bytearray(_MD_CHECKED)
    struct.pack_into("<IIII16s32s", block, 0, 0xA92B4EFC, 1, 0, 0, array.bytes, ARRAY_NAME.encode())
    struct.pack_into("<QIIQIII", block, 64, now, 1, 0, data_sectors, 0, _MD_MEMBERS, 0)
    struct.pack_into("<QQQQI", block, 128, _MD_DATA_AT // 512, data_sectors, _MD_SUPERBLOCK_AT // 512, 0, number)
    struct.pack_into("<16s", block, 168, uuid.uuid4().bytes)
    struct.pack_into("<QQQII", block, 192, now, 1, 0xFFFFFFFFFFFFFFFF, 0, _MD_MEMBERS)
    whole = bytes(block) + struct.pack(f"<{_MD_MEMBERS}H", *range(_MD_MEMBERS))
    total = sum(struct.unpack(f"<{len(whole) // 4}I", whole))
    struct.pack_into("<I", block, 216, (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF)
    return bytes(block) + whole[_MD_CHECKED:]


# --- LUKS --------------------------------------------------------------------------------------------------------


def format_luks(partition: Volume, key: Path) -> str:
    """Write a LUKS header into *partition*, opened by the content of *key*; return the UUID of the volume."""
    identity = str(uuid.uuid4())
    with attached(partition.image, offset=partition.offset, size=partition.size) as device:
        run([
            *("cryptsetup", "luksFormat", "--batch-mode", "--type", "luks1", "--uuid", identity),
            *("--cipher", "aes-xts-plain64", "--hash", "sha256", "--pbkdf-force-iterations", _LUKS_ITERATIONS),
            *("--key-file", str(key), str(device)),
        ])  # fmt: skip
    return identity


def fill_luks(partition: Volume, content: Path, key: Path) -> None:
    """Encrypt the image *content* into a partition that has a LUKS header."""
    target = (
        f"driver=luks,key-secret=key,file.driver=raw,file.offset={partition.offset},file.size={partition.size},"
        f"file.file.driver=file,file.file.filename={partition.image}"
    )
    secret = f"secret,id=key,file={key}"
    command: Sequence[str] = ("qemu-img", "convert", "-n", "--object", secret, "-f", "raw", "--target-image-opts")
    run([*command, str(content), target], timeout_s=600)
