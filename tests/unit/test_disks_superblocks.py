"""Signatures of filesystems and containers, written here at the places that their formats name."""

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.superblocks import Superblock, read_superblock

SIZE = 1 << 20
ID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def probe(*pieces: tuple[int, bytes], size: int = SIZE) -> Superblock | None:
    content = bytearray(size)
    for offset, piece in pieces:
        content[offset : offset + len(piece)] = piece
    return read_superblock(lambda offset, length: bytes(content[offset : offset + length]), size)


def ext(compatible: int, incompatible: int, read_only: int) -> list[tuple[int, bytes]]:
    features = struct.pack("<III", compatible, incompatible, read_only)
    return [(1024 + 56, b"\x53\xef"), (1024 + 92, features), (1024 + 104, ID.bytes), (1024 + 120, b"data\0junk")]


@pytest.mark.parametrize(
    ("features", "kind"),
    [((0x38, 0x02, 0x03), "ext2"), ((0x3C, 0x02, 0x03), "ext3"), ((0x3C, 0x242, 0x46B), "ext4"), ((0, 8, 0), "jbd")],
)
def test_ext(features: tuple[int, int, int], kind: str) -> None:
    assert probe(*ext(*features)) == Superblock(kind, str(ID), "data")


def test_xfs() -> None:
    assert probe((0, b"XFSB"), (32, ID.bytes), (108, b"twelve chars")) == Superblock("xfs", str(ID), "twelve chars")


def test_btrfs() -> None:
    pieces = ((65536 + 32, ID.bytes), (65536 + 64, b"_BHRfS_M"), (65536 + 299, b"pool"))
    assert probe(*pieces) == Superblock("btrfs", str(ID), "pool")


@pytest.mark.parametrize("page_size", [4096, 65536])
def test_swap(page_size: int) -> None:
    pieces = ((1024 + 12, ID.bytes), (1024 + 28, b"sw"), (page_size - 10, b"SWAPSPACE2"))
    assert probe(*pieces) == Superblock("swap", str(ID), "sw")


@pytest.mark.parametrize("sector", [0, 1, 3])
def test_lvm(sector: int) -> None:
    label = b"LABELONE" + struct.pack("<QII", sector, 0, 32) + b"LVM2 001" + b"abcdefGHIJklmnOPQRstuvWXYZ012345"
    found = probe((sector * 512, label))
    assert found == Superblock("LVM2_member", "abcdef-GHIJ-klmn-OPQR-stuv-WXYZ-012345", "")


@pytest.mark.parametrize("place", [0, 4096, SIZE - 8192])
def test_md_version_1(place: int) -> None:
    header = struct.pack("<IIII", 0xA92B4EFC, 1, 0, 0) + ID.bytes + b"host:0"
    assert probe((place, header)) == Superblock("linux_raid_member", str(ID), "host:0")


def test_md_version_0_90_lies_in_the_last_64_kib() -> None:
    header = bytearray(64)
    struct.pack_into("<II", header, 0, 0xA92B4EFC, 0)
    header[20:24], header[52:64] = ID.bytes[:4], ID.bytes[4:]
    assert probe((SIZE - 65536, bytes(header))) == Superblock("linux_raid_member", str(ID), "")


def test_a_member_of_a_mirror_is_no_filesystem_though_it_looks_like_one() -> None:
    header = struct.pack("<IIII", 0xA92B4EFC, 1, 0, 0) + ID.bytes
    found = probe(*ext(0x3C, 0x242, 0x46B), (SIZE - 8192, header))
    assert found is not None
    assert found.type == "linux_raid_member"


@pytest.mark.parametrize(("version", "label"), [(1, ""), (2, "vault")])
def test_luks(version: int, label: str) -> None:
    pieces = ((0, b"LUKS\xba\xbe" + struct.pack(">H", version)), (24, b"vault"), (168, str(ID).encode()))
    assert probe(*pieces) == Superblock("crypto_LUKS", str(ID), label)


@pytest.mark.parametrize(("kind_at", "serial_at", "kind"), [(82, 67, b"FAT32   "), (54, 39, b"FAT16   ")])
def test_vfat(kind_at: int, serial_at: int, kind: bytes) -> None:
    pieces = ((serial_at, b"\xef\xbe\xad\xde" + b"ESP        "), (kind_at, kind), (510, b"\x55\xaa"))
    assert probe(*pieces) == Superblock("vfat", "DEAD-BEEF", "ESP")


def test_nothing_known() -> None:
    assert probe() is None
    assert probe(size=0) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 24, 54, 82, 510, 512, 1024, 1080, 1116, 4086, 4096]),
            st.one_of(
                st.binary(max_size=90),
                st.sampled_from([b"LUKS\xba\xbe", b"LABELONE", b"\x53\xef", b"FAT32   ", b"SWAPSPACE2", b"XFSB"]),
            ),
        ),
        max_size=8,
    ),
    st.integers(0, 8192),
)
def test_noise_and_cut_devices_raise_nothing(pieces: list[tuple[int, bytes]], size: int) -> None:
    content = bytearray(8192)
    for offset, piece in pieces:
        content[offset : offset + len(piece)] = piece
    cut = bytes(content[:size])
    found = read_superblock(lambda offset, length: cut[offset : offset + length], size)
    assert found is None or found.type
