"""Proofs: roots that notice everything, signatures that can't be moved, verification against disks."""

import base64
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from wherry.contract.wherry import Proof
from wherry.iam.certificates import Authority, ProofSigner
from wherry.replication.errors import ProofRefused
from wherry.replication.granules import GRANULE_SIZE, granule_count, granule_digests
from wherry.replication.proof import canonical_bytes, disk_root, merkle_root, pieces_of, table_pieces
from wherry.replication.verification import verify

SIZE = 600 * GRANULE_SIZE + 1024
COVERED = [(0, 3), (200, 120), (599, 2)]


def image(tmp_path: Path, seed: int = 1) -> Path:
    """Make a sparse disk whose covered granules hold something."""
    path = tmp_path / f"disk{seed}.img"
    chance = random.Random(seed)
    with path.open("wb") as file:
        for first, count in COVERED:
            file.seek(first * GRANULE_SIZE)
            for number in range(first, first + count):
                file.write((chance.randbytes(16) * (GRANULE_SIZE // 16))[: SIZE - number * GRANULE_SIZE])
        file.truncate(SIZE)
    return path


def digests_of(path: Path) -> Callable[[int, int], bytes]:
    content = path.read_bytes()
    table = granule_digests(content)
    return lambda first, count: table[first * 16 : (first + count) * 16]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("test")


@pytest.fixture(scope="module")
def signer(authority: Authority) -> ProofSigner:
    return ProofSigner(authority.issue_proof_key())


def signed(signer: ProofSigner, disks: list[Path], signed_at: int | None = None) -> Proof:
    lines = [
        disk_root(index, f"/dev/vd{index}", SIZE, COVERED, table_pieces(COVERED, digests_of(path)))
        for index, path in enumerate(disks)
    ]
    begins = x509.load_pem_x509_certificate(signer.certificate_pem.encode()).not_valid_before_utc
    proof = Proof(
        task_id="t",
        source_id="s",
        source_name="n",
        checkpoint=4,
        taken_at=1,
        disks=lines,
        signed_at=int(begins.timestamp() * 1000) + 1000 if signed_at is None else signed_at,
        key_id=signer.key_id,
        certificate=signer.certificate_pem,
        signature="",
    )
    return msgspec.structs.replace(proof, signature=base64.b64encode(signer.sign(canonical_bytes(proof))).decode())


def test_an_equal_disk_is_equal(tmp_path: Path, authority: Authority, signer: ProofSigner) -> None:
    disks = [image(tmp_path, 1), image(tmp_path, 2)]
    verdict = verify(signed(signer, disks), dict(enumerate(disks)), authority.certificate_pem)
    assert verdict.equal
    assert verdict.trusted
    assert not verify(signed(signer, disks), dict(enumerate(disks)), None).trusted


@pytest.mark.parametrize("offset", [0, 3 * GRANULE_SIZE - 1, 255 * GRANULE_SIZE, 319 * GRANULE_SIZE + 77, SIZE - 1])
def test_a_single_changed_byte_among_the_covered_ones_is_found(
    tmp_path: Path, authority: Authority, signer: ProofSigner, offset: int
) -> None:
    disk = image(tmp_path)
    proof = signed(signer, [disk])
    with disk.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ 1]))
    verdict = verify(proof, {0: disk}, authority.certificate_pem)
    assert not verdict.equal
    assert "differs" in verdict.disks[0].reason


@pytest.mark.parametrize("offset", [3 * GRANULE_SIZE, 199 * GRANULE_SIZE, 320 * GRANULE_SIZE])
def test_what_is_not_covered_may_differ(tmp_path: Path, authority: Authority, signer: ProofSigner, offset: int) -> None:
    disk = image(tmp_path)
    proof = signed(signer, [disk])
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(b"free space")
    assert verify(proof, {0: disk}, authority.certificate_pem).equal


