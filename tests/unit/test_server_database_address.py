"""Where the ledger is, and that no secret stands in the arguments."""

from pathlib import Path

import pytest

from wherry.ledger.errors import DatabaseMalformed
from wherry.server.database_address import read_database_address
from wherry.server.errors import DatabaseFileUnreadable, DatabaseNamedTwice, PasswordInArguments

PLAIN = "postgresql://wherry@db.example/wherry"
SECRET = "postgresql://wherry:very-secret@db.example/wherry"


def test_without_anything_it_is_sqlite() -> None:
    assert read_database_address(None, None, {}) == ""
    assert read_database_address(None, None, {"WHERRY_DATABASE": "  "}) == ""


def test_the_environment_may_hold_a_secret(tmp_path: Path) -> None:
    assert read_database_address(None, None, {"WHERRY_DATABASE": SECRET}) == SECRET


def test_the_arguments_go_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_text(f"  {SECRET}\n")
    assert read_database_address(PLAIN, None, {"WHERRY_DATABASE": SECRET}) == PLAIN
    assert read_database_address(None, file, {"WHERRY_DATABASE": PLAIN}) == SECRET


@pytest.mark.parametrize(
    "url", [SECRET, "postgresql://db.example/wherry?user=wherry&password=very-secret", "host=db password=very-secret"]
)
def test_a_password_in_the_arguments_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(PasswordInArguments) as refusal:
        read_database_address(url, None, {})
    assert "very-secret" not in refusal.value.explain()


@pytest.mark.parametrize("url", ["mysql://user:very-secret@host/db", "sqlite:///file?very-secret", "very-secret"])
def test_what_is_no_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(DatabaseMalformed) as refusal:
        read_database_address(url, None, {})
    assert "very-secret" not in refusal.value.explain()


def test_both_options_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNamedTwice):
        read_database_address(PLAIN, tmp_path / "database", {})


@pytest.mark.parametrize("content", [b"", b"\n\n", b"one\ntwo\n", b"\xff\xfe"])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "database"
    file.write_bytes(content)
    with pytest.raises(DatabaseFileUnreadable):
        read_database_address(None, file, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFileUnreadable, match="No such file"):
        read_database_address(None, tmp_path / "missing", {})
