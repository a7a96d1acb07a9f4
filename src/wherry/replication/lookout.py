"""What a worker of a pass does: it reads an extent, digests it, and packs what the receiver doesn't have of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wherry.disks.direct import BlockReader
from wherry.disks.extents import Extent
from wherry.replication.codecs import Codec, Packer
from wherry.replication.digests import runs_of
from wherry.replication.errors import SourceReadFailed
from wherry.replication.frames import FrameType, Header, data_digest, zero_header
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, Buffer, as_digests, granule_digests
from wherry.replication.sourcetable import SourceTable

_NO_BUFFER: Final = memoryview(b"")


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk to send: *index* as announced in HELLO, *name* for people, *size* in bytes, and how to read it."""

    index: int
    name: str
    size: int
    reader: BlockReader


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame to send: header (without sequence), payload, and the digests of its granules."""

    header: Header
    payload: Buffer
    digests: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What differs in one extent, and the buffer that the payloads lie in."""

    disk: SourceDisk
    pieces: Sequence[Piece]
    buffer: memoryview


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at an extent: bytes that differ, seconds that reading and the rest took."""

    load: Load | None
    changed: int
    reading_s: float
    working_s: float


class Lookout:
    """Looks at extents for pass *number*; *level* tells how hard to pack, None when not at all. One object a thread."""

    def __init__(self, number: int, level: Callable[[], int | None]) -> None:
        self._number = number
        self._level = level
        self._packer = Packer()

    def look(self, disk: SourceDisk, table: SourceTable, extent: Extent, buffer: memoryview) -> Look:
        """Read an extent into *buffer*, which the load keeps when there's one. Raises SourceReadFailed."""
        began = time.monotonic()
        view = buffer[: extent.length]
        _read(disk, view, extent.offset)
        was_read = time.monotonic()
        digests = granule_digests(view)
        first = extent.offset // GRANULE_SIZE
        differing = table.compare(first, digests)
        pieces: list[Piece] = []
        if differing.any():
            filled = as_digests(digests).any(axis=1)
            spans = [(run, True) for run in runs_of(differing & filled)]
            spans += [(run, False) for run in runs_of(differing & ~filled)]
            for (start, count), has_data in spans:
                part = view[start * GRANULE_SIZE : (start + count) * GRANULE_SIZE]
                part_digests = digests[start * DIGEST_SIZE : (start + count) * DIGEST_SIZE]
                offset = extent.offset + start * GRANULE_SIZE
                pieces.append(self._piece(disk, offset, part if has_data else _NO_BUFFER, len(part), part_digests))
        load = Load(disk, pieces, buffer) if pieces else None
        changed = sum(piece.header.raw_length for piece in pieces)
        return Look(load, changed, was_read - began, time.monotonic() - was_read)

    def _piece(self, disk: SourceDisk, offset: int, part: memoryview, length: int, digests: bytes) -> Piece:
        if not part:
            return Piece(zero_header(0, disk.index, self._number, offset, length), b"", digests)
        codec, payload = self._pack(part)
        header = Header(
            FrameType.DATA,
            codec,
            disk.index,
            self._number,
            0,
            offset,
            length,
            len(payload),
            data_digest(digests, codec, payload),
        )
        return Piece(header, payload, digests)

    def _pack(self, part: memoryview) -> tuple[Codec, Buffer]:
        return self._packer.pack(part, self._level())


def _read(disk: SourceDisk, view: memoryview, offset: int) -> None:
    try:
        count = disk.reader.read_into(view, offset)
    except OSError as error:
        raise SourceReadFailed(name=disk.name, offset=offset, reason=error.strerror or str(error)) from error
    if count != len(view):
        raise SourceReadFailed(name=disk.name, offset=offset + count, reason="the disk ended early")
