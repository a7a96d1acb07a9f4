"""A program joins once and remembers who it is."""

import stat
from pathlib import Path

import pytest

from wherry.client.errors import RoleMismatched, StateUnreadable, TokenMissing
from wherry.client.identity import IdentityFile, ensure_identity
from wherry.contract.enumerations import JoinRole
from wherry.contract.wherry import Joined


class Door:
    """Lets one token in, once, as what the token was made for."""

    def __init__(self, role: JoinRole) -> None:
        self.role = role
        self.tokens: list[str] = []

    def __call__(self, token: str) -> Joined:
        self.tokens.append(token)
        return Joined(
            role=self.role, access_key="AK", secret_key="very secret", domain_id="domain", project_id="project",
            ca="PEM", receiver_id="receiver-1" if self.role is JoinRole.RECEIVER else "",
        )  # fmt: skip


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("  one-time \n")
    return path


@pytest.mark.parametrize("role", JoinRole)
def test_the_token_is_used_once_and_the_key_is_kept_for_its_owner_alone(
    tmp_path: Path, token_file: Path, role: JoinRole
) -> None:
    door = Door(role)
    file = IdentityFile(tmp_path)
    first = ensure_identity(file, role, token_file, door)
    token_file.unlink()
    assert ensure_identity(file, role, token_file, door) == first
    assert ensure_identity(file, role, None, door) == first
    assert first.role is role
    assert door.tokens == ["one-time"]
    written = tmp_path / "credentials.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert b"one-time" not in written.read_bytes()
    assert file.ca_file == tmp_path / "ca.pem"
    assert (tmp_path / "ca.pem").read_text() == "PEM"


def test_an_agent_remembers_what_it_registered_as(tmp_path: Path, token_file: Path) -> None:
    file = IdentityFile(tmp_path)
    file.store(ensure_identity(file, JoinRole.AGENT, token_file, Door(JoinRole.AGENT)).registered_as("source-1"))
    known = file.load()
    assert known is not None
    assert (known.source_id, known.secret_key, known.role) == ("source-1", "very secret", JoinRole.AGENT)


def test_an_identity_never_shows_its_secret(tmp_path: Path, token_file: Path) -> None:
    identity = ensure_identity(IdentityFile(tmp_path), JoinRole.AGENT, token_file, Door(JoinRole.AGENT))
    assert "very secret" not in repr(identity)
    assert "very secret" not in f"{identity}"


@pytest.mark.parametrize("role", JoinRole)
@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
def test_without_a_token_nobody_joins(tmp_path: Path, content: bytes | None, role: JoinRole) -> None:
    door = Door(role)
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(TokenMissing) as caught:
        ensure_identity(IdentityFile(tmp_path), role, tmp_path / "token", door)
    assert f"This {role} has not joined yet" in caught.value.message
    assert f"--role {role}`" in caught.value.fix
    assert door.tokens == []


@pytest.mark.parametrize("content", [b'{"access_key": 7}', b"", b'{"access_key": "\xff"}'])
def test_a_damaged_file_is_named_instead_of_joining_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "credentials.json").write_bytes(content)
    with pytest.raises(StateUnreadable, match=r"credentials\.json"):
        ensure_identity(IdentityFile(tmp_path), JoinRole.AGENT, None, Door(JoinRole.AGENT))


def test_the_folder_of_the_other_program_is_not_used_by_mistake(tmp_path: Path, token_file: Path) -> None:
    file = IdentityFile(tmp_path)
    ensure_identity(file, JoinRole.RECEIVER, token_file, Door(JoinRole.RECEIVER))
    with pytest.raises(RoleMismatched, match=r"credentials\.json is that of a program of the role receiver"):
        ensure_identity(file, JoinRole.AGENT, token_file, Door(JoinRole.AGENT))


def test_the_token_of_the_other_program_leaves_nothing_behind(tmp_path: Path, token_file: Path) -> None:
    file = IdentityFile(tmp_path)
    with pytest.raises(RoleMismatched, match="token is that of a program of the role receiver"):
        ensure_identity(file, JoinRole.AGENT, token_file, Door(JoinRole.RECEIVER))
    assert file.load() is None
