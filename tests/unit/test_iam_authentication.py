"""From a request to a principal: keys and tokens, what's remembered, and what's forgotten at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from msgspec import structs

from wherry.client.signing import sdk_date, sign
from wherry.iam.authentication import Authenticator
from wherry.iam.directory import AccessKey, Project, User, UserName
from wherry.iam.keys import MasterKey
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.signature import SignedRequest
from wherry.iam.temporary_keys import TemporaryKey, TemporaryKeyIssuer
from wherry.iam.token_reading import OwnTokens
from wherry.iam.tokens import TokenIssuer

BOX = MasterKey(b"m" * 32).box("access-keys")
ANNA = User("u1", "anna", "d1", "default", password_hash="", account_owner=True)
AGENT = Principal(Kind.AGENT, "d1", "default", "a1", "host-1", access_key="AK1")


class Dictionaries:
    """A directory in memory that counts its look-ups."""

    def __init__(self) -> None:
        self.keys = {"AK1": AccessKey("AK1", BOX.seal("SK1"), AGENT)}
        self.users = {"u1": ANNA}
        self.revoked: set[str] = set()
        self.look_ups = 0

    async def access_key(self, access_key: str) -> AccessKey | None:
        self.look_ups += 1
        return self.keys.get(access_key)

    async def user(self, name: UserName) -> User | None:
        self.look_ups += 1
        return self.users.get(name.id)

    async def project(self, domain_id: str, *, project_id: str = "", name: str = "") -> Project | None:
        return Project(project_id, name, domain_id)

    async def projects(self, domain_id: str) -> Sequence[Project]:
        return [Project("p1", "region-1", domain_id)]

    async def token_revoked(self, revocation_id: str) -> bool:
        return revocation_id in self.revoked


class Setting:
    """An authenticator over a directory, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_769_592_600.0
        self.directory = Dictionaries()
        self.tokens = TokenIssuer(Fernet(Fernet.generate_key()))
        reader = OwnTokens(self.directory, self.tokens, clock=lambda: self.now)
        self.temporary = TemporaryKeyIssuer(Fernet(Fernet.generate_key()))
        self.authenticator = Authenticator(
            self.directory, BOX, reader, self.temporary, clock=self.time, steady=self.time
        )

    def time(self) -> float:
        return self.now

    def signed(self, access_key: str = "AK1", secret_key: str = "SK1", *, peer: str = "", **more: str) -> SignedRequest:
        headers = {"host": "h", "x-sdk-date": sdk_date(self.now)}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        authorization = sign(
            method="GET",
            path="/v3/sources",
            query="",
            headers=headers,
            body=b"",
            access_key=access_key,
            secret_key=secret_key,
        )
        pairs = [(name.encode(), value.encode()) for name, value in {**headers, "authorization": authorization}.items()]
        return SignedRequest("GET", b"/v3/sources", b"", pairs, b"", peer)

    def temporary_key(self, *, duration_s: int = 900, user_id: str = "u1") -> TemporaryKey:
        now = int(self.now * 1000)
        return self.temporary.issue(
            user_id=user_id,
            domain_id="d1",
            token_id="t1",
            era=0,
            now_ms=now,
            duration_s=duration_s,
            latest_ms=now + 10**8,
        )

    def with_key(self, key: TemporaryKey) -> SignedRequest:
        return self.signed(key.access_key, key.secret_key, x_security_token=key.security_token)

    def with_token(self, token: str) -> SignedRequest:
        return SignedRequest("GET", b"/v3/sources", b"", [(b"x-auth-token", token.encode())], b"")

    def token(self) -> str:
        return self.tokens.issue(user_id="u1", domain_id="d1", era=0, now_ms=int(self.now * 1000))[0]

    def who(self, request: SignedRequest, *, once: bool = False) -> Principal:
        return asyncio.run(self.authenticator.authenticate(request, once=once))


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_signature_finds_the_principal_of_its_key(setting: Setting) -> None:
    assert setting.who(setting.signed()) == AGENT


