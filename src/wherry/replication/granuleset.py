"""Sets of granules of one disk, one bit each: 2 MiB for a disk of 1 TiB, and every operation on them is numpy's.

The granule n is bit n mod 8 of byte n div 8. Bits behind the last granule are always clear.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wherry.disks.extents import Extent
from wherry.replication.granules import GRANULE_SIZE, granule_count

Bits = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
"""Numbers of granules."""
RunArray = npt.NDArray[np.int64]
"""Runs of granules as an array of shape (runs, 2): first and count."""

_STEP = 8192  # bytes of bits
_ONES = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


def _prefix_parities() -> Bits:
    """Return for each byte the byte whose bit n is the parity of its bits 0 to n."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return np.packbits(np.bitwise_xor.accumulate(bits, axis=1), axis=1, bitorder="little")[:, 0]


_PARITIES = _prefix_parities()


class GranuleSet:
    """A set of granules among *count*. Not for several threads at once."""

    __slots__ = ("bits", "count")

    def __init__(self, count: int, bits: Bits | None = None) -> None:
        self.count = count
        self.bits: Bits = np.zeros(-(-count // 8), dtype=np.uint8) if bits is None else bits

    @classmethod
    def of_extents(cls, extents: Iterable[Extent], size: int) -> "GranuleSet":
        """Return the granules that *extents*, in any order, touch on a disk of *size* bytes."""
        flat = np.fromiter((number for each in extents for number in (each.offset, each.length)), dtype=np.int64)
        offsets, lengths = flat[::2], flat[1::2]
        ends = np.minimum(offsets + lengths, size)
        some = offsets < ends
        firsts, ends = offsets[some] // GRANULE_SIZE, -(-ends[some] // GRANULE_SIZE)
        return cls(granule_count(size), _filled(granule_count(size), firsts, ends))

    @classmethod
    def of_runs(cls, runs: Sequence[tuple[int, int]] | RunArray, count: int) -> "GranuleSet":
        """Return the granules of *runs*, pairs (first, count), in any order, all of them below *count*."""
        array = np.asarray(runs, dtype=np.int64).reshape(-1, 2)
        return cls(count, _filled(count, array[:, 0], array[:, 0] + array[:, 1]))

    @classmethod
    def of_numbers(cls, numbers: Numbers | Sequence[int], count: int) -> "GranuleSet":
        """Return the granules with *numbers*, in any order, leaving out what isn't below *count*."""
        chosen = np.zeros(count, dtype=np.bool_)
        array = np.asarray(numbers, dtype=np.int64)
        chosen[array[array < count]] = True
        return cls.of_mask(chosen)

    @classmethod
    def of_mask(cls, mask: Mask) -> "GranuleSet":
        """Return the granules for which *mask* is true."""
        return cls(len(mask), np.packbits(mask, bitorder="little"))

    @classmethod
    def full(cls, count: int) -> "GranuleSet":
        """Return all of *count* granules."""
        made = cls(count)
        made.set(0, count, present=True)
        return made

    def copy(self) -> "GranuleSet":
        """Return a set of its own with the same granules."""
        return GranuleSet(self.count, self.bits.copy())

    def __len__(self) -> int:
        return int(_ONES[self.bits].sum(dtype=np.int64))

    def __bool__(self) -> bool:
        return bool(self.bits.any())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GranuleSet) and self.count == other.count and np.array_equal(self.bits, other.bits)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: "GranuleSet") -> "GranuleSet":
        return GranuleSet(self.count, self.bits | other.bits)

    def __and__(self, other: "GranuleSet") -> "GranuleSet":
        return GranuleSet(self.count, self.bits & other.bits)

    def __xor__(self, other: "GranuleSet") -> "GranuleSet":
        return GranuleSet(self.count, self.bits ^ other.bits)

    def __sub__(self, other: "GranuleSet") -> "GranuleSet":
        return GranuleSet(self.count, self.bits & ~other.bits)

    def mask(self, first: int, count: int) -> Mask:
        """Tell for each of *count* granules from *first* on whether it's in the set."""
        start = first >> 3
        bits = np.unpackbits(self.bits[start : (first + count + 7) >> 3], bitorder="little")
        return bits[first - 8 * start :][:count].astype(np.bool_)

    def set(self, first: int, count: int, *, present: bool) -> None:
        """Put *count* granules from *first* on into the set, or take them out of it."""
        self.assign(first, np.full(count, present, dtype=np.bool_))

    def assign(self, first: int, mask: Mask) -> None:
        """Put each granule from *first* on into the set where *mask* is true, and take it out where it isn't."""
        if not len(mask):
            return
        start, end = first >> 3, (first + len(mask) + 7) >> 3
        bits = np.unpackbits(self.bits[start:end], bitorder="little")
        bits[first - 8 * start :][: len(mask)] = mask
        self.bits[start:end] = np.packbits(bits, bitorder="little")

    def has(self, numbers: Numbers) -> Mask:
        """Tell for each granule among *numbers* whether it's in the set."""
        held: Mask = (self.bits[numbers >> 3] >> (numbers & 7) & 1).astype(np.bool_)
        return held

    def put(self, numbers: Numbers, mask: Mask) -> None:
        """Put each granule among *numbers*, which differ, into the set where *mask* is true, else take it out."""
        bits = (1 << (numbers & 7)).astype(np.uint8)
        np.bitwise_or.at(self.bits, numbers[mask] >> 3, bits[mask])
        np.bitwise_and.at(self.bits, numbers[~mask] >> 3, ~bits[~mask])

    def numbers(self) -> Iterator[Numbers]:
        """Yield the numbers of all granules, ascending, in arrays of bounded length, none of them empty."""
        for start in range(0, len(self.bits), _STEP):
            chosen = np.flatnonzero(np.unpackbits(self.bits[start : start + _STEP], bitorder="little"))
            if len(chosen):
                yield chosen + 8 * start

    def clear(self) -> None:
        """Take everything out."""
        self.bits.fill(0)

    def run_array(self) -> RunArray:
        """Return the runs, ascending and not touching each other."""
        # An edge is a bit that differs from the one before; the last end may lie behind the last byte.
        bits = np.concatenate((self.bits, np.zeros(1, dtype=np.uint8)))
        carried = np.concatenate((np.zeros(1, dtype=np.uint8), bits[:-1] >> 7))
        edges: Bits = bits ^ ((bits << 1) | carried).astype(np.uint8)
        places = np.flatnonzero(edges)
        rows, columns = np.nonzero(np.unpackbits(edges[places][:, None], axis=1, bitorder="little"))
        positions = (places[rows] * 8 + columns).astype(np.int64).reshape(-1, 2)
        positions[:, 1] -= positions[:, 0]
        return positions

    def runs(self) -> list[tuple[int, int]]:
        """Return the runs as pairs (first, count), ascending and not touching each other."""
        return [(first, count) for first, count in self.run_array().tolist()]

    def byte_count(self, size: int) -> int:
        """Return how many bytes of a disk of *size* bytes the granules have."""
        total = len(self) * GRANULE_SIZE
        if self.count and self.bits[-1] >> ((self.count - 1) & 7) & 1:
            total -= self.count * GRANULE_SIZE - size
        return total


def _filled(count: int, firsts: RunArray, ends: RunArray) -> Bits:
    """Return the bits of runs, given as firsts and ends in any order."""
    bits: Bits = np.zeros(-(-count // 8), dtype=np.uint8)
    if not len(firsts):
        return bits
    order = np.argsort(firsts, kind="stable")
    firsts, reach = firsts[order], np.maximum.accumulate(ends[order])
    begins = np.concatenate(([True], firsts[1:] > reach[:-1]))
    last = np.concatenate((np.flatnonzero(begins)[1:] - 1, [len(firsts) - 1]))
    edges = np.concatenate((firsts[begins], reach[last]))
    edges = edges[edges < 8 * len(bits)]
    np.bitwise_xor.at(bits, edges >> 3, (1 << (edges & 7)).astype(np.uint8))
    # Between a first and an end the number of edges before is odd.
    odd = np.cumsum(_ONES[bits], dtype=np.int64) & 1
    bits = _PARITIES[bits]
    bits[1:][odd[:-1] == 1] ^= 0xFF
    if count % 8:
        bits[-1] &= (1 << count % 8) - 1
    return bits
