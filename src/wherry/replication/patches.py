"""Patches: of granules in which little changed only the blocks that were written, and what comes of the granules by it.

A block is 4 KiB, a sixteenth of a granule. The content of a PATCH is the blocks, ascending, and behind them the index:
for each granule its number (32 bits), which of its blocks there are (16 bits, bit n for block n), and the digest of the
granule with the blocks laid over it. Whoever has the granule as it was can so tell whether it becomes what it should.
Only granules that are whole are patched, never the short one at a disk's end. This module does no I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from wherry.replication.errors import ProtocolViolated
from wherry.replication.granules import DIGEST_SIZE, EXTENT_SIZE, GRANULE_SIZE, Buffer, Digests, runs_among
from wherry.replication.granuleset import Mask, Numbers

BLOCK_SIZE: Final = 4096
BLOCKS: Final = GRANULE_SIZE // BLOCK_SIZE
"""Of a granule."""
PATCHED: Final = 128
"""How many granules a PATCH may patch: so few that their index is shorter than a block."""
_ENOUGH: Final = 32
"""Granules that are worth a frame: with more of them the receiver, which reads them all, would begin late."""
_ENTRY: Final = np.dtype([("granule", "<u4"), ("blocks", "<u2"), ("digest", f"V{DIGEST_SIZE}")])
MAX_PATCH: Final = EXTENT_SIZE + PATCHED * _ENTRY.itemsize
"""The longest content of a PATCH."""

Masks = npt.NDArray[np.uint16]
"""Which blocks of granules there are: one value a granule, bit n for its block n."""


class BlockMarks(Protocol):
    """What somebody knows of the blocks of a disk that were written since the last commit."""

    def of(self, granules: Numbers) -> Masks:
        """Return for each granule the blocks that may have been written: all of them where that isn't known."""


def blocks_in(masks: Masks) -> Mask:
    """Return *masks* as an array (granules, blocks) of truth values."""
    bits = np.unpackbits(masks.astype("<u2").view(np.uint8), bitorder="little")
    return bits.reshape(-1, BLOCKS).astype(np.bool_)


def as_blocks(content: Buffer) -> npt.NDArray[np.uint8]:
    """Return whole granules as an array (granules, blocks, bytes) over the same memory."""
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, BLOCKS, BLOCK_SIZE)


def index_of(numbers: Numbers, masks: Masks, digests: Digests) -> bytes:
    """Return the index of a PATCH of the granules *numbers*, ascending, which have *digests* afterwards."""
    index = np.empty(len(numbers), dtype=_ENTRY)
    index["granule"], index["blocks"] = numbers, masks
    index["digest"] = np.ascontiguousarray(digests).view(_ENTRY["digest"]).reshape(-1)
    return index.tobytes()


def block_length(raw_length: int) -> int:
    """Return how many bytes of blocks a PATCH of *raw_length* bytes has."""
    return raw_length - raw_length % BLOCK_SIZE


def is_possible(raw_length: int) -> bool:
    """Tell whether a PATCH can have *raw_length* bytes."""
    blocks, index = divmod(raw_length, BLOCK_SIZE)
    count, rest = divmod(index, _ENTRY.itemsize)
    return rest == 0 and 0 < count <= PATCHED and count <= blocks <= min(BLOCKS * count, EXTENT_SIZE // BLOCK_SIZE)


@dataclass(frozen=True, slots=True)
class Patch:
    """The index of a PATCH: the granules, which of their blocks there are, and the joined digests afterwards."""

    numbers: Numbers
    masks: Masks
    digests: bytes

    @classmethod
    def read(cls, index: memoryview, offset: int, length: int) -> "Patch":
        """Read the *index* of a PATCH with *length* bytes of blocks, whose first granule is at *offset*.

        Raises ProtocolViolated unless the granules ascend from there on and have just so many blocks.
        """
        entries = np.frombuffer(index, dtype=_ENTRY)
        numbers, masks = entries["granule"].astype(np.int64), entries["blocks"].astype(np.uint16)
        if numbers[0] * GRANULE_SIZE != offset or (np.diff(numbers) <= 0).any() or not masks.all():
            raise ProtocolViolated(reason="patched granules out of order, or without blocks")
        if int(np.bitwise_count(masks).sum()) * BLOCK_SIZE != length:
            raise ProtocolViolated(reason="a patch with other blocks than its index names")
        return cls(numbers, masks, entries["digest"].tobytes())

    def lay_over(self, granules: memoryview, blocks: Buffer) -> None:
        """Lay the *blocks* of the patch over the content of its granules."""
        as_blocks(granules)[blocks_in(self.masks)] = np.frombuffer(blocks, dtype=np.uint8).reshape(-1, BLOCK_SIZE)

    def writes(self, blocks: Buffer) -> Iterator[tuple[int, memoryview]]:
        """Yield what the patch writes, in runs of blocks: offset on the disk, and content out of *blocks*."""
        rows, columns = np.nonzero(blocks_in(self.masks))
        rest = memoryview(blocks)
        for first, count in runs_among(self.numbers[rows] * BLOCKS + columns):
            yield first * BLOCK_SIZE, rest[: count * BLOCK_SIZE]
            rest = rest[count * BLOCK_SIZE :]


class Draft:
    """Blocks that wait until there are enough of them for a frame. Not for several threads at once."""

    def __init__(self) -> None:
        self._parts: list[tuple[Numbers, Masks, Digests, npt.NDArray[np.uint8]]] = []
        self._granules = 0
        self._blocks = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def has_room(self, masks: Masks) -> bool:
        """Tell whether granules with such blocks fit into the frame too."""
        blocks = self._blocks + int(np.bitwise_count(masks).sum())
        return self._granules + len(masks) <= _ENOUGH and blocks * BLOCK_SIZE <= EXTENT_SIZE

    def add(self, numbers: Numbers, masks: Masks, digests: Digests, blocks: npt.NDArray[np.uint8]) -> None:
        """Add granules behind all that were added before, with the content of their *blocks*."""
        self._parts.append((numbers, masks, digests, blocks))
        self._granules += len(numbers)
        self._blocks += len(blocks)

    def take(self) -> tuple[Numbers, Masks, Digests, bytes]:
        """Return what was added: granules, their blocks, their digests, and the blocks' content; begin anew."""
        numbers, masks, digests, blocks = (list(column) for column in zip(*self._parts, strict=True))
        self._parts, self._granules, self._blocks = [], 0, 0
        return np.concatenate(numbers), np.concatenate(masks), np.concatenate(digests), b"".join(blocks)
