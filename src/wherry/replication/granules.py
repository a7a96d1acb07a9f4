"""Granules and extents: the units of digesting and of sending, and their digests.

A granule is 64 KiB of a disk; the last one of a disk may be shorter. An extent is a run of granules of at most 1 MiB.
The digest of a granule is 16 bytes: all zero when every byte of the granule is zero, so that a fresh sparse replica
needs no digesting, else BLAKE3 cut to 16 bytes. Sixteen bytes 0xFF stand for "not known" and equal no granule.
"""

import numpy as np
import numpy.typing as npt
from blake3 import blake3

GRANULE_SIZE = 64 * 1024
EXTENT_SIZE = 1024 * 1024
DIGEST_SIZE = 16
ZERO_DIGEST = bytes(DIGEST_SIZE)
UNKNOWN_DIGEST = b"\xff" * DIGEST_SIZE
_STRIDE = 512  # words

Buffer = bytes | bytearray | memoryview
Digests = npt.NDArray[np.uint64]
"""Digests as an array of shape (granules, 2): two 64-bit words each, in the byte order of the machine."""


def granule_count(size: int) -> int:
    """Return how many granules a disk of *size* bytes has."""
    return -(-size // GRANULE_SIZE)


def digest_of(content: Buffer) -> bytes:
    """Return BLAKE3 of *content*, cut to 16 bytes."""
    return blake3(content).digest(length=DIGEST_SIZE)


def granule_digests(content: Buffer) -> bytes:
    """Return the digests of the granules of *content*, joined.

    The content starts at a granule of the disk; only its last granule may be short.
    """
    view = memoryview(content)
    whole = len(view) - len(view) % GRANULE_SIZE
    digests: list[bytes] = []
    if whole:
        words = np.frombuffer(view[:whole], dtype=np.uint64).reshape(-1, GRANULE_SIZE // 8)
        # Most granules show by a few words that they aren't empty; only those that don't are looked at as a whole.
        filled: list[bool] = (words[:, ::_STRIDE].max(axis=1) > 0).tolist()
        for number, some in enumerate(filled):
            filled[number] = some or bool(words[number].max())
        digests = [
            digest_of(view[start : start + GRANULE_SIZE]) if some else ZERO_DIGEST
            for start, some in zip(range(0, whole, GRANULE_SIZE), filled, strict=True)
        ]
    if whole < len(view):
        tail = view[whole:]
        digests.append(digest_of(tail) if np.frombuffer(tail, dtype=np.uint8).any() else ZERO_DIGEST)
    return b"".join(digests)


def runs_among(numbers: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the runs (first, count) of granules with the ascending *numbers*."""
    ends = np.flatnonzero(np.diff(numbers) != 1) + 1
    borders = [0, *ends.tolist(), len(numbers)]
    firsts = numbers[borders[:-1]].tolist()
    return [(first, end - start) for first, start, end in zip(firsts, borders, borders[1:], strict=False)]


def as_digests(content: Buffer) -> Digests:
    """Return joined digests as an array over the same memory."""
    return np.frombuffer(content, dtype=np.uint64).reshape(-1, 2)
