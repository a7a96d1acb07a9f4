"""Verification of a proof: its signature, and disks that are read and compared with it.

Apart from `wherry.replication.proof`, because those who make proofs need no certificates: see `wherry.cli.bundled`.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wherry.contract.wherry import DiskRoot, Proof
from wherry.disks.direct import open_reader
from wherry.replication.errors import ProofRefused
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.medium import digest_pieces
from wherry.replication.proof import canonical_bytes, checked_runs, merkle_root, pieces_of


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