def test_disks_in_the_wrong_order_a_missing_and_a_short_one_are_not_equal(
    tmp_path: Path, authority: Authority, signer: ProofSigner
) -> None:
    disks = [image(tmp_path, 1), image(tmp_path, 2)]
    proof, ca = signed(signer, disks), authority.certificate_pem
    assert not verify(proof, {0: disks[1], 1: disks[0]}, ca).equal
    verdict = verify(proof, {0: disks[0]}, ca)
    assert [each.equal for each in verdict.disks] == [True, False]
    with disks[1].open("r+b") as file:
        file.truncate(SIZE - 1)
    assert "bytes instead of" in verify(proof, dict(enumerate(disks)), ca).disks[1].reason


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": "x"},
        {"checkpoint": 5},
        {"taken_at": 2},
        {"version": 2},
        {"source_name": "other"},
        {"signature": base64.b64encode(bytes(64)).decode()},
        {"signature": "!!"},
        {"signature": ""},
        {"certificate": "nothing"},
    ],
)
def test_a_changed_document_is_refused(
    tmp_path: Path, authority: Authority, signer: ProofSigner, change: dict[str, object]
) -> None:
    disk = image(tmp_path)
    proof = msgspec.structs.replace(signed(signer, [disk]), **change)
    with pytest.raises(ProofRefused):
        verify(proof, {0: disk}, authority.certificate_pem)


def test_another_authority_is_refused(tmp_path: Path, signer: ProofSigner) -> None:
    disk = image(tmp_path)
    with pytest.raises(ProofRefused, match="this CA"):
        verify(signed(signer, [disk]), {0: disk}, Authority.create("test").certificate_pem)
    with pytest.raises(ProofRefused, match="this CA"):
        verify(signed(signer, [disk]), {0: disk}, "nonsense")


def test_a_key_that_the_ca_issued_for_something_else_signs_no_proofs(
    tmp_path: Path, authority: Authority, signer: ProofSigner
) -> None:
    disk = image(tmp_path)
    task = authority.issue_server(["receiver"])
    proof = msgspec.structs.replace(signed(signer, [disk]), certificate=task.certificate)
    with pytest.raises(ProofRefused, match="isn't one for proofs"):
        verify(proof, {0: disk}, authority.certificate_pem)


@pytest.mark.parametrize("moment", [1000, 5_000_000_000_000], ids=["set back", "ahead"])
def test_a_control_plane_whose_clock_is_years_off_signs_truly(
    tmp_path: Path, authority: Authority, signer: ProofSigner, moment: int
) -> None:
    disk = image(tmp_path)
    assert verify(signed(signer, [disk], signed_at=moment), {0: disk}, authority.certificate_pem).equal


@pytest.mark.parametrize("covered", [[(5, 1), (4, 1)], [(0, 2), (1, 1)], [(0, 0)], [(600, 2)], [(1 << 62, 1)]])
def test_a_signed_proof_with_senseless_granules_is_refused(
    tmp_path: Path, authority: Authority, signer: ProofSigner, covered: list[tuple[int, int]]
) -> None:
    disk = image(tmp_path)
    proof = signed(signer, [disk])
    lines = [msgspec.structs.replace(proof.disks[0], covered=[list(run) for run in covered])]
    proof = msgspec.structs.replace(proof, disks=lines)
    proof = msgspec.structs.replace(proof, signature=base64.b64encode(signer.sign(canonical_bytes(proof))).decode())
    with pytest.raises(ProofRefused):
        verify(proof, {0: disk}, authority.certificate_pem)


def test_the_canonical_form_survives_json(tmp_path: Path, signer: ProofSigner) -> None:
    proof = signed(signer, [image(tmp_path)])
    assert canonical_bytes(msgspec.json.decode(msgspec.json.encode(proof), type=Proof)) == canonical_bytes(proof)
    assert b'"signature"' not in canonical_bytes(proof)


RUNS = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 300)), min_size=1, max_size=6)


@given(RUNS)
def test_the_root_depends_on_granules_and_not_on_how_they_are_cut(steps: list[tuple[int, int]]) -> None:
    runs, position = [], 0
    for gap, count in steps:
        runs.append((position + gap, count))
        position += gap + count
    size = position * GRANULE_SIZE

    def get(first: int, count: int) -> bytes:
        return b"".join((number + 1).to_bytes(16, "little") for number in range(first, first + count))

    root = merkle_root(size, table_pieces(runs, get))
    singles = [(first + step, 1) for first, count in runs for step in range(count)]
    assert merkle_root(size, table_pieces(singles, get)) == root
    assert sum(count for _first, count in pieces_of(runs)) == sum(count for _first, count in runs)
    assert merkle_root(size + 1, table_pieces(runs, get)) != root
    shifted = [(first + 1, count) for first, count in runs]
    assert merkle_root(size, table_pieces(shifted, lambda first, count: get(first - 1, count))) != root
    assert merkle_root(size, table_pieces(singles[:-1], get)) != root


def test_an_empty_disk_has_a_root_of_its_own() -> None:
    assert merkle_root(SIZE, []) != merkle_root(SIZE + 1, [])
    assert granule_count(SIZE) == 601
