"""The frames of the wire, which are the records of the redo log too: a header of 64 bytes and a payload.

Layout of the header, little-endian, without gaps:

    0   4  magic "WHRY"
    4   1  protocol version
    5   1  type: 1 DATA, 2 ZERO, 3 CONTROL, 4 GATHER, 5 PATCH
    6   1  codec: 0 plain, 1 zstd
    7   1  reserved, 0
    8   4  disk
    12  4  pass number
    16  8  sequence: counts the frames of one direction of a connection from 0
    24  8  offset on the disk in bytes
    32  8  raw length: bytes of disk, of a GATHER or PATCH with its index
    40  4  stored length: bytes of payload
    44  16 digest
    60  4  CRC-32 of the 60 bytes before

A GATHER carries granules that don't follow each other: their content one after the other, then their numbers. A PATCH
carries blocks of granules, see `patches`.

A frame that was cut, or in which a single bit was changed, is refused: the header by its CRC, the payload by the
digest. The digest of a DATA frame is that of its granules' digests (and of the index, and of the stored payload when
packed), so that one pass over the data serves frame, table and proof (docs/adr/0002). That of a PATCH is made of the
digest of its blocks in their place. This module does no I/O.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from wherry.replication import patches
from wherry.replication.codecs import Codec, Unpacker
from wherry.replication.errors import ProtocolViolated
from wherry.replication.granules import (
    DIGEST_SIZE,
    EXTENT_SIZE,
    GRANULE_SIZE,
    Buffer,
    digest_of,
    granule_digests,
    runs_among,
)
from wherry.replication.messages import MAX_DISK_SIZE, MAX_DISKS, PROTOCOL_VERSION
from wherry.replication.patches import MAX_PATCH, Patch

MAGIC: Final = b"WHRY"
HEADER_SIZE: Final = 64
GATHERED: Final = EXTENT_SIZE // GRANULE_SIZE
"""How many granules a GATHER may carry."""
INDEX_ENTRY: Final = 4
_MAX_GATHER: Final = EXTENT_SIZE + GATHERED * INDEX_ENTRY
MAX_PAYLOAD: Final = max(_MAX_GATHER, MAX_PATCH)
"""The longest payload of a frame that carries bytes of disk."""
MAX_CONTROL: Final = 2 * 1024 * 1024
MAX_ZERO_RUN: Final = 1024 * 1024 * 1024
_BODY: Final = struct.Struct("<4sBBBBIIQQQI16s")
_CRC: Final = struct.Struct("<I")
_NO_DIGEST: Final = bytes(DIGEST_SIZE)


class FrameType(IntEnum):
    """What a frame carries."""

    DATA = 1
    ZERO = 2
    CONTROL = 3
    GATHER = 4
    PATCH = 5


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a frame; see the module for its fields."""

    type: FrameType
    codec: Codec
    disk: int
    pass_number: int
    sequence: int
    offset: int
    raw_length: int
    stored_length: int
    digest: bytes

    @property
    def disk_length(self) -> int:
        """How many bytes of disk the frame carries."""
        if self.type is FrameType.GATHER:
            return self.raw_length - INDEX_ENTRY * -(-self.raw_length // (GRANULE_SIZE + INDEX_ENTRY))
        if self.type is FrameType.PATCH:
            return patches.block_length(self.raw_length)
        return self.raw_length


@dataclass(frozen=True, slots=True)
class Write:
    """A run of bytes that a frame brings to a disk: *length* of them at *offset*; *raw* is empty for zeros."""

    offset: int
    length: int
    raw: Buffer


@dataclass(frozen=True, slots=True)
class Opened:
    """A frame that was found whole: its header (also as *head*, in bytes), payload as stored, content, digests.

    *raw*: the bytes of disk; empty for ZERO. *digests*: the joined digests of its granules, those of a PATCH as they
    are said to be afterwards; empty for CONTROL. *runs*: its granules as runs (first, count), ascending; none for
    CONTROL.
    """

    header: Header
    head: bytes
    stored: Buffer
    raw: Buffer
    digests: bytes
    runs: Sequence[tuple[int, int]] = ()
    patch: Patch | None = None

    @property
    def end(self) -> int:
        """The first byte of the disk after the frame's last granule, the only one that may be short."""
        *before, (first, count) = self.runs
        if self.patch is not None:
            return (first + count) * GRANULE_SIZE
        return first * GRANULE_SIZE + self.header.disk_length - GRANULE_SIZE * sum(count for _, count in before)

    def writes(self) -> Iterator[Write]:
        """Yield what the frame writes, in runs; their content lies in the memory of *raw*."""
        if self.patch is not None:
            yield from (Write(offset, len(raw), raw) for offset, raw in self.patch.writes(self.raw))
            return
        raw, left = memoryview(self.raw), self.header.disk_length
        for first, count in self.runs:
            length = min(count * GRANULE_SIZE, left)
            yield Write(first * GRANULE_SIZE, length, raw[:length])
            raw, left = raw[length:], left - length

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield what the frame changes in the disk's table: the first granule of each run, joined digests."""
        position = 0
        for first, count in self.runs:
            digests = self.digests[position : position + count * DIGEST_SIZE]
            yield first, digests
            position += len(digests)


def encode_header(header: Header) -> bytes:
    """Return the 64 bytes of *header*."""
    body = _BODY.pack(
        MAGIC,
        PROTOCOL_VERSION,
        header.type,
        header.codec,
        0,
        header.disk,
        header.pass_number,
        header.sequence,
        header.offset,
        header.raw_length,
        header.stored_length,
        header.digest,
    )
    return body + _CRC.pack(zlib.crc32(body))


def decode_header(head: bytes | bytearray | memoryview) -> Header:
    """Return the header in the 64 bytes of *head*.

    Raises ProtocolViolated when it's cut, damaged, of another version, or asks for what no frame may have.
    """
    if len(head) != HEADER_SIZE:
        raise ProtocolViolated(reason="a frame header that was cut")
    body = memoryview(head)[: _BODY.size]
    if _CRC.unpack_from(head, _BODY.size)[0] != zlib.crc32(body):
        raise ProtocolViolated(reason="a frame header with a wrong checksum")
    magic, version, kind, codec, reserved, disk, number, sequence, offset, raw, stored, digest = _BODY.unpack(body)
    if magic != MAGIC or version != PROTOCOL_VERSION or reserved:
        raise ProtocolViolated(reason="a frame of another protocol")
    try:
        header = Header(FrameType(kind), Codec(codec), disk, number, sequence, offset, raw, stored, digest)
    except ValueError as error:
        raise ProtocolViolated(reason=f"a frame of a kind that isn't known: {error}") from error
    _check_bounds(header)
    return header


def _check_bounds(header: Header) -> None:
    kind, plain = header.type, header.codec is Codec.PLAIN
    if kind is FrameType.CONTROL:
        sound = (
            header.disk == header.pass_number == header.offset == 0
            and 0 < header.raw_length <= MAX_CONTROL
            and 0 < header.stored_length <= MAX_CONTROL
        )
    else:
        sound = header.disk < MAX_DISKS and header.offset % GRANULE_SIZE == 0
        sound = sound and header.offset + header.disk_length <= MAX_DISK_SIZE
    if kind is FrameType.DATA:
        sound = sound and 0 < header.raw_length <= EXTENT_SIZE and header.stored_length > 0
    elif kind is FrameType.GATHER:
        sound = sound and INDEX_ENTRY < header.raw_length <= _MAX_GATHER and header.stored_length > 0
        # A last granule of which nothing is left besides its place in the index.
        sound = sound and (header.raw_length - 1) % (GRANULE_SIZE + INDEX_ENTRY) >= INDEX_ENTRY
    elif kind is FrameType.PATCH:
        sound = sound and patches.is_possible(header.raw_length) and header.stored_length > 0
    elif kind is FrameType.ZERO:
        sound = sound and 0 < header.raw_length <= MAX_ZERO_RUN and plain
        sound = sound and header.stored_length == 0 and header.digest == _NO_DIGEST
    if kind is not FrameType.ZERO:
        fits = header.stored_length == header.raw_length if plain else header.stored_length < header.raw_length
        sound = sound and fits
    if not sound:
        raise ProtocolViolated(reason="a frame header with impossible values")


def data_digest(digests: bytes, codec: Codec, stored: Buffer, index: Buffer = b"") -> bytes:
    """Return the digest of a DATA frame, or a GATHER with *index*, whose granules have the joined *digests*.

    Of a PATCH these are in its index; *digests* is the one of its blocks.

    The packed form takes part, since some bits of it (unused ones of zstd's own header) don't change its content.
    """
    named = digests + bytes(index)
    return digest_of(named if codec is Codec.PLAIN else named + digest_of(stored))


def index_of(granules: npt.NDArray[np.int64]) -> bytes:
    """Return the index of a GATHER that carries *granules*, ascending."""
    return granules.astype("<u4").tobytes()


def control_header(sequence: int, codec: Codec, raw_length: int, stored: Buffer) -> Header:
    """Return the header of a CONTROL frame with payload *stored*."""
    digest = digest_of(stored)
    return Header(FrameType.CONTROL, codec, 0, 0, sequence, 0, raw_length, len(stored), digest)


def zero_header(sequence: int, disk: int, pass_number: int, offset: int, length: int) -> Header:
    """Return the header of a ZERO frame: *length* zero bytes at *offset*."""
    return Header(FrameType.ZERO, Codec.PLAIN, disk, pass_number, sequence, offset, length, 0, _NO_DIGEST)


def open_frame(header: Header, head: bytes, stored: Buffer, unpacker: Unpacker) -> Opened:
    """Check a frame's payload against its header and unpack it. Raises ProtocolViolated when it isn't whole."""
    if len(stored) != header.stored_length:
        raise ProtocolViolated(reason="a frame payload that was cut")
    count = -(-header.disk_length // GRANULE_SIZE)
    runs = ((header.offset // GRANULE_SIZE, count),)
    if header.type is FrameType.ZERO:
        return Opened(header, head, b"", b"", bytes(DIGEST_SIZE * count), runs)
    if header.type is FrameType.CONTROL:
        if digest_of(stored) != header.digest:
            raise ProtocolViolated(reason="a control frame with a wrong digest")
        return Opened(header, head, stored, unpacker.unpack(header.codec, stored, header.raw_length), b"")
    raw = unpacker.unpack(header.codec, stored, header.raw_length)
    content, index = memoryview(raw)[: header.disk_length], memoryview(raw)[header.disk_length :]
    digests = digest_of(content) if header.type is FrameType.PATCH else granule_digests(content)
    if data_digest(digests, header.codec, stored, index) != header.digest:
        raise ProtocolViolated(reason="a data frame with a wrong digest")
    if header.type is FrameType.DATA:
        return Opened(header, head, stored, raw, digests, runs)
    if header.type is FrameType.GATHER:
        return Opened(header, head, stored, content, digests, _runs_in(index, header.offset))
    patch = Patch.read(index, header.offset, header.disk_length)
    return Opened(header, head, stored, content, patch.digests, runs_among(patch.numbers), patch)


def _runs_in(index: memoryview, offset: int) -> Sequence[tuple[int, int]]:
    """Return the runs of granules that an index names. Raises ProtocolViolated unless it ascends from *offset* on."""
    numbers = np.frombuffer(index, dtype="<u4").astype(np.int64)
    steps = np.diff(numbers)
    if numbers[0] * GRANULE_SIZE != offset or (steps <= 0).any():
        raise ProtocolViolated(reason="gathered granules out of order")
    return runs_among(numbers)
