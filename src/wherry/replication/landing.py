"""Pass 0 on the medium: written in place, with a digest table in two phases so that no entry ever lies.

Before a granule is written, its entry is marked unknown and the mark is made durable; only after the data are durable
the digest enters the table. Whatever happens in between, a crash leaves marks that are resolved by reading the medium
(docs/adr/0007). Marks are set for whole windows ahead of the writes, so that one sync of the table serves 64 MiB.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from wherry.replication.digests import FileTable, runs_of
from wherry.replication.frames import Opened
from wherry.replication.granules import DIGEST_SIZE
from wherry.replication.storage import StoredFile

_WINDOW: Final = 1024  # granules
_KEPT: Final = 4  # windows whose marks are kept, for frames that arrive a little out of order


@dataclass(slots=True)
class _Window:
    """A run of granules whose entries in the table may be marks.

    current: what the granules hold in truth, written ones included. marked: the durable table says unknown.
    written: written since the last seal.
    """

    first: int
    current: bytearray
    marked: npt.NDArray[np.bool_] = field(init=False)
    written: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.current) // DIGEST_SIZE
        self.marked = np.zeros(count, dtype=np.bool_)
        self.written = np.zeros(count, dtype=np.bool_)


class Landing:
    """One disk in pass 0. The order of calls: `write`..., sync of the file, `seal`; `settle` at the end."""

    def __init__(self, file: StoredFile, table: FileTable) -> None:
        self._file = file
        self._table = table
        self._windows: dict[int, _Window] = {}

    @property
    def count(self) -> int:
        """How many granules the disk has."""
        return self._table.count

    def get(self, first: int, count: int) -> bytes:
        """Return what the granules hold in truth: the table, with the marked windows looked through."""
        parts = []
        for number, start, length in _pieces(first, count):
            window = self._windows.get(number)
            if window is None:
                parts.append(self._table.get(number * _WINDOW + start, length))
            else:
                parts.append(bytes(window.current[start * DIGEST_SIZE : (start + length) * DIGEST_SIZE]))
        return b"".join(parts)

    def write(self, opened: Opened) -> None:
        """Write a frame to the medium, its granules having been marked before."""
        self._mark(opened.runs)
        bring(self._file, opened)
        for first, digests in opened.entries():
            self._note(first, digests)

    def _note(self, first: int, digests: bytes) -> None:
        position = 0
        for number, start, length in _pieces(first, len(digests) // DIGEST_SIZE):
            window = self._windows[number]
            size = length * DIGEST_SIZE
            window.current[start * DIGEST_SIZE : start * DIGEST_SIZE + size] = digests[position : position + size]
            window.written[start : start + length] = True
            position += size

    def seal(self) -> None:
        """Enter the digests of what was written. The file must have been synced since."""
        for window in self._windows.values():
            for start, length in runs_of(window.written):
                content = window.current[start * DIGEST_SIZE : (start + length) * DIGEST_SIZE]
                self._table.set(window.first + start, bytes(content))
            window.marked[window.written] = False
            window.written[:] = False
        while len(self._windows) > _KEPT:
            oldest = next(iter(self._windows))
            self._release(self._windows.pop(oldest))

    def settle(self) -> None:
        """Take all marks back; everything written must have been sealed."""
        for window in self._windows.values():
            self._release(window)
        self._windows.clear()

    def _mark(self, runs: Sequence[tuple[int, int]]) -> None:
        fresh = False
        for number, start, length in (piece for run in runs for piece in _pieces(*run)):
            window = self._windows.get(number)
            if window is None:
                base = number * _WINDOW
                window = _Window(base, bytearray(self._table.get(base, min(_WINDOW, self.count - base))))
                self._windows[number] = window
            if not window.marked[start : start + length].all():
                self._table.mark_unknown(window.first, len(window.marked))
                window.marked[:] = True
                fresh = True
        if fresh:
            self._table.flush()

    def _release(self, window: _Window) -> None:
        self._table.set(window.first, bytes(window.current))


def bring(file: StoredFile, opened: Opened) -> None:
    """Bring a frame to the medium."""
    for write in opened.writes():
        if write.raw:
            file.write([write.raw], write.offset)
        else:
            file.zero(write.offset, write.length)


def _pieces(first: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Cut a run of granules at the windows: (window, start in it, count)."""
    end = first + count
    while first < end:
        number, start = divmod(first, _WINDOW)
        length = min(_WINDOW - start, end - first)
        yield number, start, length
        first += length
