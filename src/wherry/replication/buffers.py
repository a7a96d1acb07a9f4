"""The buffers that a session reads into and sends from: their number bounds its memory."""

import queue
import threading
from typing import Final

from wherry.disks.direct import aligned_buffer
from wherry.replication.frames import MAX_PAYLOAD

_LOOK_S: Final = 0.1
_KEPT: Final = 8  # between passes: enough for the last one, in which time counts


class BufferPool:
    """Buffers of one frame's payload each, aligned for direct reads; made when first needed, kept while a pass runs."""

    def __init__(self, count: int) -> None:
        self._free: queue.LifoQueue[memoryview] = queue.LifoQueue()
        self._unmade = count
        self._making = threading.Lock()

    def take(self, abort: threading.Event) -> memoryview | None:
        """Return a buffer; waits for one. None when *abort* is set."""
        while not abort.is_set():
            try:
                return self._free.get_nowait()
            except queue.Empty:
                pass
            with self._making:
                if self._unmade:
                    self._unmade -= 1
                    return memoryview(aligned_buffer(MAX_PAYLOAD))
            try:
                return self._free.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
        return None

    def give(self, buffer: memoryview) -> None:
        """Return *buffer* to the pool."""
        self._free.put(buffer)

    @property
    def kept(self) -> int:
        """How many buffers wait to be used."""
        return self._free.qsize()

    def shrink(self) -> None:
        """Let go of most of the memory; for the time between passes."""
        while self.kept > _KEPT:
            try:
                self._free.get_nowait()
            except queue.Empty:
                return
            with self._making:
                self._unmade += 1
