"""Tokens: round trip, expiry, and everything that isn't one."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import LIFETIME_S, Scope, TokenIssuer

NOW = 1_769_592_600_000
ISSUER = TokenIssuer(Fernet(Fernet.generate_key()))


def test_a_token_says_what_was_put_in() -> None:
    user = "a-user-whose-id-is-long"  # a short one is in a token's random letters now and then
    token, claims = ISSUER.issue(user_id=user, domain_id="d1", era=0, scope=Scope.PROJECT, project_id="p1", now_ms=NOW)
    assert ISSUER.read(token, now_ms=NOW) == claims
    assert (claims.user_id, claims.domain_id, claims.scope, claims.project_id) == (user, "d1", Scope.PROJECT, "p1")
    assert claims.methods == ("password",)
    assert len(token) <= 16384
    assert user not in token


def test_two_tokens_can_be_revoked_apart() -> None:
    _, one = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW)
    _, two = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW)
    assert one.revocation_id != two.revocation_id


def test_a_token_lives_for_24_hours() -> None:
    token, claims = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW)
    end = NOW + LIFETIME_S * 1000
    assert claims.expires_at_ms == end
    ISSUER.read(token, now_ms=end - 1)
    with pytest.raises(AuthenticationFailed, match="expired") as caught:
        ISSUER.read(token, now_ms=end)
    assert caught.value.code == "APIGW.0307"


def test_a_token_got_by_a_token_does_not_outlive_it() -> None:
    _, claims = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW, expires_at_ms=NOW + 5)
    assert claims.expires_at_ms == NOW + 5


def test_a_token_from_the_future_is_refused() -> None:
    token, _ = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW)
    ISSUER.read(token, now_ms=NOW - 60_000)
    with pytest.raises(AuthenticationFailed, match="future"):
        ISSUER.read(token, now_ms=NOW - 60_001)


def test_a_token_of_another_control_plane_is_refused() -> None:
    token, _ = TokenIssuer(Fernet(Fernet.generate_key())).issue(user_id="u1", domain_id="d1", era=0)
    with pytest.raises(AuthenticationFailed, match="not one of this control plane"):
        ISSUER.read(token)


def test_a_sealed_text_that_is_no_token_is_refused() -> None:
    fernet = Fernet(Fernet.generate_key())
    with pytest.raises(AuthenticationFailed):
        TokenIssuer(fernet).read(fernet.encrypt(b'["only", "two"]').decode())


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_token_is_refused(at: int, flip: int) -> None:
    token, _ = ISSUER.issue(user_id="u1", domain_id="d1", era=0, now_ms=NOW)
    raw = bytearray(token.encode())
    raw[at % len(raw)] ^= flip
    changed = raw.decode("latin-1")
    # The last characters before the padding may carry unused bits; only a token that reads the same may pass.
    try:
        claims = ISSUER.read(changed, now_ms=NOW)
    except AuthenticationFailed:
        return
    assert claims == ISSUER.read(token, now_ms=NOW)


@given(st.text(max_size=200))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(AuthenticationFailed):
        ISSUER.read(text)


def test_a_token_that_is_too_long_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="16384"):
        ISSUER.read("a" * 16385)
