"""The buffers that a session reads into and sends from: their number bounds its memory."""

import queue
import threading
from typing import Final

from wherry.disks.direct import aligned_buffer
from wherry.replication.frames import MAX_PAYLOAD

_LOOK_S: Final = 0.1


class BufferPool:
    """Buffers of one frame's payload each, aligned for direct reads; made when first needed and kept."""

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
