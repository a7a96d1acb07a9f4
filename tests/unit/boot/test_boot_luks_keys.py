"""Keys of encrypted volumes: only those that nobody else can read, and never a file that a hostile disk names."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.errors import LuksKeyUnusable
from wherry.boot.luks_keys import MOST_KEY, KeyFolder

IDENTITY = "3f2a0d58-7c11-4f0e-9a71-5d0a4a1b9d10"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def put(folder: Path, content: bytes, mode: int = 0o600) -> KeyFolder:
    path = folder / IDENTITY
    path.write_bytes(content)
    path.chmod(mode)
    return KeyFolder(folder)


@pytest.mark.parametrize(
    ("content", "keys", "passphrase"),
    [
        (b"open sesame\n", [b"open sesame", b"open sesame\n"], "open sesame"),
        (b"open sesame\r\n", [b"open sesame", b"open sesame\r\n"], "open sesame"),
        (b"open sesame", [b"open sesame"], "open sesame"),
        (b"\xff\xfe", [b"\xff\xfe"], None),
        ("Schlüssel".encode(), ["Schlüssel".encode()], None),
        (b"two\nlines\n", [b"two\nlines", b"two\nlines\n"], None),
        (b"x" * 600, [b"x" * 600], None),
        (b"\n", [b"\n"], None),
    ],
)
def test_what_a_file_holds(folder: Path, content: bytes, keys: list[bytes], passphrase: str | None) -> None:
    found = put(folder, content)
    found.require_private()
    assert found.keys(IDENTITY.upper()) == keys
    assert found.passphrase(IDENTITY) == passphrase


def test_a_volume_without_a_file_has_no_key(folder: Path) -> None:
    assert (KeyFolder(folder).keys(IDENTITY), KeyFolder(folder).passphrase(IDENTITY)) == ((), None)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"secret", 0o640, "other users"),
        (b"secret", 0o604, "other users"),
        (b"", 0o600, "empty"),
        (b"x" * (MOST_KEY + 1), 0o600, "larger"),
        (b"a\0b", 0o600, "zero"),
    ],
)
def test_what_isnt_used_is_told_without_the_key(folder: Path, content: bytes, mode: int, reason: str) -> None:
    with pytest.raises(LuksKeyUnusable, match=reason) as raised:
        put(folder, content, mode).keys(IDENTITY)
    assert "secret" not in raised.value.explain()


def test_a_link_is_no_key(folder: Path) -> None:
    (folder / "elsewhere").write_bytes(b"secret")
    (folder / IDENTITY).symlink_to(folder / "elsewhere")
    with pytest.raises(LuksKeyUnusable):
        KeyFolder(folder).keys(IDENTITY)


def test_a_pipe_is_no_key_and_isnt_waited_for(folder: Path) -> None:
    os.mkfifo(folder / IDENTITY, 0o600)
    with pytest.raises(LuksKeyUnusable, match="no file"):
        KeyFolder(folder).keys(IDENTITY)


@pytest.mark.parametrize(("mode", "reason"), [(0o750, "other users"), (0o701, "other users")])
def test_a_folder_that_others_look_into_is_refused(folder: Path, mode: int, reason: str) -> None:
    folder.chmod(mode)
    with pytest.raises(LuksKeyUnusable, match=reason):
        KeyFolder(folder).require_private()


def test_a_folder_that_isnt_there_is_told(folder: Path) -> None:
    with pytest.raises(LuksKeyUnusable, match="gone isn't used: No such file"):
        KeyFolder(folder / "gone").require_private()
    put(folder, b"secret")
    with pytest.raises(LuksKeyUnusable, match="no folder"):
        KeyFolder(folder / IDENTITY).require_private()


@given(st.text() | st.sampled_from(["../key", "/etc/shadow", ".", "", "a/b", f"{IDENTITY}/../key", f"{IDENTITY}\n"]))
def test_what_a_disk_calls_itself_leads_nowhere_else(identity: str) -> None:
    assert KeyFolder(Path("/etc")).keys(identity) == ()