def test_a_token_finds_its_user(setting: Setting) -> None:
    principal = setting.who(setting.with_token(setting.token()))
    assert (principal.kind, principal.user_id, principal.domain_id) == (Kind.USER, "u1", "d1")
    assert principal.account_owner
    assert principal.token_id


def test_a_token_wins_over_a_signature(setting: Setting) -> None:
    request = setting.signed(secret_key="wrong")
    both = structs.replace(request, headers=[*request.headers, (b"x-auth-token", setting.token().encode())])
    assert setting.who(both).user_id == "u1"
    bad = structs.replace(request, headers=[*setting.signed().headers, (b"x-auth-token", b"bad")])
    with pytest.raises(AuthenticationFailed):
        setting.who(bad)


def test_keys_and_tokens_are_looked_up_once_in_a_while(setting: Setting) -> None:
    token = setting.with_token(setting.token())
    for _ in range(5):
        setting.who(setting.signed())
        setting.who(token)
    assert setting.directory.look_ups == 2
    setting.now += 6
    setting.who(setting.signed())
    assert setting.directory.look_ups == 3


def test_an_unknown_key_is_refused_and_not_remembered(setting: Setting) -> None:
    for _ in range(2):
        with pytest.raises(AuthenticationFailed, match="does not exist"):
            setting.who(setting.signed("AK2"))
    setting.directory.keys["AK2"] = AccessKey("AK2", BOX.seal("SK1"), AGENT)
    assert setting.who(setting.signed("AK2")) == AGENT


def test_a_disabled_key_is_refused_once_forgotten(setting: Setting) -> None:
    setting.who(setting.signed())
    setting.directory.keys["AK1"] = replace(setting.directory.keys["AK1"], enabled=False)
    assert setting.who(setting.signed()) == AGENT
    setting.authenticator.forget_key("AK1")
    with pytest.raises(AuthenticationFailed, match="disabled"):
        setting.who(setting.signed())


def test_a_changed_user_is_seen_once_forgotten(setting: Setting) -> None:
    request = setting.with_token(setting.token())
    setting.who(request)
    setting.directory.users["u1"] = replace(ANNA, enabled=False)
    setting.authenticator.forget_user("u1")
    with pytest.raises(AuthenticationFailed, match="disabled"):
        setting.who(request)


def test_a_revoked_token_is_refused(setting: Setting) -> None:
    token, claims = setting.tokens.issue(user_id="u1", domain_id="d1", era=0, now_ms=int(setting.now * 1000))
    setting.directory.revoked.add(claims.revocation_id)
    with pytest.raises(AuthenticationFailed, match="revoked"):
        setting.who(setting.with_token(token))


def test_a_token_of_another_era_is_refused(setting: Setting) -> None:
    for era in (1, 3):
        token, _ = setting.tokens.issue(user_id="u1", domain_id="d1", era=era, now_ms=int(setting.now * 1000))
        setting.directory.users["u1"] = replace(ANNA, token_era=2)
        with pytest.raises(AuthenticationFailed, match="revoked"):
            asyncio.run(setting.authenticator.by_token(token))
    with pytest.raises(AuthenticationFailed, match="revoked"):
        setting.who(setting.with_key(setting.temporary_key()))


def test_a_remembered_token_still_expires(setting: Setting) -> None:
    token, _ = setting.tokens.issue(
        user_id="u1",
        domain_id="d1",
        era=0,
        now_ms=int(setting.now * 1000),
        expires_at_ms=int(setting.now * 1000) + 2000,
    )
    setting.who(setting.with_token(token))
    setting.now += 3
    with pytest.raises(AuthenticationFailed, match="expired"):
        setting.who(setting.with_token(token))


def test_a_token_of_an_account_that_changed_is_refused(setting: Setting) -> None:
    token, _ = setting.tokens.issue(user_id="u1", domain_id="d2", era=0, now_ms=int(setting.now * 1000))
    with pytest.raises(AuthenticationFailed, match="does not exist"):
        setting.who(setting.with_token(token))


def test_a_wrong_signature_is_refused_with_a_remembered_key_too(setting: Setting) -> None:
    setting.who(setting.signed())
    with pytest.raises(AuthenticationFailed, match="does not match"):
        setting.who(setting.signed(secret_key="SK2"))


