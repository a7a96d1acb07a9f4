"""Keys, passwords, join tokens and encoded refusals: what's secret stays so, and what's changed is refused."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from wherry.contract.enumerations import JoinRole
from wherry.iam.join import StoredJoinToken, check_join_token, create_join_token, hash_join_token
from wherry.iam.keys import MasterKey, MasterKeyUnreadable, SecretUnreadable, generate_key_pair
from wherry.iam.passwords import generate_password, hash_password, needs_rehash, password_matches
from wherry.iam.refusals import AuthenticationFailed, MessageUnreadable, Refusal, RefusalCodec

NOW = 1_769_592_600_000


def test_key_pairs_have_the_usual_form_and_differ() -> None:
    pairs = [generate_key_pair() for _ in range(50)]
    assert all(len(pair.access_key) == 20 and pair.access_key.isupper() for pair in pairs)
    assert all(len(pair.secret_key) == 40 and pair.secret_key.isalnum() for pair in pairs)
    assert len({pair.access_key for pair in pairs} | {pair.secret_key for pair in pairs}) == 100


def test_a_secret_is_sealed_and_opened_by_the_same_purpose_only() -> None:
    master = MasterKey(b"k" * 32)
    sealed = master.box("access-keys").seal("secret")
    assert "secret" not in sealed
    assert MasterKey(b"k" * 32).box("access-keys").open(sealed) == "secret"
    for other in (master.box("tokens"), MasterKey(b"x" * 32).box("access-keys")):
        with pytest.raises(SecretUnreadable):
            other.open(sealed)
    with pytest.raises(SecretUnreadable):
        master.box("access-keys").open("ä")


def test_the_master_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    sealed = MasterKey.open(path).box("a").seal("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.open(path).box("a").open(sealed) == "x"


@pytest.mark.parametrize("content", [b"", b"!!!", b"c2hvcnQ=", b"\xff\xfe"])
def test_a_damaged_master_key_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    with pytest.raises(MasterKeyUnreadable, match=r"master\.key"):
        MasterKey.open(path)
    assert path.read_bytes() == content


def test_passwords_match_themselves_only() -> None:
    hashed = hash_password("correct horse")
    assert hashed.startswith("$argon2id$")
    assert password_matches(hashed, "correct horse")
    assert not password_matches(hashed, "correct horsf")
    assert not password_matches(hashed, "")
    assert not password_matches(None, "correct horse")
    assert not password_matches("not a hash", "correct horse")
    assert not password_matches(hashed, "x" * 2000)
    assert not needs_rehash(hashed)
    assert len(generate_password()) == 24


def stored(token_hash: str, *, used_at: int | None = None) -> StoredJoinToken:
    return StoredJoinToken("j1", token_hash, JoinRole.AGENT, "d1", "p1", NOW + 60_000, used_at)


def test_a_join_token_is_stored_as_its_hash_and_checked_against_it() -> None:
    created = create_join_token(JoinRole.AGENT, now_ms=NOW, expires_s=60)
    assert created.expires_at == NOW + 60_000
    assert created.token not in created.token_hash
    assert hash_join_token(created.token) == created.token_hash
    row = stored(created.token_hash)
    assert check_join_token(created.token, row, now_ms=NOW) is row


@pytest.mark.parametrize(("used", "now", "reason"), [(NOW, NOW, "used"), (None, NOW + 60_000, "expired")])
def test_a_join_token_works_once_and_in_time(used: int | None, now: int, reason: str) -> None:
    created = create_join_token(JoinRole.AGENT, now_ms=NOW, expires_s=60)
    with pytest.raises(AuthenticationFailed, match=reason):
        check_join_token(created.token, replace(stored(created.token_hash), used_at=used), now_ms=now)


def test_a_strange_join_token_is_refused() -> None:
    created = create_join_token(JoinRole.AGENT, now_ms=NOW)
    for row in (None, stored(created.token_hash)):
        with pytest.raises(AuthenticationFailed, match="not known"):
            check_join_token("wherry-join-other", row, now_ms=NOW)
    assert hash_join_token("\ud800")


@pytest.mark.parametrize("expires_s", [0, -1, 30 * 86400 + 1])
def test_a_join_token_must_expire_within_reason(expires_s: int) -> None:
    with pytest.raises(ValueError, match="expires_s"):
        create_join_token(JoinRole.RECEIVER, now_ms=NOW, expires_s=expires_s)


REFUSAL = Refusal("sms:server:get", "sms::d1:server:s1", "agent", "a1", "host-1", "d1", "not its own")
CODEC = RefusalCodec(Fernet(Fernet.generate_key()))


def test_an_encoded_refusal_is_opaque_and_can_be_decoded() -> None:
    message = CODEC.encode(REFUSAL, at_ms=NOW)
    assert "sms" not in message
    assert len(message) < 65535
    decoded = CODEC.decode(message)
    assert (decoded.at, decoded.refusal) == (NOW, REFUSAL)


@given(st.text(max_size=100))
def test_anything_else_cannot_be_decoded(text: str) -> None:
    with pytest.raises(MessageUnreadable):
        CODEC.decode(text)
