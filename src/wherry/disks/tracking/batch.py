"""The pages that are just being taken out of the ring, in memory that outlives the process: no event dies with it.

Who reads a page takes its events away from the kernel. A process that is killed before it has marked them would lose
them; the next one finds the pages here and marks them again, which does no harm.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

_HEAD = 4096
_UNDER_WAY = 0
"""Place of the byte that says whether the pages may hold events that aren't all marked."""
_PAGE_HEAD = 16
"""A page begins with its time, which is never 0, and the length of its events."""


class Batch:
    """Room for *count* pages of *page_size* bytes, in the file *path*; None for memory that goes with the process."""

    def __init__(self, path: Path | None, page_size: int, count: int) -> None:
        """Raises OSError."""
        size = _HEAD + page_size * count
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size != size:
                    os.ftruncate(descriptor, 0)
                    os.ftruncate(descriptor, size)
                self._map = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        whole = memoryview(self._map)
        self.pages = [whole[start : start + page_size] for start in range(_HEAD, size, page_size)]
        self._used = count

    def left_over(self) -> list[memoryview]:
        """Return the pages that a process which was killed had taken out and perhaps not marked."""
        return [page for page in self.pages if any(page[:8])] if self._map[_UNDER_WAY] else []

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Do what is done with the pages inside of this: filling them and marking their events."""
        for page in self.pages[: self._used]:
            page[:_PAGE_HEAD] = bytes(_PAGE_HEAD)
        self._used = 0
        self._map[_UNDER_WAY] = 1
        yield
        self._map[_UNDER_WAY] = 0

    def note_used(self, count: int) -> None:
        """Note how many pages were filled."""
        self._used = count

    def close(self) -> None:
        """Let go of the memory; the file stays."""
        for page in self.pages:
            page.release()
        self.pages = []
        # Somebody may still hold an array over it; it goes with the last of them.
        with contextlib.suppress(BufferError):
            self._map.close()
