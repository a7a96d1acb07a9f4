"""admin.json, read by everybody in the same way."""

from pathlib import Path

import msgspec
import pytest

from wherry.contract.installation import AdminFile, read_admin_file

ADMIN = AdminFile("https://here:1", "/data/ca.pem", "d", "default", "p", "admin", "the password", "AK", "the secret")


def test_what_was_written_is_read_and_later_fields_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "admin.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.asdict(ADMIN) | {"later": 1}))
    assert read_admin_file(path) == ADMIN


def test_its_layout_is_the_published_one() -> None:
    assert AdminFile.__struct_fields__ == (
        "endpoint", "ca_file", "domain_id", "domain_name", "project_id", "user_name", "password", "access_key",
        "secret_key",
    )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"endpoint": "\xff"}'])
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "admin.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_admin_file(path)


def test_it_shows_no_secret() -> None:
    assert "the password" not in repr(ADMIN)
    assert "the secret" not in f"{ADMIN}"
