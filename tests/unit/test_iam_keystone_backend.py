"""The Keystone back end against a Keystone played by a function: what is asked, what is remembered, what is refused.

The real one is in `tests/keystone`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from wherry.contract.errors import ApiError
from wherry.iam.keystone_client import KeystoneAway, KeystoneClient
from wherry.iam.keystone_settings import AccountIs, KeystoneSettings, Service
from wherry.iam.keystone_tokens import Account, KeystoneTokens
from wherry.iam.permissions import ADMINISTRATOR, SMS_FULL_ACCESS, SMS_READ_ONLY_ACCESS
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import Scope, TokenClaims

Json = dict[str, Any]

START = 1_769_592_600.0
SETTINGS = KeystoneSettings(url="http://127.0.0.1:5000", service=Service(user="wherry", password="secret"))
DEFAULT: Json = {"id": "default", "name": "Default"}
ALPHA: Json = {"id": "a" * 32, "name": "alpha", "domain": DEFAULT}


def token_of(*roles: str, lifetime_s: float = 3600, **scope: Any) -> Json:
    """Return a `token` document of anna with these roles."""
    issued = datetime.fromtimestamp(START, UTC)
    return {
        "methods": ["password"],
        "user": {"id": "u1", "name": "anna", "domain": DEFAULT, "password_expires_at": None},
        "audit_ids": ["audit-1"],
        "issued_at": issued.isoformat(),
        "expires_at": (issued + timedelta(seconds=lifetime_s)).isoformat(),
        "roles": [{"id": role, "name": role} for role in roles],
        **scope,
    }


class FakeKeystone:
    """Answers validations from a dictionary and logins with numbered service tokens, and counts both."""

    def __init__(self) -> None:
        self.now = START
        self.tokens: dict[str, Json] = {}
        self.validations = 0
        self.logins = 0
        self.accepts_service = True
        self.revoked_before = 0
        self.status = 0
        self.raw: bytes | None = None
        self.away = False
        self.slow: asyncio.Event | None = None
        self.clock_ahead = timedelta()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("nobody there")
        if self.status:
            return httpx.Response(self.status)
        assert request.url.path == "/v3/auth/tokens"
        if request.method == "POST":
            return self._login(request)
        if int(request.headers["x-auth-token"].removeprefix("service-")) <= self.revoked_before:
            return httpx.Response(401)
        self.validations += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.raw is not None:
            return httpx.Response(200, content=self.raw)
        document = self.tokens.get(request.headers["x-subject-token"])
        return httpx.Response(404) if document is None else httpx.Response(200, json={"token": document})

    def _login(self, request: httpx.Request) -> httpx.Response:
        self.logins += 1
        user = json.loads(request.content)["auth"]["identity"]["password"]["user"]
        if not self.accepts_service or user["password"] != "secret":
            return httpx.Response(401, json={"error": {"code": 401, "message": "no", "title": "Unauthorized"}})
        issued = datetime.fromtimestamp(self.now, UTC) + self.clock_ahead
        term = {"issued_at": issued.isoformat(), "expires_at": (issued + timedelta(hours=1)).isoformat()}
        headers = {"X-Subject-Token": f"service-{self.logins}"}
        return httpx.Response(201, json={"token": term}, headers=headers)


class Book:
    """Accounts in memory."""

    def __init__(self) -> None:
        self.admitted: list[Account] = []

    async def admit(self, account: Account) -> None:
        self.admitted.append(account)


class Setting:
    """The back end over a `FakeKeystone`, with a clock that is moved by hand."""

    def __init__(self, fake: FakeKeystone, settings: KeystoneSettings) -> None:
        self.fake = fake
        self.book = Book()
        self.client = KeystoneClient(settings, transport=httpx.MockTransport(fake.answer), steady=lambda: fake.now)
        self.backend = KeystoneTokens(self.client, self.book, settings, clock=lambda: fake.now, steady=lambda: fake.now)

    async def read(self, token: str) -> tuple[Principal, TokenClaims]:
        return await self.backend.read(token)


def with_backend(check: Callable[[Setting], Awaitable[None]], settings: KeystoneSettings = SETTINGS) -> None:
    """Run *check* over a fresh fake."""

    async def inside() -> None:
        setting = Setting(FakeKeystone(), settings)
        try:
            await check(setting)
        finally:
            await setting.client.close()

    asyncio.run(inside())


@pytest.mark.parametrize(
    ("roles", "policies"),
    [
        (("admin", "member", "reader"), (ADMINISTRATOR, SMS_FULL_ACCESS, SMS_READ_ONLY_ACCESS)),
        (("Member", "reader"), (SMS_FULL_ACCESS, SMS_READ_ONLY_ACCESS)),
        (("reader",), (SMS_READ_ONLY_ACCESS,)),
        (("service", "heat_stack_owner"), ()),
        ((), ()),
    ],
)
def test_a_project_token_is_a_user_of_the_projects_account(roles: tuple[str, ...], policies: tuple[Any, ...]) -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of(*roles, project=ALPHA)
        principal, claims = await setting.read("t")
        assert principal == Principal(
            Kind.USER,
            domain_id=ALPHA["id"],
            domain_name="Default/alpha",
            user_id="u1",
            user_name="anna",
            project_id=ALPHA["id"],
            policies=policies,
            token_id="audit-1",
        )
        assert not principal.account_owner
        assert (claims.scope, claims.expires_at_ms) == (Scope.PROJECT, int(START + 3600) * 1000)
        assert setting.book.admitted == [Account(ALPHA["id"], "Default/alpha", ALPHA["id"])]

    with_backend(check)


def test_a_domain_token_is_a_user_of_the_domains_account() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("admin", domain=DEFAULT)
        principal, claims = await setting.read("t")
        assert (principal.domain_id, principal.domain_name, principal.project_id) == ("default", "Default", "")
        assert claims.scope is Scope.DOMAIN

    with_backend(check)


def test_where_domains_are_accounts_projects_of_one_domain_share_theirs() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["a"] = token_of("member", project=ALPHA)
        setting.fake.tokens["b"] = token_of("member", project={**ALPHA, "id": "b" * 32, "name": "beta"})
        accounts = {(await setting.read(token))[0].domain_id for token in "ab"}
        assert accounts == {"default"}
        assert setting.book.admitted == [Account("default", "Default", "default")]

    with_backend(check, KeystoneSettings(url=SETTINGS.url, service=SETTINGS.service, account=AccountIs.DOMAIN))


def test_other_roles_can_be_named() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("Migrator", "admin", project=ALPHA)
        assert (await setting.read("t"))[0].policies == (SMS_FULL_ACCESS,)

    roles = {"migrator": "SMS FullAccess"}
    with_backend(check, KeystoneSettings(url=SETTINGS.url, service=SETTINGS.service, roles=roles))


@pytest.mark.parametrize(
    "scope",
    [{}, {"system": {"all": True}}, {"project": {**ALPHA, "id": "x" * 37}}, {"project": {**ALPHA, "id": ""}}],
    ids=["unscoped", "system", "long id", "empty id"],
)
def test_a_token_without_a_usable_scope_is_refused(scope: Json) -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("admin", **scope)
        with pytest.raises(AuthenticationFailed):
            await setting.read("t")
        assert setting.book.admitted == []

    with_backend(check)


def test_an_answer_counts_for_a_while() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("reader", project=ALPHA)
        for _ in range(3):
            await setting.read("t")
        assert setting.fake.validations == 1
        setting.fake.now += SETTINGS.remember_s + 1
        del setting.fake.tokens["t"]
        with pytest.raises(AuthenticationFailed):
            await setting.read("t")
        assert setting.fake.validations == 2

    with_backend(check)


def test_a_remembered_token_still_expires() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("reader", project=ALPHA, lifetime_s=10)
        await setting.read("t")
        setting.fake.now += 11
        with pytest.raises(AuthenticationFailed, match="expired"):
            await setting.read("t")

    with_backend(check)


def test_a_bad_token_is_asked_about_once_in_a_while() -> None:
    async def check(setting: Setting) -> None:
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                await setting.read("bad")
        assert setting.fake.validations == 1
        setting.fake.now += 6
        setting.fake.tokens["bad"] = token_of("reader", project=ALPHA)
        assert (await setting.read("bad"))[0].user_id == "u1"

    with_backend(check)


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "ü", "x" * 2049])
def test_what_cannot_be_a_token_never_reaches_keystone(token: str) -> None:
    async def check(setting: Setting) -> None:
        with pytest.raises(AuthenticationFailed):
            await setting.read(token)
        assert setting.fake.logins == setting.fake.validations == 0

    with_backend(check)


def test_many_callers_with_one_token_share_one_question() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.slow = asyncio.Event()
        setting.fake.tokens["t"] = token_of("reader", project=ALPHA)
        asking = [asyncio.create_task(setting.read("t")) for _ in range(20)]
        await asyncio.sleep(0.01)
        asking[0].cancel()
        setting.fake.slow.set()
        answers = await asyncio.gather(*asking[1:])
        assert len({principal.user_id for principal, _ in answers}) == 1
        assert setting.fake.validations == 1

    with_backend(check)


def test_the_service_token_is_kept_renewed_and_replaced() -> None:
    async def check(setting: Setting) -> None:
        fake = setting.fake
        fake.tokens = {name: token_of("reader", project=ALPHA, lifetime_s=1e6) for name in "abcd"}
        await setting.read("a")
        await setting.read("b")
        assert fake.logins == 1
        fake.now += 3500  # less than two minutes before the end
        await setting.read("c")
        assert fake.logins == 2
        fake.revoked_before = 2
        await setting.read("d")
        assert fake.logins == 3

    with_backend(check)


@pytest.mark.parametrize("hours", [-50_000, -2, 2, 50_000])
def test_the_service_token_is_kept_for_its_term_whatever_keystones_clock_says(hours: int) -> None:
    async def check(setting: Setting) -> None:
        fake = setting.fake
        fake.clock_ahead = timedelta(hours=hours)
        fake.tokens = {name: token_of("reader", project=ALPHA, lifetime_s=1e6) for name in "abc"}
        await setting.read("a")
        await setting.read("b")
        assert fake.logins == 1
        fake.now += 3500
        await setting.read("c")
        assert fake.logins == 2

    with_backend(check)


def test_a_refused_service_user_is_an_outage_and_not_tried_for_each_request() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("reader", project=ALPHA)
        setting.fake.accepts_service = False
        for _ in range(3):
            with pytest.raises(KeystoneAway, match="service user"):
                await setting.read("t")
        assert setting.fake.logins == 1
        setting.fake.accepts_service = True
        setting.fake.now += 6
        assert (await setting.read("t"))[0].user_id == "u1"

    with_backend(check)


def broken(fake: FakeKeystone) -> None:
    fake.raw = b'{"token": {"user": 5}}'


def not_json(fake: FakeKeystone) -> None:
    fake.raw = b"\xff<html>"


def failing(fake: FakeKeystone) -> None:
    fake.status = 500


def throttling(fake: FakeKeystone) -> None:
    fake.status = 429


def absent(fake: FakeKeystone) -> None:
    fake.away = True


@pytest.mark.parametrize("trouble", [broken, not_json, failing, throttling, absent])
def test_a_keystone_in_trouble_is_a_503_and_never_a_yes(trouble: Callable[[FakeKeystone], None]) -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("admin", project=ALPHA)
        trouble(setting.fake)
        with pytest.raises(ApiError) as refusal:
            await setting.read("t")
        assert (refusal.value.status, refusal.value.code) == (503, "APIGW.0201")
        setting.fake.raw, setting.fake.status, setting.fake.away = None, 0, False
        assert (await setting.read("t"))[0].policies == (ADMINISTRATOR,)

    with_backend(check)


def test_a_token_that_was_forgotten_is_asked_about_again() -> None:
    async def check(setting: Setting) -> None:
        setting.fake.tokens["t"] = token_of("member", project=ALPHA)
        await setting.read("t")
        await setting.read("t")
        assert setting.fake.validations == 1
        del setting.fake.tokens["t"]
        setting.backend.forget("t")
        with pytest.raises(AuthenticationFailed):
            await setting.read("t")

    with_backend(check)
