"""Partition tables, built here byte by byte after the specification, whole, damaged and hostile."""

import struct
import uuid
import zlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.disks.partitions import Entry, PartitionTableDamaged, read_partition_table

LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
DISK = uuid.UUID("11111111-2222-3333-4444-555555555555")
OWN = uuid.UUID("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")


@dataclass
class Image:
    """A disk in memory that's written by sectors and read as a parser wants it."""

    sectors: int = 2048
    sector_size: int = 512
    content: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.content = bytearray(self.sectors * self.sector_size)

    def write(self, sector: int, content: bytes, at: int = 0) -> None:
        start = sector * self.sector_size + at
        self.content[start : start + len(content)] = content

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.content[offset : offset + length])

    def table(self) -> object:
        return read_partition_table(self.read, len(self.content), self.sector_size)

    def entries(self) -> tuple[Entry, ...]:
        found = read_partition_table(self.read, len(self.content), self.sector_size)
        assert found is not None
        return found.entries


def boot_record(*records: tuple[int, int, int], flags: int = 0) -> bytes:
    """An MBR or EBR with records of type, start and count."""
    raw = b"".join(struct.pack("<B3xB3xII", flags, *record) for record in records)
    return bytes(440) + b"\x78\x56\x34\x12" + bytes(2) + raw.ljust(64, b"\0") + b"\x55\xaa"


def write_gpt(image: Image, *entries: tuple[str, int, int, str]) -> None:
    """Write both copies of a GPT with entries of type, first sector, last sector and name."""
    array = b"".join(
        uuid.UUID(kind).bytes_le
        + OWN.bytes_le
        + struct.pack("<QQQ", first, last, 0)
        + name.encode("utf-16-le").ljust(72, b"\0")
        for kind, first, last, name in entries
    ).ljust(128 * 128, b"\0")
    length = len(array) // image.sector_size
    image.write(0, boot_record((0xEE, 1, image.sectors - 1)))
    last = image.sectors - 1
    for own, other, array_at in ((1, last, 2), (last, 1, last - length)):
        image.write(array_at, array)
        write_header(image, own, other, array_at, zlib.crc32(array))


def write_header(
    image: Image, own: int, other: int, array_at: int, crc: int, *, count: int = 128, size: int = 128
) -> None:
    tail = struct.pack("<QQQQ16sQIII", own, other, 34, image.sectors - 34, DISK.bytes_le, array_at, count, size, crc)
    head = b"EFI PART" + struct.pack("<II", 0x10000, 92)
    checksum = zlib.crc32(head + bytes(8) + tail)
    image.write(own, head + struct.pack("<II", checksum, 0) + tail)


@pytest.fixture(params=[512, 4096])
def gpt(request: pytest.FixtureRequest) -> Image:
    image = Image(sector_size=request.param)
    write_gpt(image, (LINUX, 100, 199, "root"), (LINUX, 300, 300, "größe"))
    return image


def test_gpt(gpt: Image) -> None:
    size = gpt.sector_size
    table = read_partition_table(gpt.read, len(gpt.content), size)
    assert table is not None
    assert (table.style, table.disk_id, table.from_backup) == ("GPT", str(DISK), False)
    assert table.entries == (
        Entry(1, 100 * size, 100 * size, LINUX, str(OWN), "root", container=False),
        Entry(2, 300 * size, size, LINUX, str(OWN), "größe", container=False),
    )


@pytest.mark.parametrize("sector", [1, 2])
def test_a_damaged_primary_gives_way_to_the_backup(gpt: Image, sector: int) -> None:
    whole = gpt.entries()
    gpt.write(sector, b"\xff", at=60)
    table = read_partition_table(gpt.read, len(gpt.content), gpt.sector_size)
    assert table is not None
    assert table.from_backup
    assert table.entries == whole


def test_a_damaged_backup_is_not_missed(gpt: Image) -> None:
    whole = gpt.entries()
    gpt.write(gpt.sectors - 1, bytes(gpt.sector_size))
    assert gpt.entries() == whole


def test_two_damaged_copies_are_an_error_that_says_why(gpt: Image) -> None:
    gpt.write(1, b"\xff", at=60)
    gpt.write(gpt.sectors - 1, bytes(8))
    with pytest.raises(PartitionTableDamaged, match=r"checksum of the header.*there is no header"):
        gpt.table()


def test_a_header_copied_to_another_place_is_refused(gpt: Image) -> None:
    gpt.write(1, gpt.read((gpt.sectors - 1) * gpt.sector_size, gpt.sector_size))
    gpt.write(gpt.sectors - 1, bytes(8))
    with pytest.raises(PartitionTableDamaged, match="copy from another place"):
        gpt.table()


