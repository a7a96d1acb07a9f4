"""Proofs that two disks are equal: Merkle roots over granule digests, and the canonical form of a proof.

The covered granules of a disk are grouped by 256 (16 MiB). A leaf hashes the granules of one group, each with its
number; nodes join two neighbours, an odd one moves up unchanged; the root binds disk size, granule size and the number
of covered granules. Each kind of hash has its own BLAKE3 key derivation context, so that none can be taken for another.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from blake3 import blake3

from wherry.contract.wherry import DiskRoot, Proof
from wherry.replication.errors import ProofRefused
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, granule_count

GROUP: Final = 256
_LEAF: Final = "wherry 2026 proof leaf v1"
_NODE: Final = "wherry 2026 proof node v1"
_ROOT: Final = "wherry 2026 proof root v1"

Runs = Sequence[tuple[int, int]]
"""Ascending runs of granules: (first, count)."""


def pieces_of(covered: Runs) -> Iterator[tuple[int, int]]:
    """Cut runs at the borders of the groups."""
    for run_first, run_count in covered:
        first, end = run_first, run_first + run_count
        while first < end:
            count = min(GROUP - first % GROUP, end - first)
            yield first, count
            first += count


def merkle_root(size: int, pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the root (32 bytes) of a disk of *size* bytes.

    *pieces*: (first granule, joined digests), ascending, each within one group.
    """
    leaves: list[bytes] = []
    parts: list[bytes] = []
    group, covered = -1, 0
    for first, digests in pieces:
        if first // GROUP != group:
            if parts:
                leaves.append(_hash(_LEAF, b"".join(parts)))
            group, parts = first // GROUP, []
        parts.append(_numbered(first, digests))
        covered += len(digests) // DIGEST_SIZE
    if parts:
        leaves.append(_hash(_LEAF, b"".join(parts)))
    top = _join(leaves) if leaves else bytes(32)
    return _hash(_ROOT, struct.pack("<QQQ", size, GRANULE_SIZE, covered) + top)


def disk_root(index: int, name: str, size: int, covered: Runs, pieces: Iterable[tuple[int, bytes]]) -> DiskRoot:
    """Return a disk's line of a proof half; *pieces* as in `merkle_root`."""
    return DiskRoot(
        index=index,
        name=name,
        size=size,
        granule_size=GRANULE_SIZE,
        covered=[list(run) for run in covered],
        root=merkle_root(size, pieces).hex(),
    )


def table_pieces(covered: Runs, get: Callable[[int, int], bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of a root from a table: *get* as `DigestTable.get`."""
    for first, count in pieces_of(covered):
        yield first, get(first, count)


def canonical_bytes(proof: Proof) -> bytes:
    """Return what the signature of *proof* is over: its JSON with sorted keys, without the field `signature`."""
    document = msgspec.to_builtins(proof)
    del document["signature"]
    return msgspec.json.encode(document, order="sorted")


def checked_runs(runs: Sequence[Sequence[int]], size: int) -> list[tuple[int, int]]:
    """Return *runs* as tuples. Raises ProofRefused unless they ascend, are disjoint and on a disk of *size* bytes."""
    checked: list[tuple[int, int]] = []
    end = 0
    for first, count in runs:
        if first < end or count < 1:
            raise ProofRefused(reason="the granules it covers aren't in order")
        end = first + count
        checked.append((first, count))
    if end > granule_count(size):
        raise ProofRefused(reason="it covers granules beyond the end of the disk")
    return checked


def _numbered(first: int, digests: bytes) -> bytes:
    """Return digests with the granule number (64 bits, little-endian) before each."""
    count = len(digests) // DIGEST_SIZE
    table = np.empty((count, 3), dtype="<u8")
    table[:, 0] = np.arange(first, first + count, dtype=np.uint64)
    table[:, 1:] = np.frombuffer(digests, dtype="<u8").reshape(-1, 2)
    return table.tobytes()


def _join(level: list[bytes]) -> bytes:
    while len(level) > 1:
        above = [_hash(_NODE, left + right) for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def _hash(context: str, content: bytes) -> bytes:
    return blake3(content, derive_key_context=context).digest()
