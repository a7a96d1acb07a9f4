"""What a worker of a pass does: it reads granules, digests them, and packs what the receiver doesn't have of them.

What differs goes into one frame, also when it doesn't lie together: on a disk with scattered changes a frame for each
of them would cost more than the bytes. Of granules in which little was written only these blocks are sent.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from wherry.disks.direct import BlockReader
from wherry.replication import patches
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
    digest_of,
    granule_digests,
    runs_among,
)
from wherry.replication.granuleset import Mask, Numbers
from wherry.replication.patches import BLOCKS, BlockMarks, Draft, Masks, as_blocks, blocks_in
from wherry.replication.sourcetable import SourceTable

_FEW: Final = BLOCKS // 2
"""Blocks of a granule up to which they are sent by themselves."""


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
    """What differs among some granules, and the buffer that the payloads lie in, if they lie in one."""

    disk: SourceDisk
    pieces: Sequence[Piece]
    buffer: memoryview | None


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at granules: what is to be sent, bytes of them, seconds that reading and the rest took."""

    loads: Sequence[Load]
    length: int
    reading_s: float
    working_s: float


class Lookout:
    """Looks at granules for pass *number*; *level* tells how hard to pack, None for plain. One object a thread."""

    def __init__(self, number: int, level: Callable[[], int | None]) -> None:
        self._number = number
        self._level = level
        self._packer = Packer()
        self._draft = Draft()
        self._drafted: SourceDisk | None = None

    def look(
        self,
        disk: SourceDisk,
        table: SourceTable,
        numbers: Numbers,
        buffer: memoryview,
        blocks: BlockMarks | None = None,
    ) -> Look:
        """Read the granules *numbers*, at most `GATHERED`, ascending from look to look, into *buffer*.

        It's one of the loads that keeps the buffer, if any does. *blocks*: of which granules only blocks are sent when
        that's enough; they are held back until there are more of them: ask for the `rest` at the end.
        Raises SourceReadFailed.
        """
        began = time.monotonic()
        length = length_of(numbers, disk.size)
        _read(disk, buffer[:length], runs_among(numbers))
        was_read = time.monotonic()
        # After the reading, as the marks grow: what was written until then is among them, or is known to be unfit.
        masks = None if blocks is None else _worth(blocks.of(numbers), table.standing(numbers))
        digests = as_digests(granule_digests(buffer[:length]))
        differing = table.compare(numbers, digests)
        loads: list[Load] = []
        pieces: list[Piece] = []
        if differing.any():
            filled = digests.any(axis=1)
            empty = differing & ~filled
            if empty.any():
                pieces += [self._zeros(disk, first, count) for first, count in runs_among(numbers[empty])]
            chosen = differing & filled
            if masks is not None:
                little = chosen & (masks > 0) & (numbers < disk.size // GRANULE_SIZE)
                if little.any():
                    loads += self._hold_back(disk, numbers, masks, digests, little, buffer)
                    chosen &= ~little
            if chosen.any():
                end = _compact(buffer[:length], chosen)
                pieces.append(self._data(disk, numbers[chosen], digests[chosen], buffer, end))
        if pieces:
            loads.append(Load(disk, pieces, buffer))
        return Look(loads, length, was_read - began, time.monotonic() - was_read)

    def rest(self) -> list[Load]:
        """Return the blocks that were held back."""
        if not self._draft or self._drafted is None:
            return []
        return [Load(self._drafted, [self._patch(self._drafted, *self._draft.take())], None)]

    def _hold_back(  # noqa: PLR0917 - all that is known of the granules
        self, disk: SourceDisk, numbers: Numbers, masks: Masks, digests: Digests, little: Mask, buffer: memoryview
    ) -> list[Load]:
        """Keep the blocks of the granules that *little* chooses; return what can't wait any longer."""
        full = [] if self._drafted is disk and self._draft.has_room(masks[little]) else self.rest()
        self._drafted = disk
        content = as_blocks(buffer[: len(numbers) * GRANULE_SIZE])
        blocks = content[blocks_in(np.where(little, masks, np.uint16(0)))]
        self._draft.add(numbers[little], masks[little], digests[little], blocks)
        return full

    def _patch(self, disk: SourceDisk, numbers: Numbers, masks: Masks, digests: Digests, blocks: bytes) -> Piece:
        index = patches.index_of(numbers, masks, digests)
        content = memoryview(blocks + index)
        codec, payload = self._packer.pack(content, self._level())
        digest = data_digest(digest_of(blocks), codec, payload, index)
        offset, length = int(numbers[0]) * GRANULE_SIZE, len(content)
        kind = FrameType.PATCH
        header = Header(kind, codec, disk.index, self._number, 0, offset, length, len(payload), digest)
        return Piece(header, payload, numbers, digests)

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


def _worth(masks: Masks, standing: Mask) -> Masks:
    """Return which blocks of granules are sent by themselves; none where all of the granule is to be sent."""
    few = standing & (np.bitwise_count(masks) <= _FEW)
    return np.where(few, masks, np.uint16(0))


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
