"""Digesting what a medium holds: granules are read by two threads and come out in order, with little memory."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from wherry.disks.direct import aligned_buffer
from wherry.replication.digests import FileTable
from wherry.replication.granules import DIGEST_SIZE, EXTENT_SIZE, GRANULE_SIZE, granule_digests
from wherry.replication.storage import StoredFile

_THREADS: Final = 2
_AHEAD: Final = 4
_PIECE: Final = 256  # granules
_FLUSHED: Final = 65_536  # granules that are read again at most when the power goes: 4 GiB

ReadInto = Callable[[memoryview, int], int]


def digest_pieces(read_into: ReadInto, size: int, pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Read runs of granules (first, count) of a disk of *size* bytes; yield (first, joined digests) in their order.

    Errors of *read_into* are passed on.
    """
    own = threading.local()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="digest") as pool:
        waiting: deque[tuple[int, Future[bytes]]] = deque()
        try:
            for first, count in pieces:
                waiting.append((first, pool.submit(_digest_run, read_into, size, first, count, own)))
                if len(waiting) > _AHEAD:
                    number, done = waiting.popleft()
                    yield number, done.result()
            while waiting:
                number, done = waiting.popleft()
                yield number, done.result()
        finally:
            for _number, unwanted in waiting:
                unwanted.cancel()


def resolve_unknown(
    file: StoredFile, table: FileTable, size: int, advanced: Callable[[int], None] = lambda _count: None
) -> int:
    """Digest what *table* doesn't know from the medium, durably; return how many granules that were.

    *advanced* is told of how many more granules are known.
    """
    if next(iter(table.unknown_runs()), None) is None:
        return 0
    # What a killed process wrote may lie in the cache only: a digest of it must not become durable before it does.
    file.sync()
    file.forget_cache()
    resolved = flushed = 0
    for first, digests in digest_pieces(file.read_into, size, _cut(table.unknown_runs())):
        table.set(first, digests)
        resolved += len(digests) // DIGEST_SIZE
        if resolved - flushed >= _FLUSHED:
            table.flush()
            flushed = resolved
        advanced(len(digests) // DIGEST_SIZE)
    if resolved:
        table.flush()
    return resolved


def _cut(runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, count in runs:
        for start in range(first, first + count, _PIECE):
            yield start, min(_PIECE, first + count - start)


def _digest_run(read_into: ReadInto, size: int, first: int, count: int, own: threading.local) -> bytes:
    """Return the joined digests of a run of granules; *own* keeps each thread's buffer."""
    buffer: memoryview | None = getattr(own, "buffer", None)
    if buffer is None:
        buffer = own.buffer = memoryview(aligned_buffer(EXTENT_SIZE))
    offset = first * GRANULE_SIZE
    end = min(offset + count * GRANULE_SIZE, size)
    digests = []
    while offset < end:
        piece = buffer[: min(EXTENT_SIZE, end - offset)]
        read_into(piece, offset)
        digests.append(granule_digests(piece))
        offset += len(piece)
    return b"".join(digests)
