"""Volumes of LVM, md and LUKS, made in image files without the kernel's device mapper, which this machine may lack.

A linear logical volume and a member of a mirror are runs of bytes of their partition, so a filesystem can be made and
mounted at their offset; so is a thin volume all of whose blocks are mapped in order. An encrypted volume is filled by
`qemu-img`, which encrypts by itself.
Sources: Linux include/uapi/linux/raid/md_p.h for the superblock 1.2; vgcfgbackup's text for LVM, thin_dump's for pools.
"""

import itertools
import re
import struct
import tempfile
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
_POOL_MAP_SIZE: Final = 4 * MIB
_POOL_BLOCK: Final = 64 << 10
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


def make_volume_group(partition: Volume, *, thin: bool = False) -> tuple[Volume, Volume]:
    """Make a volume group with the logical volumes root and swap in *partition*; return both, in this order.

    *thin*: the root lies in a thin pool, of which it has every block, each in its place.
    """
    content = "data" if thin else "root"
    with attached(partition.image, offset=partition.offset, size=partition.size) as device:
        _lvm("pvcreate", str(device))
        _lvm("vgcreate", VOLUME_GROUP, str(device))
        # Not activated, so nothing is wiped: the image is new and holds zeros.
        create = ("lvcreate", "-an", "-Zn", "-Wn")
        _lvm(*create, "-L", f"{_SWAP_SIZE}b", "-n", "swap", VOLUME_GROUP)
        if thin:
            _lvm(*create, "-L", f"{_POOL_MAP_SIZE}b", "-n", "map", VOLUME_GROUP)
        _lvm(*create, "-l", "100%FREE", "-n", content, VOLUME_GROUP)
        found = _logical_volumes(partition, device)
        if thin:
            _write_pool_map(found["map"], found[content].size)
            _make_pool()
    return found[content], found["swap"]


def _logical_volumes(partition: Volume, device: Path) -> dict[str, Volume]:
    """Return where each logical volume lies; it's one run of extents of the only physical volume, *device*."""
    begin = int(_lvm("pvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "pe_start", str(device)))
    columns = "lv_name,vg_extent_size,seg_pe_ranges"
    lines = _lvm("lvs", "--noheadings", "--nosuffix", "--units", "b", "-o", columns, VOLUME_GROUP)
    found = {}
    for line in lines.decode().splitlines():
        name, extent, place = line.split()
        ranges = re.search(r":(\d+)-(\d+)$", place)
        assert ranges is not None
        first, last = int(ranges[1]), int(ranges[2])
        offset = partition.offset + begin + first * int(extent)
        found[name] = Volume(partition.image, offset, (last - first + 1) * int(extent))
    return found


def _write_pool_map(volume: Volume, size: int) -> None:
    """Write a thin pool's map into *volume*: its device 1 has all blocks of a pool of *size* bytes, in order."""
    blocks = size // _POOL_BLOCK
    text = (
        f'<superblock uuid="" time="0" transaction="1" version="2" data_block_size="{_POOL_BLOCK // 512}"'
        f' nr_data_blocks="{blocks}">'
        f'<device dev_id="1" mapped_blocks="{blocks}" transaction="0" creation_time="0" snap_time="0">'
        f'<range_mapping origin_begin="0" data_begin="0" length="{blocks}" time="0"/></device></superblock>\n'
    )
    with tempfile.TemporaryDirectory(prefix="wherry-pool-") as folder:
        described, written = Path(folder) / "map.xml", Path(folder) / "map"
        described.write_text(text)
        with written.open("wb") as file:
            file.truncate(volume.size)
        run(["thin_restore", "--quiet", "--input", str(described), "--output", str(written)])
        with volume.image.open("r+b") as image:
            image.seek(volume.offset)
            image.write(written.read_bytes())


def _make_pool() -> None:
    """Make the volumes data and map a thin pool, which holds the volume root."""
    with tempfile.TemporaryDirectory(prefix="wherry-group-") as folder:
        description = Path(folder) / "group"
        _lvm("vgcfgbackup", "--file", str(description), VOLUME_GROUP)
        description.write_text(_with_pool(description.read_text()))
        _lvm("vgcfgrestore", "--force", "--file", str(description), VOLUME_GROUP)


def _with_pool(group: str) -> str:
    """Return the description of a volume group with its linear volumes data and map as parts of a pool."""
    extents = re.search(r"\bdata \{.*?extent_count = (\d+)", group, re.DOTALL)
    assert extents is not None
    for name, part in (("data", "pool_tdata"), ("map", "pool_tmeta")):
        group = re.sub(
            rf"\b{name} (\{{.*?status = \[[^]]*), \"VISIBLE\"\]", rf"{part} \1]", group, count=1, flags=re.DOTALL
        )
    segments = {
        "pool": 'type = "thin-pool" metadata = "pool_tmeta" pool = "pool_tdata" transaction_id = 1'
        f' chunk_size = {_POOL_BLOCK // 512} discards = "passdown" zero_new_blocks = 1',
        "root": 'type = "thin" thin_pool = "pool" transaction_id = 0 device_id = 1',
    }
    volumes = "".join(
        f'{name} {{ id = "{_lvm_id()}" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1'
        f" segment1 {{ start_extent = 0 extent_count = {extents[1]} {segment} }} }}\n"
        for name, segment in segments.items()
    )
    return group.replace("logical_volumes {\n", "logical_volumes {\n" + volumes, 1)


def _lvm_id() -> str:
    """Return an identity as LVM writes it: 32 letters and digits in seven groups."""
    word = uuid.uuid4().hex
    bounds = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(word[begin:end] for begin, end in itertools.pairwise(bounds))


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