def test_nothing_at_all_is_refused(setting: Setting) -> None:
    with pytest.raises(AuthenticationFailed, match="neither"):
        setting.who(SignedRequest("GET", b"/", b"", [], b""))


def test_a_temporary_key_stands_for_its_user(setting: Setting) -> None:
    key = setting.temporary_key()
    principal = setting.who(setting.with_key(key))
    assert (principal.kind, principal.user_id, principal.access_key) == (Kind.USER, "u1", key.access_key)
    assert principal.account_owner
    assert not principal.token_id


def test_a_temporary_key_is_looked_up_once_in_a_while(setting: Setting) -> None:
    request = setting.with_key(setting.temporary_key())
    setting.who(request)
    look_ups = setting.directory.look_ups
    setting.who(request)
    assert setting.directory.look_ups == look_ups
    setting.directory.users["u1"] = replace(ANNA, enabled=False)
    setting.authenticator.forget_user("u1")
    with pytest.raises(AuthenticationFailed, match="disabled"):
        setting.who(request)


def test_a_temporary_key_needs_its_own_security_token_and_signs_it(setting: Setting) -> None:
    key, other = setting.temporary_key(), setting.temporary_key()
    with pytest.raises(AuthenticationFailed, match="does not exist"):
        setting.who(setting.signed(key.access_key, key.secret_key))
    with pytest.raises(AuthenticationFailed, match="another access key"):
        setting.who(setting.signed(key.access_key, key.secret_key, x_security_token=other.security_token))
    with pytest.raises(AuthenticationFailed, match="another access key"):
        setting.who(setting.signed(x_security_token=key.security_token))
    with pytest.raises(AuthenticationFailed, match="not one of this control plane"):
        setting.who(setting.signed(key.access_key, key.secret_key, x_security_token="bad"))
    setting.who(setting.with_key(key))
    unsigned = setting.signed(key.access_key, key.secret_key)
    headers = [*unsigned.headers, (b"x-security-token", key.security_token.encode())]
    with pytest.raises(AuthenticationFailed, match="not among the signed headers"):
        setting.who(structs.replace(unsigned, headers=headers))
    with pytest.raises(AuthenticationFailed, match="does not match"):
        setting.who(setting.signed(key.access_key, "wrong", x_security_token=key.security_token))


def test_a_temporary_key_ends(setting: Setting) -> None:
    key = setting.temporary_key(duration_s=3)
    setting.who(setting.with_key(key))
    setting.now += 3
    with pytest.raises(AuthenticationFailed, match="expired"):
        setting.who(setting.with_key(key))


def test_a_temporary_key_dies_with_the_token_it_was_got_by(setting: Setting) -> None:
    key = setting.temporary_key()
    setting.directory.revoked.add("t1")
    with pytest.raises(AuthenticationFailed, match="revoked"):
        setting.who(setting.with_key(key))


def test_a_request_that_changes_something_is_accepted_once(setting: Setting) -> None:
    request = setting.signed(peer="192.0.2.1")
    setting.who(request, once=True)
    setting.who(request, once=True)  # the same second, the same address
    with pytest.raises(AuthenticationFailed, match="used before"):
        setting.who(structs.replace(request, peer="192.0.2.2"), once=True)
    setting.now += 6
    with pytest.raises(AuthenticationFailed, match="used before"):
        setting.who(request, once=True)
    setting.who(request)  # reading may be repeated


def test_a_key_is_locked_for_an_address_that_signs_wrongly_too_often(setting: Setting) -> None:
    for _ in range(20):
        with pytest.raises(AuthenticationFailed, match="does not match"):
            setting.who(setting.signed(secret_key="wrong", peer="192.0.2.66"))
    with pytest.raises(AuthenticationFailed, match="locked for this address for 300 s"):
        setting.who(setting.signed(peer="192.0.2.66"))
    assert setting.who(setting.signed(peer="192.0.2.1")) == AGENT
    setting.now += 301
    assert setting.who(setting.signed(peer="192.0.2.66")) == AGENT
