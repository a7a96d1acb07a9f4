"""`wherry verify` on small files and proofs that were really signed."""

import base64
from pathlib import Path

import msgspec
import pytest

from wherry.cli.main import run
from wherry.contract.wherry import DiskRoot, Proof
from wherry.disks.direct import open_reader
from wherry.iam.certificates import Authority, ProofSigner
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.medium import digest_pieces
from wherry.replication.proof import canonical_bytes, disk_root, pieces_of

AUTHORITY = Authority.create("test CA")
SIGNER = ProofSigner(AUTHORITY.issue_proof_key())


class Desk:
    """A folder with two disks, their proof and the CA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disks = [folder / "one.img", folder / "two.img"]
        self.disks[0].write_bytes(b"one" * 70_000)
        self.disks[1].write_bytes(b"two" * 10_000)
        self.proof = folder / "proof.json"
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(AUTHORITY.certificate_pem)
        self.write(self.signed())

    def signed(self) -> Proof:
        proof = Proof(
            task_id="task-1",
            source_id="source-1",
            source_name="web-1",
            checkpoint=7,
            taken_at=1,
            disks=[self.root(index, path) for index, path in enumerate(self.disks)],
            signed_at=1_800_000_000_000,
            key_id=SIGNER.key_id,
            certificate=SIGNER.certificate_pem,
            signature="",
        )
        signature = base64.b64encode(SIGNER.sign(canonical_bytes(proof))).decode()
        return msgspec.structs.replace(proof, signature=signature)

    def root(self, index: int, path: Path) -> DiskRoot:
        with open_reader(path) as reader:
            covered = [(0, -(-reader.size // GRANULE_SIZE))]
            pieces = digest_pieces(reader.read_into, reader.size, pieces_of(covered))
            return disk_root(index, path.name, reader.size, covered, pieces)

    def write(self, proof: Proof) -> None:
        self.proof.write_bytes(msgspec.json.encode(proof))

    def verify(self, *options: str) -> int:
        return run(["verify", str(self.proof), *map(str, self.disks), *options])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_equal_disks_are_equal(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.verify("--ca-file", str(desk.ca_file)) == 0
    shown = capsys.readouterr().out
    assert "equal: yes" in shown
    assert "web-1" in shown
    assert "one.img" in shown
    assert "210,000" in shown


def test_without_a_ca_nobody_vouches_for_the_signer(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.verify() == 0
    assert "signer unknown" in capsys.readouterr().out


def test_a_flipped_byte_is_found_and_its_disk_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(desk.disks[1].read_bytes())
    content[-1] ^= 1
    desk.disks[1].write_bytes(content)
    assert desk.verify("--ca-file", str(desk.ca_file)) == 1
    shown = capsys.readouterr().out
    assert "equal: no" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith(("one", "two"))}
    assert "yes" in lines["one.img"]
    assert "NO" in lines["two.img"]


def test_disks_in_the_wrong_order_are_not_equal(desk: Desk) -> None:
    desk.disks.reverse()
    assert desk.verify("--ca-file", str(desk.ca_file)) == 1


def test_a_disk_too_few_is_asked_for_by_name(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.disks.pop()
    assert desk.verify() == 2
    assert "one.img, two.img" in capsys.readouterr().err


def test_a_changed_proof_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write(msgspec.structs.replace(desk.signed(), source_name="somebody else"))
    assert desk.verify("--ca-file", str(desk.ca_file)) == 1
    assert "WHERRY.2030" in capsys.readouterr().err


def test_another_authority_s_proof_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.ca_file.write_text(Authority.create("somebody else").certificate_pem)
    assert desk.verify("--ca-file", str(desk.ca_file)) == 1
    assert "WHERRY.2030" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[1, 2]"])
def test_what_is_no_proof_is_named(desk: Desk, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    desk.proof.write_bytes(content)
    assert desk.verify() == 2
    assert "can't be read as a proof" in capsys.readouterr().err


def test_a_disk_that_is_not_there_is_an_error_not_a_difference(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.disks[0] = desk.folder / "none.img"
    assert desk.verify() == 1
    assert "WHERRY.1001" in capsys.readouterr().err
