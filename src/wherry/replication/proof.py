"""Proofs that two disks are equal: Merkle roots over granule digests, their canonical form, and their verification.

The covered granules of a disk are grouped by 256 (16 MiB). A leaf hashes the granules of one group, each with its
number; nodes join two neighbours, an odd one moves up unchanged; the root binds disk size, granule size and the number
of covered granules. Each kind of hash has its own BLAKE3 key derivation context, so that none can be taken for another.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from blake3 import blake3
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wherry.contract.wherry import DiskRoot, Proof
from wherry.disks.direct import open_reader
from wherry.replication.errors import ProofRefused
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, granule_count
from wherry.replication.medium import digest_pieces

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


@dataclass(frozen=True, slots=True)
class DiskVerdict:
    """Whether a disk is what the proof says. *reason* says why not, in words; "" when it is."""

    index: int
    name: str
    path: Path | None
    reason: str

    @property
    def equal(self) -> bool:
        """True when every covered byte is as the proof says."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. *trusted* is False when no CA was given: then anybody may have signed."""

    trusted: bool
    disks: Sequence[DiskVerdict]

    @property
    def equal(self) -> bool:
        """True when every disk of the proof was given and is equal."""
        return all(disk.equal for disk in self.disks)


def verify(proof: Proof, disks: Mapping[int, Path], ca_pem: str | None) -> Verdict:
    """Check the signature of *proof*, then read *disks* (by the proof's disk index) and compare.

    Raises ProofRefused when signature, certificate or form are wrong, NotADisk or DiskReadFailed for a disk that can't
    be read. A disk that isn't given counts as not equal.
    """
    check_signature(proof, ca_pem)
    return Verdict(ca_pem is not None, [_verify_disk(line, disks.get(line.index)) for line in proof.disks])


def check_signature(proof: Proof, ca_pem: str | None) -> None:
    """Check that *proof* was signed by its certificate and that one issued by the CA. Raises ProofRefused."""
    try:
        certificate = x509.load_pem_x509_certificate(proof.certificate.encode())
        signature = base64.b64decode(proof.signature, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ProofRefused(reason=f"its certificate or signature can't be read: {error}") from error
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        # The CA issues other kinds of keys to servers and agents, none of which may sign proofs.
        raise ProofRefused(reason="its certificate isn't one for proofs")
    if ca_pem is not None:
        _check_issuer(certificate, ca_pem)
    try:
        key.verify(signature, canonical_bytes(proof))
    except InvalidSignature as error:
        raise ProofRefused(reason="the signature doesn't fit the document") from error


def _check_issuer(certificate: x509.Certificate, ca_pem: str) -> None:
    # Its dates say nothing more: the proof is dated by who signs it, whose clock may be wrong (ADR 0020).
    try:
        authority = x509.load_pem_x509_certificate(ca_pem.encode())
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise ProofRefused(reason="its certificate wasn't issued by this CA") from error


def _verify_disk(line: DiskRoot, path: Path | None) -> DiskVerdict:
    if path is None:
        return DiskVerdict(line.index, line.name, None, "no disk was given for it")
    if line.granule_size != GRANULE_SIZE:
        raise ProofRefused(reason=f"it has granules of {line.granule_size} bytes, which this version can't read")
    covered = checked_runs(line.covered, line.size)
    with open_reader(path) as reader:
        if reader.size < line.size:
            return DiskVerdict(line.index, line.name, path, f"it has {reader.size} bytes instead of {line.size}")
        root = merkle_root(line.size, digest_pieces(reader.read_into, line.size, pieces_of(covered)))
    reason = "" if root.hex() == line.root else "its content differs from what was proven"
    return DiskVerdict(line.index, line.name, path, reason)


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
