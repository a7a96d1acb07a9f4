"""Partition tables: GPT with its backup, and MBR with logical partitions.

A pure parser: it's handed a function that reads, and never trusts what it reads.
Sources: UEFI specification 2.10 chapter 5; Linux block/partitions/efi.c and msdos.c, whose decisions what to accept
are followed, so that the table read here is the one that the kernel mounts from.
"""

import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wherry.errors import WherryError

ReadAt = Callable[[int, int], bytes]
"""Called with offset and length in bytes; returns fewer bytes only where the disk ends."""

_EXTENDED_TYPES = frozenset({0x05, 0x0F, 0x85})
_PROTECTIVE_TYPE = 0xEE
_MOST_LOGICALS = 256
_LARGEST_ENTRY_ARRAY = 4 << 20


class PartitionTableDamaged(WherryError):
    """A disk says that it has a GPT, but neither of its two copies can be read."""

    code = "WHERRY.1010"
    template = "The GPT of the disk is damaged: primary: {primary}; backup: {backup}."
    default_cause = "Something overwrote both ends of the disk, or the disk was cut short."
    default_fix = (
        "It's copied as it is, all of it but what a mounted filesystem on it knows to be free. Look at it with "
        "`sgdisk --verify`; repair the table, or wipe it when the disk isn't partitioned."
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A partition as its table describes it. Offset and size in bytes."""

    index: int
    offset: int
    size: int
    type_id: str
    """GPT type GUID in lower case, or the MBR type as two hexadecimal digits."""
    uuid: str
    """The partition's own GUID, "" on an MBR disk."""
    name: str
    container: bool
    """Whether it's an extended partition, which only holds others."""


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """A disk's partition table."""

    style: str
    """Either "GPT" or "MBR"."""
    disk_id: str
    """GUID of a GPT disk, signature of an MBR disk as eight hexadecimal digits."""
    entries: tuple[Entry, ...]
    from_backup: bool
    """Whether the primary GPT was unreadable and the backup was taken."""


def read_partition_table(read: ReadAt, disk_size: int, sector_size: int) -> PartitionTable | None:
    """Return the partition table of a disk of *disk_size* bytes with logical sectors of *sector_size* bytes.

    None means that there is none. Raises PartitionTableDamaged when there is a GPT but both copies are unreadable.
    """
    sector = read(0, 512)
    if len(sector) < 512 or sector[510:512] != b"\x55\xaa":
        return None
    records = list(_mbr_records(sector))
    if any(record.type == _PROTECTIVE_TYPE and record.start == 1 for record in records):
        return _read_gpt(read, disk_size, sector_size)
    if any(record.flags not in {0x00, 0x80} for record in records):
        return None  # the boot sector of a filesystem, not a partition table
    return _read_mbr(read, sector, disk_size, sector_size)


# --- MBR ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Record:
    """One of the four records of an MBR or EBR. Start and count in sectors."""

    flags: int
    type: int
    start: int
    count: int

    @property
    def is_used(self) -> bool:
        return self.type != 0 and self.count != 0


def _mbr_records(sector: bytes) -> Iterator[_Record]:
    for position in range(446, 510, 16):
        flags, kind, start, count = struct.unpack_from("<B3xB3xII", sector, position)
        yield _Record(flags, kind, start, count)


def _read_mbr(read: ReadAt, sector: bytes, disk_size: int, sector_size: int) -> PartitionTable:
    entries: list[Entry] = []
    logicals: list[Entry] = []
    for index, record in enumerate(_mbr_records(sector), start=1):
        entry = _mbr_entry(index, record.start, record, disk_size, sector_size)
        if entry is None:
            continue
        entries.append(entry)
        if entry.container and not logicals:
            logicals = list(_logical_partitions(read, record, disk_size, sector_size))
    signature = struct.unpack_from("<I", sector, 440)[0]
    return PartitionTable("MBR", f"{signature:08x}", tuple(entries + logicals), from_backup=False)


def _mbr_entry(index: int, start: int, record: _Record, disk_size: int, sector_size: int) -> Entry | None:
    offset = start * sector_size
    if not record.is_used or offset >= disk_size:
        return None
    size = min(record.count * sector_size, disk_size - offset)
    return Entry(index, offset, size, f"{record.type:02x}", "", "", record.type in _EXTENDED_TYPES)


def _logical_partitions(read: ReadAt, extended: _Record, disk_size: int, sector_size: int) -> Iterator[Entry]:
    """Follow the chain of extended boot records; it ends at the first that is broken, or that was seen already."""
    index = 5
    seen: set[int] = set()
    link: int | None = extended.start
    while link is not None and link not in seen and len(seen) < _MOST_LOGICALS:
        seen.add(link)
        sector = read(link * sector_size, 512)
        if len(sector) < 512 or sector[510:512] != b"\x55\xaa":
            return
        records = list(_mbr_records(sector))
        for record in records:
            if record.type in _EXTENDED_TYPES:
                continue
            entry = _mbr_entry(index, link + record.start, record, disk_size, sector_size)
            if entry is not None:
                yield entry
                index += 1
        following = next((record for record in records if record.is_used and record.type in _EXTENDED_TYPES), None)
        link = None if following is None else extended.start + following.start


# --- GPT ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields of a GPT header that are needed. Positions in sectors."""

    disk_id: bytes
    first_usable: int
    last_usable: int
    entries_at: int
    entry_count: int
    entry_size: int
    entries_crc: int


class _UnreadableError(Exception):
    """One copy of a GPT can't be used; the text says why."""


def _read_gpt(read: ReadAt, disk_size: int, sector_size: int) -> PartitionTable:
    try:
        return _read_gpt_copy(read, 1, disk_size, sector_size, from_backup=False)
    except _UnreadableError as error:
        primary = str(error)
    try:
        return _read_gpt_copy(read, disk_size // sector_size - 1, disk_size, sector_size, from_backup=True)
    except _UnreadableError as error:
        raise PartitionTableDamaged(primary=primary, backup=error) from error


def _read_gpt_copy(
    read: ReadAt, header_at: int, disk_size: int, sector_size: int, *, from_backup: bool
) -> PartitionTable:
    header = _read_gpt_header(read, header_at, disk_size, sector_size)
    array_size = header.entry_count * header.entry_size
    array = read(header.entries_at * sector_size, array_size)
    if len(array) != array_size:
        raise _UnreadableError("the entries lie beyond the end of the disk")
    if zlib.crc32(array) != header.entries_crc:
        raise _UnreadableError("the checksum of the entries is wrong")
    entries = (
        _gpt_entry(index + 1, array[index * header.entry_size :][:128], disk_size, sector_size)
        for index in range(header.entry_count)
    )
    usable = tuple(entry for entry in entries if entry is not None)
    return PartitionTable("GPT", _guid(header.disk_id), usable, from_backup)


def _read_gpt_header(read: ReadAt, header_at: int, disk_size: int, sector_size: int) -> _Header:
    if header_at < 1:
        raise _UnreadableError("the disk is too small")
    sector = read(header_at * sector_size, sector_size)
    if len(sector) < 92 or sector[:8] != b"EFI PART":
        raise _UnreadableError("there is no header")
    header_size, crc = struct.unpack_from("<II", sector, 12)
    if not 92 <= header_size <= len(sector):
        raise _UnreadableError(f"the header says that it has {header_size} bytes")
    if zlib.crc32(sector[:16] + bytes(4) + sector[20:header_size]) != crc:
        raise _UnreadableError("the checksum of the header is wrong")
    own, _, first, last, disk_id, entries_at, count, size, entries_crc = struct.unpack_from("<QQQQ16sQIII", sector, 24)
    if own != header_at:
        raise _UnreadableError("the header is a copy from another place")
    if first > last or last >= disk_size // sector_size:
        raise _UnreadableError("the usable sectors lie beyond the end of the disk")
    if size < 128 or size % 8 or count * size > _LARGEST_ENTRY_ARRAY:
        raise _UnreadableError(f"{count} entries of {size} bytes are no table")
    return _Header(disk_id, first, last, entries_at, count, size, entries_crc)


def _gpt_entry(index: int, raw: bytes, disk_size: int, sector_size: int) -> Entry | None:
    kind, own_id, first, last, _, name = struct.unpack("<16s16sQQQ72s", raw)
    if kind == bytes(16) or first > last or last >= disk_size // sector_size:
        return None
    text = name.decode("utf-16-le", errors="replace").partition("\0")[0]
    size = (last - first + 1) * sector_size
    return Entry(index, first * sector_size, size, _guid(kind), _guid(own_id), text, container=False)


def _guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw))
