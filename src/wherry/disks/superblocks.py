"""What a partition holds, told by the signature of its super block.

The names are those of blkid, since that's what people, fstab and the SMS protocol write. A pure parser over a function
that reads. Sources: the on-disk formats as documented in Linux (Documentation/filesystems/ext4, fs/xfs/libxfs,
fs/btrfs), LVM2's format_text, mdadm's md_p.h, the LUKS1 and LUKS2 specifications, Microsoft's FAT specification.
"""

import itertools
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from wherry.disks.partitions import ReadAt

# Features that ext3 knows (linux fs/ext4/ext4.h, EXT3_FEATURE_*_SUPP): a filesystem with any other one is ext4.
_EXT3_INCOMPATIBLE = 0x02 | 0x04 | 0x10
_EXT3_READ_ONLY = 0x01 | 0x02 | 0x04
_EXT_HAS_JOURNAL = 0x04
_EXT_JOURNAL_DEVICE = 0x08

_MD_MAGIC = struct.pack("<I", 0xA92B4EFC)
_SWAP_PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)


@dataclass(frozen=True, slots=True)
class Superblock:
    """Type, identity and name of what lies on a partition."""

    type: str
    uuid: str
    label: str


def read_superblock(read: ReadAt, size: int) -> Superblock | None:
    """Return what the *size* bytes that *read* gives hold, None when nothing known is there.

    Containers go first: a member of a mirror also looks like the filesystem that lies on the mirror.
    """
    for probe in _PROBES:
        found = probe(read, size)
        if found is not None:
            return found
    return None


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace").strip()


def _uuid(raw: bytes) -> str:
    return str(uuid.UUID(bytes=raw))


def _md(read: ReadAt, size: int) -> Superblock | None:
    sectors = size // 512
    for place in (0, 4096, ((sectors - 16) & ~7) * 512):
        block = read(place, 64) if 0 <= place < size else b""
        if len(block) == 64 and block[:8] == _MD_MAGIC + b"\1\0\0\0":
            return Superblock("linux_raid_member", _uuid(block[16:32]), _text(block[32:64]))
    place = ((sectors & ~127) - 128) * 512
    block = read(place, 64) if place >= 0 else b""
    if len(block) == 64 and block[:8] == _MD_MAGIC + bytes(4):
        return Superblock("linux_raid_member", _uuid(block[20:24] + block[52:64]), "")
    return None


def _luks(read: ReadAt, _size: int) -> Superblock | None:
    header = read(0, 208)
    if len(header) < 208 or header[:6] != b"LUKS\xba\xbe":
        return None
    label = _text(header[24:72]) if header[6:8] == b"\0\2" else ""
    return Superblock("crypto_LUKS", _text(header[168:208]), label)


def _lvm(read: ReadAt, _size: int) -> Superblock | None:
    sectors = read(0, 2048)
    for start in range(0, 2048, 512):
        sector = sectors[start : start + 512]
        if len(sector) < 512 or sector[:8] != b"LABELONE" or sector[24:32] != b"LVM2 001":
            continue
        (header_at,) = struct.unpack_from("<I", sector, 20)
        name = _text(sector[header_at : header_at + 32])
        cuts = (0, 6, 10, 14, 18, 22, 26, 32)
        parts = (name[left:right] for left, right in itertools.pairwise(cuts))
        return Superblock("LVM2_member", "-".join(parts) if len(name) == 32 else "", "")
    return None


def _xfs(read: ReadAt, _size: int) -> Superblock | None:
    block = read(0, 120)
    if len(block) < 120 or block[:4] != b"XFSB":
        return None
    return Superblock("xfs", _uuid(block[32:48]), _text(block[108:120]))


def _ext(read: ReadAt, _size: int) -> Superblock | None:
    block = read(1024, 136)
    if len(block) < 136 or block[56:58] != b"\x53\xef":
        return None
    compatible, incompatible, read_only = struct.unpack_from("<III", block, 92)
    if incompatible & _EXT_JOURNAL_DEVICE:
        kind = "jbd"
    elif incompatible & ~_EXT3_INCOMPATIBLE or read_only & ~_EXT3_READ_ONLY:
        kind = "ext4"
    else:
        kind = "ext3" if compatible & _EXT_HAS_JOURNAL else "ext2"
    return Superblock(kind, _uuid(block[104:120]), _text(block[120:136]))


def _btrfs(read: ReadAt, _size: int) -> Superblock | None:
    block = read(65536, 555)
    if len(block) < 555 or block[64:72] != b"_BHRfS_M":
        return None
    return Superblock("btrfs", _uuid(block[32:48]), _text(block[299:555]))


def _swap(read: ReadAt, _size: int) -> Superblock | None:
    for page_size in _SWAP_PAGE_SIZES:
        if read(page_size - 10, 10) in {b"SWAPSPACE2", b"SWAP-SPACE"}:
            header = read(1024, 44)
            return Superblock("swap", _uuid(header[12:28]), _text(header[28:44]))
    return None


def _fat(read: ReadAt, _size: int) -> Superblock | None:
    sector = read(0, 512)
    if len(sector) < 512 or sector[510:512] != b"\x55\xaa":
        return None
    if sector[82:90] == b"FAT32   ":
        serial, label = sector[67:71], sector[71:82]
    elif sector[54:62] in {b"FAT12   ", b"FAT16   "}:
        serial, label = sector[39:43], sector[43:54]
    else:
        return None
    number = struct.unpack("<I", serial)[0]
    name = _text(label)
    return Superblock("vfat", f"{number >> 16:04X}-{number & 0xFFFF:04X}", "" if name == "NO NAME" else name)


_PROBES: tuple[Callable[[ReadAt, int], Superblock | None], ...] = (_md, _luks, _lvm, _xfs, _ext, _btrfs, _swap, _fat)
