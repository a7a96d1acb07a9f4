"""The private CA: certificates of the server, of each task's data channel, and of the key that signs proofs.

Elliptic curve P-256 throughout, Ed25519 for proofs. Certificates carry what strict verifiers ask for (RFC 5280: key
identifiers, critical basic constraints, key usages).
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry import durable
from wherry.errors import WherryError

CA_DAYS: Final = 3650
SERVER_DAYS: Final = 825
TASK_DAYS: Final = 365
PROOF_DAYS: Final = 3650
_BACKDATE: Final = timedelta(days=2)
"""Certificates begin before they are made. Wherry's own programs go by the control plane's time (ADR 0020); for all
others this covers clocks that are behind, and those set to local time instead of UTC."""

_PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey


class AuthorityUnreadable(WherryError):
    """The files of the CA exist and can't be read."""

    code = "WHERRY.5107"
    template = "The certificate authority in {directory} cannot be read: {reason}."
    default_cause = "One of its files was cut short, or belongs to another authority."
    default_fix = "Restore the folder from a backup; a new authority would lock out every agent that joined."


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, as PEM text. The key is encrypted where the maker asked for it."""

    certificate: str
    private_key: str


@dataclass(frozen=True, slots=True)
class TaskCertificates:
    """What the two ends of one task's data channel need; both private keys are encrypted with `passphrase`.

    `source` is a client certificate with CN = task id; `target` is a server certificate for `server_name`.
    """

    source: Issued
    target: Issued
    passphrase: str
    server_name: str
    expires_at_ms: int


class Authority:
    """A private certificate authority."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.certificate_pem: Final = _certificate_text(certificate)

    @classmethod
    def create(cls, name: str, *, now: datetime | None = None) -> "Authority":
        """Return a new authority called *name*."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key.public_key(), key.public_key(), days=CA_DAYS, now=now)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def open(cls, directory: Path, name: str) -> "Authority":
        """Return the authority in *directory*, made at the first start.

        `ca.key` (0600) holds key and certificate, so that no crash can part them; `ca.pem` is a copy of the
        certificate for clients. Raises AuthorityUnreadable where `ca.key` holds something else.
        """
        path = directory / "ca.key"
        try:
            certificate_text, key_text = _read_pair(path)
        except FileNotFoundError:
            authority = cls.create(name)
            authority.save(directory)
            return authority
        try:
            certificate = x509.load_pem_x509_certificate(certificate_text.encode())
            key = serialization.load_pem_private_key(key_text.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise AuthorityUnreadable(directory=directory, reason=str(error)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityUnreadable(directory=directory, reason="certificate and key do not belong together")
        authority = cls(certificate, key)
        if not (directory / "ca.pem").exists():
            durable.write_file(directory / "ca.pem", authority.certificate_pem.encode())
        return authority

    def save(self, directory: Path) -> None:
        """Write `ca.key` and `ca.pem` into *directory*."""
        both = _private_text(self._key, None) + self.certificate_pem
        durable.write_file(directory / "ca.key", both.encode(), mode=0o600)
        durable.write_file(directory / "ca.pem", self.certificate_pem.encode())

    def issue_server(self, names: Sequence[str], *, days: int = SERVER_DAYS, now: datetime | None = None) -> Issued:
        """Return a server certificate for *names* (host names and IP addresses); the first becomes the CN."""
        return self._issue_server(names, days, now, passphrase=None)

    def issue_task(self, task_id: str, *, days: int = TASK_DAYS, now: datetime | None = None) -> TaskCertificates:
        """Return new certificates of a task's data channel, with private keys encrypted by a new passphrase."""
        passphrase = secrets.token_urlsafe(24)
        server_name = task_server_name(task_id)
        target = self._issue_server([server_name], days, now, passphrase=passphrase)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf(task_id, key.public_key(), days, now)
        builder = builder.add_extension(_key_usage(), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        certificate = self._sign(builder)
        source = Issued(_certificate_text(certificate), _private_text(key, passphrase))
        expires = int(certificate.not_valid_after_utc.timestamp() * 1000)
        return TaskCertificates(source, target, passphrase, server_name, expires)

    def issue_proof_key(self, *, days: int = PROOF_DAYS, now: datetime | None = None) -> Issued:
        """Return a new Ed25519 key that signs proofs, with its certificate."""
        key = Ed25519PrivateKey.generate()
        builder = self._leaf("wherry proof signing", key.public_key(), days, now)
        builder = builder.add_extension(_key_usage(), critical=True)
        return Issued(_certificate_text(self._sign(builder)), _private_text(key, None))

    def _issue_server(self, names: Sequence[str], days: int, now: datetime | None, *, passphrase: str | None) -> Issued:
        if not names:
            raise ValueError("a server certificate needs at least one name")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf(names[0], key.public_key(), days, now)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        builder = builder.add_extension(_key_usage(), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return Issued(_certificate_text(self._sign(builder)), _private_text(key, passphrase))

    def _leaf(self, common_name: str, key: _PublicKey, days: int, now: datetime | None) -> x509.CertificateBuilder:
        # A common name holds at most 64 characters; the names that are checked stand in the SAN or are ids.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
        builder = _builder(subject, self._certificate.subject, key, self._key.public_key(), days=days, now=now)
        return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256())


class ProofSigner:
    """Signs proofs with the control plane's Ed25519 key.

    Attributes:
        certificate_pem: the certificate of the key, issued by the CA.
        key_id: the first 16 hex digits of the certificate's SHA-256.
    """

    def __init__(self, issued: Issued) -> None:
        key = serialization.load_pem_private_key(issued.private_key.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("proofs are signed with an Ed25519 key")
        self._key = key
        self.certificate_pem: Final = issued.certificate
        certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
        self.key_id: Final = certificate.fingerprint(hashes.SHA256()).hex()[:16]

    @classmethod
    def open(cls, directory: Path, authority: Authority) -> "ProofSigner":
        """Return the signer whose key is in *directory* (`proof.pem`: key, then certificate), made at the first start.

        Raises AuthorityUnreadable when the file holds something else.
        """
        path = directory / "proof.pem"
        try:
            return cls(Issued(*_read_pair(path)))
        except FileNotFoundError:
            issued = authority.issue_proof_key()
            durable.write_file(path, (issued.private_key + issued.certificate).encode(), mode=0o600)
            return cls(issued)
        except (ValueError, TypeError) as error:
            raise AuthorityUnreadable(directory=directory, reason=f"proof.pem: {error}") from error

    def sign(self, document: bytes) -> bytes:
        """Return the Ed25519 signature (64 bytes) over *document*."""
        return self._key.sign(document)


def task_server_name(task_id: str) -> str:
    """Return the TLS server name by which a receiver picks the certificate of a task."""
    return f"task-{task_id}.wherry"


def _read_pair(path: Path) -> tuple[str, str]:
    """Return certificate and private key of a file that holds the key first."""
    text = path.read_text("ascii", errors="replace")
    at = text.find("-----BEGIN CERTIFICATE-----")
    return (text[at:], text[:at]) if at >= 0 else ("", text)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: _PublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    *,
    days: int,
    now: datetime | None,
) -> x509.CertificateBuilder:
    begin = (datetime.now(UTC) if now is None else now) - _BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))  # in all: some refuse a server's certificate of over 825 days
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate_text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _private_text(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: str | None) -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode("ascii")
