"""Whether a proof was signed by whom this control plane's authority vouches for."""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import json, to_builtins

from wherry.contract.wherry import Proof


def signed_document(proof: Proof) -> bytes:
    """Return what is signed of a proof: its JSON with sorted keys, without the signature."""
    fields = to_builtins(proof)
    del fields["signature"]
    return json.encode(fields, order="sorted")


def is_signed(proof: Proof, authority_pem: str) -> bool:
    """Tell whether the proof's signature is right, and its certificate one of the authority's."""
    try:
        certificate = x509.load_pem_x509_certificate(proof.certificate.encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem.encode()))
        signature = base64.b64decode(proof.signature, validate=True)
        key = certificate.public_key()
        if not isinstance(key, Ed25519PublicKey):
            return False  # the authority issues other kinds of keys, too, none of which signs proofs
        key.verify(signature, signed_document(proof))
    except (ValueError, TypeError, binascii.Error, InvalidSignature):
        return False
    return True
