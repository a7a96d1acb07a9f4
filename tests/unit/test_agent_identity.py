"""The agent joins once and remembers who it is."""

import stat
from pathlib import Path

import pytest

from wherry.agent.errors import StateUnreadable, TokenMissing
from wherry.agent.identity import IdentityFile, ensure_identity
from wherry.contract.enumerations import JoinRole
from wherry.contract.wherry import Joined

JOINED = Joined(
    role=JoinRole.AGENT, access_key="AK", secret_key="very secret", domain_id="domain", project_id="project", ca="PEM"
)


class Door:
    """Lets one token in, once."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, token: str) -> Joined:
        self.tokens.append(token)
        return JOINED


def test_the_token_is_used_once_and_the_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    door = Door()
    token_file = tmp_path / "token"
    token_file.write_text("  one-time \n")
    file = IdentityFile(tmp_path)
    first = ensure_identity(file, token_file, door)
    token_file.unlink()
    assert ensure_identity(file, token_file, door) == first
    assert ensure_identity(file, None, door) == first
    assert door.tokens == ["one-time"]
    written = tmp_path / "credentials.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert b"one-time" not in written.read_bytes()
    assert file.ca_file == tmp_path / "ca.pem"
    assert (tmp_path / "ca.pem").read_text() == "PEM"


def test_an_identity_never_shows_its_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    identity = ensure_identity(IdentityFile(tmp_path), tmp_path / "token", Door())
    assert "very secret" not in repr(identity)
    assert "very secret" not in f"{identity}"


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
def test_without_a_token_nobody_joins(tmp_path: Path, content: bytes | None) -> None:
    door = Door()
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(TokenMissing):
        ensure_identity(IdentityFile(tmp_path), tmp_path / "token", door)
    assert door.tokens == []


def test_a_damaged_file_is_named_instead_of_joining_anew(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"access_key": 7}')
    with pytest.raises(StateUnreadable, match=r"credentials\.json"):
        ensure_identity(IdentityFile(tmp_path), None, Door())
