"""The CA: what it issues is accepted by strict TLS on both sides, and its files survive."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.verification import PolicyBuilder, Store

from wherry.iam.certificates import Authority, AuthorityUnreadable, Issued, ProofSigner, task_server_name

TASK = "3f0c6f7a-54b5-4f8e-9a43-0d3b0b1f1c55"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("Wherry test CA")


def context(purpose: int, authority: Authority, issued: Issued | None, passphrase: str, folder: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_verify_locations(cadata=authority.certificate_pem)
    if issued is not None:
        both = folder / f"{id(issued)}.pem"
        both.write_text(issued.certificate + issued.private_key)
        made.load_cert_chain(both, password=passphrase)
    return made


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, server_name: str) -> dict[str, object]:
    """Run a TLS handshake in memory and return the client's certificate as the server sees it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=server_name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    near.write(b"x")
    assert far.read(1) == b"x"
    return dict(far.getpeercert() or {})


def test_both_ends_of_a_task_accept_each_other(authority: Authority, tmp_path: Path) -> None:
    task = authority.issue_task(TASK)
    assert task.server_name == task_server_name(TASK) == f"task-{TASK}.wherry"
    server = context(ssl.PROTOCOL_TLS_SERVER, authority, task.target, task.passphrase, tmp_path)
    server.verify_mode = ssl.CERT_REQUIRED
    client = context(ssl.PROTOCOL_TLS_CLIENT, authority, task.source, task.passphrase, tmp_path)
    peer = shake_hands(client, server, task.server_name)
    assert peer["subject"] == ((("commonName", TASK),),)


def test_the_channel_of_one_task_is_not_another_ones(authority: Authority, tmp_path: Path) -> None:
    task = authority.issue_task(TASK)
    server = context(ssl.PROTOCOL_TLS_SERVER, authority, task.target, task.passphrase, tmp_path)
    client = context(ssl.PROTOCOL_TLS_CLIENT, authority, None, "", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        shake_hands(client, server, task_server_name("other"))


def test_a_source_certificate_cannot_play_the_server(authority: Authority, tmp_path: Path) -> None:
    task = authority.issue_task(TASK)
    server = context(ssl.PROTOCOL_TLS_SERVER, authority, task.source, task.passphrase, tmp_path)
    client = context(ssl.PROTOCOL_TLS_CLIENT, authority, None, "", tmp_path)
    client.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(client, server, task.server_name)


def test_private_keys_of_a_task_are_encrypted(authority: Authority, tmp_path: Path) -> None:
    task = authority.issue_task(TASK)
    for issued in (task.source, task.target):
        assert "ENCRYPTED" in issued.private_key
        with pytest.raises(ssl.SSLError):
            context(ssl.PROTOCOL_TLS_CLIENT, authority, issued, "wrong", tmp_path)
    other = authority.issue_task(TASK)
    assert other.passphrase != task.passphrase


def test_a_server_certificate_covers_names_and_addresses(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue_server(["wherry.example.test", "127.0.0.1", "::1"])
    server = context(ssl.PROTOCOL_TLS_SERVER, authority, issued, "", tmp_path)
    client = context(ssl.PROTOCOL_TLS_CLIENT, authority, None, "", tmp_path)
    for name in ("wherry.example.test", "127.0.0.1", "::1"):
        shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "127.0.0.2")
    with pytest.raises(ValueError, match="at least one name"):
        authority.issue_server([])


def test_another_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority.create("Wherry test CA")
    issued = stranger.issue_server(["localhost"])
    server = context(ssl.PROTOCOL_TLS_SERVER, stranger, issued, "", tmp_path)
    client = context(ssl.PROTOCOL_TLS_CLIENT, authority, None, "", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "localhost")


def test_a_second_implementation_of_the_rules_accepts_them_too(authority: Authority) -> None:
    root = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    task = authority.issue_task(TASK)
    leaf = x509.load_pem_x509_certificate(task.target.certificate.encode())
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName(task.server_name))
    assert verifier.verify(leaf, []) == [leaf, root]


def test_certificates_end(authority: Authority) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    task = authority.issue_task(TASK, now=long_ago)
    assert task.expires_at_ms < datetime.now(UTC).timestamp() * 1000


def test_the_authority_is_kept_in_its_folder(tmp_path: Path) -> None:
    first = Authority.open(tmp_path, "Wherry CA")
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    assert (tmp_path / "ca.pem").read_text() == first.certificate_pem
    (tmp_path / "ca.pem").unlink()
    again = Authority.open(tmp_path, "ignored")
    assert again.certificate_pem == first.certificate_pem == (tmp_path / "ca.pem").read_text()


@pytest.mark.parametrize("damage", ["", "garbage", "half"])
def test_a_damaged_authority_is_named_and_left_alone(tmp_path: Path, damage: str) -> None:
    Authority.open(tmp_path, "Wherry CA")
    path = tmp_path / "ca.key"
    text = path.read_text()[:300] if damage == "half" else damage
    path.write_text(text)
    with pytest.raises(AuthorityUnreadable):
        Authority.open(tmp_path, "Wherry CA")
    assert path.read_text() == text


def test_an_authority_with_a_foreign_key_is_refused(tmp_path: Path) -> None:
    Authority.open(tmp_path, "Wherry CA")
    key = (tmp_path / "ca.key").read_text().partition("-----BEGIN CERT")[0]
    (tmp_path / "ca.key").write_text(key + Authority.create("x").certificate_pem)
    with pytest.raises(AuthorityUnreadable, match="do not belong together"):
        Authority.open(tmp_path, "Wherry CA")


def test_proofs_are_signed_by_a_key_of_the_authority(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, "Wherry CA")
    signer = ProofSigner.open(tmp_path, authority)
    assert stat.S_IMODE((tmp_path / "proof.pem").stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(signer.certificate_pem.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
    key = certificate.public_key()
    assert isinstance(key, Ed25519PublicKey)
    key.verify(signer.sign(b"document"), b"document")
    again = ProofSigner.open(tmp_path, authority)
    assert (again.key_id, again.certificate_pem) == (signer.key_id, signer.certificate_pem)
    assert again.sign(b"document") == signer.sign(b"document")


def test_a_damaged_proof_key_is_named(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, "Wherry CA")
    ProofSigner.open(tmp_path, authority)
    (tmp_path / "proof.pem").write_text("garbage")
    with pytest.raises(AuthorityUnreadable, match=r"proof\.pem"):
        ProofSigner.open(tmp_path, authority)


def test_certificates_begin_days_before_they_are_made_and_last_no_longer_for_it(authority: Authority) -> None:
    now = datetime.now(UTC)
    issued = authority.issue_server(["localhost"], days=825, now=now)
    certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert certificate.not_valid_before_utc <= now - timedelta(days=1)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=825)
