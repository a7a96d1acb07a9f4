"""The first start, later starts, and starts after one that was cut short."""

import json
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from tests.unit.server_harness import ENDPOINT, Harness, run
from wherry.server import installation
from wherry.server.data_directory import DataDirectory
from wherry.server.errors import AdminFileUnreadable, DataDirectoryBusy, DataDirectoryRefused


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def nothing(_harness: Harness) -> None:
    pass


def admin_of(data: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads((data / "admin.json").read_text())
    return content


def test_a_first_start_that_was_cut_short_is_completed_with_the_same_credentials(data: Path) -> None:
    # Cut short behind the first file: credentials are written down, the ledger knows nothing of them yet.
    with DataDirectory(data) as directory:
        installation.open_keys(directory)
        written = installation.admin_file(directory, ENDPOINT, tls=False, fresh=True)
    assert written is not None

    async def check(harness: Harness) -> None:
        account = await harness.services.directory.projects(written.domain_id)
        assert [project.id for project in account] == [written.project_id]
        key = await harness.services.directory.access_key(written.access_key)
        assert key is not None
        assert key.principal.account_owner
        assert harness.services.key_box.open(key.sealed_secret) == written.secret_key

    run(data, check)
    assert admin_of(data)["password"] == written.password


def test_later_starts_keep_everything_but_the_address(data: Path) -> None:
    run(data, nothing)
    before = admin_of(data)
    with DataDirectory(data) as directory:
        moved = installation.admin_file(directory, "https://elsewhere:1", tls=True, fresh=False)
    assert moved is not None
    after = admin_of(data)
    assert after["endpoint"] == "https://elsewhere:1"
    assert after["ca_file"] == str(data / "ca.pem")
    unchanged = set(before) - {"endpoint", "ca_file"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert stat.S_IMODE((data / "admin.json").stat().st_mode) == 0o600


def test_an_admin_file_that_was_taken_away_stays_away(data: Path) -> None:
    run(data, nothing)
    (data / "admin.json").unlink()
    run(data, nothing)
    assert not (data / "admin.json").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"endpoint": 5}'])
def test_an_admin_file_that_is_broken_is_told_and_left_alone(data: Path, content: bytes) -> None:
    run(data, nothing)
    (data / "admin.json").write_bytes(content)
    with DataDirectory(data) as directory, pytest.raises(AdminFileUnreadable):
        installation.admin_file(directory, ENDPOINT, tls=False, fresh=False)
    assert (data / "admin.json").read_bytes() == content


def test_two_cannot_hold_one_directory(data: Path) -> None:
    with DataDirectory(data), pytest.raises(DataDirectoryBusy), DataDirectory(data):
        pass
    with DataDirectory(data):
        pass  # the lock goes with its holder


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryRefused), DataDirectory(tmp_path / "file"):
        pass


def test_the_servers_certificate_is_kept_while_it_is_good(data: Path) -> None:
    with DataDirectory(data) as directory:
        authority = installation.open_keys(directory).authority
        installation.server_context(directory, authority, ["localhost", "127.0.0.1"])
        first = directory.server_certificate.read_bytes()
        installation.server_context(directory, authority, ["127.0.0.1"])
        assert directory.server_certificate.read_bytes() == first
        context = installation.server_context(directory, authority, ["localhost", "new.example.test"])
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        names = x509.load_pem_x509_certificate(directory.server_certificate.read_bytes()).extensions
        alternatives = names.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "new.example.test" in {str(name.value) for name in alternatives}


@pytest.mark.parametrize("days", [-4000, 4000], ids=["expired", "made while the clock was ahead"])
def test_a_servers_certificate_of_another_time_is_made_anew(data: Path, days: int) -> None:
    with DataDirectory(data) as directory:
        authority = installation.open_keys(directory).authority
        odd = authority.issue_server(["localhost"], now=datetime.now(UTC) + timedelta(days=days))
        directory.server_key.write_text(odd.private_key)
        directory.server_certificate.write_text(odd.certificate)
        installation.server_context(directory, authority, ["localhost"])
        assert directory.server_certificate.read_text() != odd.certificate


def test_a_certificate_without_its_key_is_made_anew(data: Path) -> None:
    with DataDirectory(data) as directory:
        authority = installation.open_keys(directory).authority
        installation.server_context(directory, authority, ["localhost"])
        first = directory.server_key.read_bytes()
        directory.server_key.unlink()
        installation.server_context(directory, authority, ["localhost"])
        assert directory.server_key.read_bytes() != first
        # Cut short between the two files: a new key beside the old certificate.
        directory.server_key.write_bytes(first)
        installation.server_context(directory, authority, ["localhost"])
