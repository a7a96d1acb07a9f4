"""The certificates that the contestants show each other."""

from dataclasses import asdict
from pathlib import Path

import msgspec

from wherry.iam.certificates import Authority
from wherry.replication import transport


def write_keys(directory: Path) -> None:
    """Write the certificates of CA and server under the names that QEMU and libnbd look for."""
    directory.mkdir()
    authority = Authority.create("Wherry bench")
    issued = authority.issue_server(["localhost", "127.0.0.1"])
    (directory / "ca-cert.pem").write_text(authority.certificate_pem)
    (directory / "server-cert.pem").write_text(issued.certificate)
    (directory / "server-key.pem").write_text(issued.private_key)


def write_identities(directory: Path, task: str) -> None:
    """Make the certificates of both ends of Wherry in *directory*."""
    directory.mkdir()
    authority = Authority.create("Wherry bench")
    issued = authority.issue_task(task)
    for side, own in (("source", issued.source), ("target", issued.target)):
        identity = transport.Identity(own.certificate, own.private_key, issued.passphrase, authority.certificate_pem)
        (directory / f"{side}.json").write_bytes(msgspec.json.encode(asdict(identity)))
