"""What a worker of a pass does: it reads granules, digests them, and packs what the receiver doesn't have of them.

What differs goes into one frame, also when it doesn't lie together: on a disk with scattered changes a frame for each
of them would cost more than the bytes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wherry.disks.direct import BlockReader
from wherry.replication.codecs import Packer
from wherry.replication.digests import runs_of
from wherry.replication.errors import SourceReadFailed
from wherry.replication.frames import FrameType, Header, data_digest, index_of, zero_header
from wherry.replication.granules import (
    DIGEST_SIZE,
    GRANULE_SIZE,
    Buffer,
    Digests,
    as_digests,
    granule_digests,
    runs_among,
)
from wherry.replication.granuleset import Mask, Numbers
from wherry.replication.sourcetable import SourceTable


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk to send: *index* as announced in HELLO, *name* for people, *size* in bytes, and how to read it."""

    index: int
    name: str
    size: int
    reader: BlockReader


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame to send: header (without sequence), payload, the numbers of its granules and their digests."""

    header: Header
    payload: Buffer
    numbers: Numbers
    digests: Digests


@dataclass(frozen=True, slots=True)
class Load:
    """What differs among some granules, and the buffer that the payloads lie in."""

    disk: SourceDisk
    pieces: Sequence[Piece]
    buffer: memoryview


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at granules: bytes of them, bytes that differ, seconds that reading and the rest took."""

    load: Load | None
    length: int
    changed: int
    reading_s: float
    working_s: float


class Lookout:
    """Looks at granules for pass *number*; *level* tells how hard to pack, None for plain. One object a thread."""

    def __init__(self, number: int, level: Callable[[], int | None]) -> None:
        self._number = number
        self._level = level
        self._packer = Packer()

    def look(self, disk: SourceDisk, table: SourceTable, numbers: Numbers, buffer: memoryview) -> Look:
        """Read the granules *numbers*, at most `GATHERED`, ascending, into *buffer*, which the load keeps if any.

        Raises SourceReadFailed.
        """
        began = time.monotonic()
        length = length_of(numbers, disk.size)
        _read(disk, buffer[:length], runs_among(numbers))
        was_read = time.monotonic()
        digests = as_digests(granule_digests(buffer[:length]))
        differing = table.compare(numbers, digests)
        pieces: list[Piece] = []
        if differing.any():
            filled = digests.any(axis=1)
            empty = differing & ~filled
            if empty.any():
                pieces += [self._zeros(disk, first, count) for first, count in runs_among(numbers[empty])]
            chosen = differing & filled
            if chosen.any():
                end = _compact(buffer[:length], chosen)
                pieces.append(self._data(disk, numbers[chosen], digests[chosen], buffer, end))
        load = Load(disk, pieces, buffer) if pieces else None
        changed = sum(piece.header.disk_length for piece in pieces)
        return Look(load, length, changed, was_read - began, time.monotonic() - was_read)

    def _zeros(self, disk: SourceDisk, first: int, count: int) -> Piece:
        numbers = np.arange(first, first + count)
        header = zero_header(0, disk.index, self._number, first * GRANULE_SIZE, length_of(numbers, disk.size))
        return Piece(header, b"", numbers, as_digests(bytes(DIGEST_SIZE * count)))

    def _data(self, disk: SourceDisk, numbers: Numbers, digests: Digests, buffer: memoryview, end: int) -> Piece:
        """Return the frame of granules whose content fills the first *end* bytes of *buffer*."""
        first, index, kind = int(numbers[0]), b"", FrameType.DATA
        if int(numbers[-1]) - first >= len(numbers):
            index, kind = index_of(numbers), FrameType.GATHER
            buffer[end : end + len(index)] = index
        content = buffer[: end + len(index)]
        codec, payload = self._packer.pack(content, self._level())
        digest = data_digest(digests.tobytes(), codec, payload, index)
        offset = first * GRANULE_SIZE
        header = Header(kind, codec, disk.index, self._number, 0, offset, len(content), len(payload), digest)
        return Piece(header, payload, numbers, digests)


def length_of(numbers: Numbers, size: int) -> int:
    """Return how many bytes of a disk of *size* bytes the granules with the ascending *numbers* have."""
    return len(numbers) * GRANULE_SIZE - max(0, (int(numbers[-1]) + 1) * GRANULE_SIZE - size)


def _compact(view: memoryview, chosen: Mask) -> int:
    """Move the chosen granules of *view* together, to its beginning; return where they end."""
    end = 0
    for first, count in runs_of(chosen):
        start, rest = first * GRANULE_SIZE, view[first * GRANULE_SIZE : (first + count) * GRANULE_SIZE]
        if start != end:
            view[end : end + len(rest)] = rest
        end += len(rest)
    return end


def _read(disk: SourceDisk, view: memoryview, runs: Sequence[tuple[int, int]]) -> None:
    for first, count in runs:
        offset, part = first * GRANULE_SIZE, view[: count * GRANULE_SIZE]
        try:
            done = disk.reader.read_into(part, offset)
        except OSError as error:
            raise SourceReadFailed(name=disk.name, offset=offset, reason=error.strerror or str(error)) from error
        if done != len(part):
            raise SourceReadFailed(name=disk.name, offset=offset + done, reason="the disk ended early")
        view = view[len(part) :]
