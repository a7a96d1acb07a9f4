"""Digest tables: what every granule of a disk is known to hold, 16 bytes each.

The table's own conventions: all zero means that the granule is zero, 0xFF that it isn't known what it holds. A table in
a file is read and written by plain positional calls and not mapped: a full disk or a bad sector under a mapping would
kill the program by a signal, while here it's an error that can be told to a person. The page cache makes it as quick.
"""

import itertools
from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from wherry.replication.errors import StorageFailed
from wherry.replication.granules import DIGEST_SIZE, UNKNOWN_DIGEST, Digests, as_digests
from wherry.replication.granuleset import Numbers
from wherry.replication.storage import StoredFile

_PAGE: Final = 1024  # granules
_SCAN: Final = 65_536  # granules looked at in one go: 1 MiB of table
_UNKNOWN: Final = as_digests(UNKNOWN_DIGEST)[0]


class DigestTable(Protocol):
    """The digests of one disk's granules; *count* of them."""

    @property
    def count(self) -> int:
        """How many granules the disk has."""

    def get(self, first: int, count: int) -> bytes:
        """Return the digests of *count* granules from *first* on, joined."""

    def set(self, first: int, digests: bytes) -> None:
        """Replace the digests from granule *first* on."""


def pick(table: DigestTable, numbers: Numbers) -> Digests:
    """Return the digests of the granules with the ascending *numbers*."""
    return np.concatenate(
        [as_digests(table.get(first, count))[numbers[some] - first] for first, count, some in _pages(numbers)]
    )


def put(table: DigestTable, numbers: Numbers, digests: Digests) -> None:
    """Replace the digests of the granules with the ascending *numbers*. For one thread at a time."""
    for first, count, some in _pages(numbers):
        content = digests[some]
        if len(content) < count:
            content = as_digests(bytearray(table.get(first, count)))
            content[numbers[some] - first] = digests[some]
        table.set(first, content.tobytes())


def _pages(numbers: Numbers) -> Iterator[tuple[int, int, slice]]:
    """Yield (first, count) of short runs that hold all *numbers*, and which of these."""
    borders = [0, *(np.flatnonzero(np.diff(numbers // _PAGE)) + 1).tolist(), len(numbers)]
    for start, end in itertools.pairwise(borders):
        first, last = int(numbers[start]), int(numbers[end - 1])
        yield first, last + 1 - first, slice(start, end)


class MemoryTable:
    """A table in memory: 16 bytes a granule, 256 MiB for a disk of 1 TiB. Starts with every granule unknown."""

    def __init__(self, count: int) -> None:
        self._words: Digests = np.full((count, 2), 0xFFFF_FFFF_FFFF_FFFF, dtype=np.uint64)

    @property
    def count(self) -> int:
        """How many granules the disk has."""
        return len(self._words)

    @property
    def words(self) -> Digests:
        """The whole table as an array (granules, 2)."""
        return self._words

    def get(self, first: int, count: int) -> bytes:
        """Return the digests of *count* granules from *first* on, joined."""
        return self._words[first : first + count].tobytes()

    def set(self, first: int, digests: bytes) -> None:
        """Replace the digests from granule *first* on."""
        new = as_digests(digests)
        self._words[first : first + len(new)] = new

    def differing(self, first: int, digests: bytes) -> npt.NDArray[np.bool_]:
        """Tell for each of *digests*, from granule *first* on, whether the table says something else."""
        new = as_digests(digests)
        different: npt.NDArray[np.bool_] = (self._words[first : first + len(new)] != new).any(axis=1)
        return different


class FileTable:
    """A table in a file, durable by `flush`. Every method raises StorageFailed when the medium refuses."""

    def __init__(self, file: StoredFile, count: int) -> None:
        self._file = file
        self._count = count

    @property
    def count(self) -> int:
        """How many granules the disk has."""
        return self._count

    def get(self, first: int, count: int) -> bytes:
        """Return the digests of *count* granules from *first* on, joined."""
        content = bytearray(count * DIGEST_SIZE)
        self._file.read_into(memoryview(content), first * DIGEST_SIZE)
        return bytes(content)

    def set(self, first: int, digests: bytes) -> None:
        """Replace the digests from granule *first* on; durable by the next `flush`."""
        self._file.write([digests], first * DIGEST_SIZE)

    def mark_unknown(self, first: int, count: int) -> None:
        """Say that nobody knows what *count* granules from *first* on hold. Durable by the next `flush`."""
        self.set(first, UNKNOWN_DIGEST * count)

    def unknown_runs(self) -> Iterator[tuple[int, int]]:
        """Yield the runs (first granule, count) that are marked unknown, ascending."""
        for start in range(0, self._count, _SCAN):
            words = as_digests(self.get(start, min(_SCAN, self._count - start)))
            for first, count in runs_of((words == _UNKNOWN).all(axis=1)):
                yield start + first, count

    def flush(self) -> None:
        """Return when the table is durable."""
        try:
            self._file.sync()
        except StorageFailed:
            # The kernel takes the lost pages for clean now: reading must show what the medium holds, not these.
            self._file.forget_cache()
            raise

    def close(self) -> None:
        """Release the file."""
        self._file.close()


class Overlay:
    """A table over another one: reads see both, writes stay here, in pages of 1,024 granules."""

    def __init__(self, below: DigestTable) -> None:
        self._below = below
        self._pages: dict[int, bytearray] = {}

    @property
    def count(self) -> int:
        """How many granules the disk has."""
        return self._below.count

    def get(self, first: int, count: int) -> bytes:
        """Return the digests of *count* granules from *first* on, joined."""
        parts = []
        for page, start, length in self._pieces(first, count):
            own = self._pages.get(page)
            if own is None:
                parts.append(self._below.get(page * _PAGE + start, length))
            else:
                parts.append(bytes(memoryview(own)[start * DIGEST_SIZE : (start + length) * DIGEST_SIZE]))
        return b"".join(parts)

    def set(self, first: int, digests: bytes) -> None:
        """Replace the digests from granule *first* on."""
        position = 0
        for page, start, length in self._pieces(first, len(digests) // DIGEST_SIZE):
            own = self._pages.get(page)
            if own is None:
                base = page * _PAGE
                own = self._pages[page] = bytearray(self._below.get(base, min(_PAGE, self.count - base)))
            size = length * DIGEST_SIZE
            own[start * DIGEST_SIZE : start * DIGEST_SIZE + size] = digests[position : position + size]
            position += size

    @property
    def is_changed(self) -> bool:
        """True when something was written."""
        return bool(self._pages)

    def changes(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pages where it was written, ascending: (first granule, joined digests)."""
        for page in sorted(self._pages):
            yield page * _PAGE, bytes(self._pages[page])

    def _pieces(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Cut a run of granules at the pages: (page, start in it, count)."""
        end = first + count
        while first < end:
            page, start = divmod(first, _PAGE)
            length = min(_PAGE - start, end - first)
            yield page, start, length
            first += length


def runs_of(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs (first, count) of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    return [(int(first), int(end - first)) for first, end in edges.reshape(-1, 2)]


def same_granules(old: bytes, new: bytes) -> npt.NDArray[np.bool_]:
    """Tell for each granule whether joined digests *old* and *new* agree."""
    same: npt.NDArray[np.bool_] = (as_digests(old) == as_digests(new)).all(axis=1)
    return same