@pytest.mark.parametrize(("count", "size"), [(2**32 - 1, 128), (128, 2**31), (128, 64), (128, 129)])
def test_tables_of_absurd_size_are_not_read(gpt: Image, count: int, size: int) -> None:
    write_header(gpt, 1, gpt.sectors - 1, 2, 0, count=count, size=size)
    gpt.write(gpt.sectors - 1, bytes(8))
    with pytest.raises(PartitionTableDamaged, match="no table"):
        gpt.table()


def test_an_old_gpt_without_its_protective_mbr_does_not_count(gpt: Image) -> None:
    gpt.write(0, boot_record((0x83, 64, 100)))
    table = read_partition_table(gpt.read, len(gpt.content), gpt.sector_size)
    assert table is not None
    assert table.style == "MBR"


def test_a_hybrid_mbr_is_a_gpt(gpt: Image) -> None:
    gpt.write(0, boot_record((0xEE, 1, 33), (0x83, 100, 100)))
    assert [entry.index for entry in gpt.entries()] == [1, 2]


def test_gpt_entries_that_run_off_the_disk_are_left_out() -> None:
    image = Image()
    write_gpt(image, (LINUX, 100, 2048, ""), (LINUX, 200, 199, ""), (LINUX, 300, 399, ""))
    assert [entry.index for entry in image.entries()] == [3]


def test_mbr_with_logical_partitions() -> None:
    image = Image()
    image.write(0, boot_record((0x83, 64, 100), (0, 0, 0), (0x05, 200, 1000)))
    image.write(200, boot_record((0x83, 10, 50), (0x05, 100, 200)))
    image.write(300, boot_record((0x82, 10, 60), (0x05, 400, 100)))
    image.write(600, boot_record((0x8E, 10, 70)))
    table = read_partition_table(image.read, len(image.content), 512)
    assert table is not None
    assert (table.style, table.disk_id) == ("MBR", "12345678")
    assert [(e.index, e.offset // 512, e.size // 512, e.type_id, e.container) for e in table.entries] == [
        (1, 64, 100, "83", False),
        (3, 200, 1000, "05", True),
        (5, 210, 50, "83", False),
        (6, 310, 60, "82", False),
        (7, 610, 70, "8e", False),
    ]


def test_a_chain_of_extended_records_that_bites_its_tail_ends() -> None:
    image = Image()
    image.write(0, boot_record((0x05, 200, 1000)))
    image.write(200, boot_record((0x83, 10, 50), (0x05, 100, 200)))
    image.write(300, boot_record((0x83, 10, 60), (0x05, 0, 200)))
    assert [entry.index for entry in image.entries()] == [1, 5, 6]


def test_a_partition_that_leaves_the_disk_is_cut() -> None:
    image = Image()
    image.write(0, boot_record((0x83, 2000, 1000), (0x83, 5000, 10)))
    assert [(entry.offset, entry.size) for entry in image.entries()] == [(2000 * 512, 48 * 512)]


@pytest.mark.parametrize("sector", [bytes(512), b"x" * 512, boot_record((0x83, 64, 100), flags=0x41)])
def test_disks_without_a_table(sector: bytes) -> None:
    image = Image()
    image.write(0, sector)
    assert image.table() is None


@given(st.binary(max_size=1200), st.sampled_from([512, 4096]))
def test_noise_raises_nothing_but_its_own_error(noise: bytes, sector_size: int) -> None:
    image = Image(sectors=64, sector_size=sector_size)
    image.write(0, noise)
    image.write(0, b"\x55\xaa", at=510)
    check_harmless(image)


@given(st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 511), st.integers(0, 255)), max_size=8))
def test_a_gpt_with_flipped_bytes_raises_nothing_but_its_own_error(flips: list[tuple[int, int, int]]) -> None:
    image = Image()
    write_gpt(image, (LINUX, 100, 199, "root"))
    for sector, at, byte in flips:
        image.write(sector % 40, bytes([byte]), at)
        image.write(2047 - sector % 40, bytes([byte]), at)
    check_harmless(image)


numbers = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 70))
records = st.tuples(st.sampled_from([0x05, 0x0F, 0x85, 0x83, 0xEE, 0]), numbers, numbers)


@given(st.dictionaries(st.integers(0, 63), st.lists(records, max_size=4), max_size=12))
def test_hostile_chains_of_boot_records_end(written: dict[int, list[tuple[int, int, int]]]) -> None:
    image = Image(sectors=64)
    image.write(0, boot_record((0x05, 1, 62)))
    for sector, contents in written.items():
        image.write(sector, boot_record(*contents))
    check_harmless(image)


@given(st.integers(0, 2000))
def test_cut_disks_raise_nothing_but_their_own_error(length: int) -> None:
    image = Image()
    write_gpt(image, (LINUX, 100, 199, "root"))
    del image.content[length:]
    check_harmless(image)


def check_harmless(image: Image) -> None:
    try:
        table = read_partition_table(image.read, len(image.content), image.sector_size)
    except PartitionTableDamaged:
        return
    if table is not None:
        assert all(0 <= entry.offset < entry.offset + entry.size <= len(image.content) for entry in table.entries)
