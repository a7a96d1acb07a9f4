"""What the control plane asks of an OpenStack Keystone: validate a token, log somebody in, list somebody's projects.

It asks as its own service user, whose token it renews before it expires, or when Keystone takes it no more. Source: the
Identity API v3, "Validate and show information for token", "Password authentication with scoped authorization", "Get
available project scopes".
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeVar

import httpx
import msgspec
import structlog
from msgspec import Meta

from wherry.contract.errors import ApiError
from wherry.iam.keystone_settings import KeystoneSettings

TIMEOUT_S: Final = 10.0
_RENEW_BEFORE_S: Final = 120.0
_PAUSE_S: Final = 5.0
# Shorter than the 5 s of Apache, the usual server of Keystone: who hangs up last loses a request now and then.
_KEEP_ALIVE_S: Final = 2.0
_AT_ONCE: Final = 16
# Fernet tokens have some 200 characters, JWS tokens some hundreds; servers in front of Keystone drop long headers.
_TOKEN = re.compile(r"[!-~]{1,2048}")

_USER_REFUSED: Final = "does not accept the service user of this control plane"

T = TypeVar("T")

log = structlog.get_logger(__name__)


class KeystoneAway(ApiError):
    """Keystone doesn't answer, or not in a way that says anything about the caller: 503, to be tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__("APIGW.0201", f"the identity service {reason}", status=503)


class Reference(msgspec.Struct, frozen=True):
    """A thing by id and name."""

    id: str
    name: str


class InDomain(Reference, frozen=True):
    """A user or a project, with the domain that it belongs to."""

    domain: Reference


class Token(msgspec.Struct, frozen=True):
    """What is used of Keystone's `token` document. Without project and domain: unscoped, or scoped to the system."""

    user: InDomain
    expires_at: datetime
    issued_at: datetime
    methods: tuple[str, ...] = ()
    audit_ids: Annotated[tuple[str, ...], Meta(min_length=1)] = ("",)
    roles: tuple[Reference, ...] = ()
    project: InDomain | None = None
    domain: Reference | None = None


class TokenDocument(msgspec.Struct, frozen=True):
    """The answer to a validation or a login."""

    token: Token


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Keystone's own answer to a login: handed to the client as it is."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Projects(msgspec.Struct, frozen=True):
    """The projects for which a user can get a token."""

    projects: tuple["ProjectLine", ...]


class ProjectLine(msgspec.Struct, frozen=True):
    """One of them."""

    id: str
    name: str
    domain_id: str = ""


class _Term(msgspec.Struct, frozen=True):
    """From when to when a token counts, by Keystone's clock, which need not be ours."""

    issued_at: datetime
    expires_at: datetime


class _ServiceDocument(msgspec.Struct, frozen=True):
    token: _Term


class KeystoneClient:
    """Talks to one Keystone. Belongs to one event loop; end it with `close`."""

    def __init__(
        self,
        settings: KeystoneSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._steady = steady
        self._own_token = ""
        self._own_until = 0.0
        self._refused_until = 0.0
        self._renewing = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._http = httpx.AsyncClient(
            base_url=settings.base_url,
            transport=transport,
            verify=settings.tls(),
            timeout=TIMEOUT_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=_AT_ONCE, keepalive_expiry=_KEEP_ALIVE_S),
        )

    async def validate(self, token: str, *, catalog: bool = False) -> bytes | None:
        """Return Keystone's document about *token*, or None where the token is no good. Raises KeystoneAway."""
        if not _TOKEN.fullmatch(token):
            return None
        answer = await self._ask_as_service(token, "" if catalog else "?nocatalog")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            log.error("keystone refuses to validate tokens", status=answer.status_code, answer=answer.text[:500])
            raise KeystoneAway("does not let this control plane validate tokens")
        return answer.content

    async def log_in(self, body: bytes, *, nocatalog: bool, receipt: str = "") -> Forwarded:
        """Send a login and return the answer, refusals included. Raises KeystoneAway."""
        headers = {"content-type": "application/json"}
        if receipt:
            headers["openstack-auth-receipt"] = receipt
        query = "?nocatalog" if nocatalog else ""
        answer = await self._send("POST", f"/auth/tokens{query}", headers=headers, content=body)
        kept = {"x-subject-token", "openstack-auth-receipt", "www-authenticate"}
        return Forwarded(
            answer.status_code, answer.content, {name: answer.headers[name] for name in kept & answer.headers.keys()}
        )

    async def revoke(self, token: str, *, by: str) -> int:
        """Ask Keystone to let *token* die, as the owner of the token *by*; return the status. Raises KeystoneAway."""
        answer = await self._send("DELETE", "/auth/tokens", headers={"x-auth-token": by, "x-subject-token": token})
        return answer.status_code

    async def projects(self, token: str) -> tuple[ProjectLine, ...]:
        """Return the projects for which the owner of *token* can get a token. Raises KeystoneAway."""
        answer = await self._send("GET", "/auth/projects", headers={"x-auth-token": token})
        if answer.status_code != 200:
            raise KeystoneAway(f"answers {answer.status_code} to a question for projects")
        return read(answer.content, Projects).projects

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask_as_service(self, token: str, query: str) -> httpx.Response:
        own = await self._service_token("")
        answer = await self._show(own, token, query)
        if answer.status_code == 401:  # our own token was revoked: a new one, once
            answer = await self._show(await self._service_token(own), token, query)
        return answer

    async def _show(self, own: str, token: str, query: str) -> httpx.Response:
        headers = {"x-auth-token": own, "x-subject-token": token}
        return await self._send("GET", f"/auth/tokens{query}", headers=headers)

    async def _service_token(self, refused: str) -> str:
        """Return the service user's token, renewed where it's about to expire or is the *refused* one."""
        async with self._renewing:
            if self._own_token in {"", refused} or self._steady() > self._own_until - _RENEW_BEFORE_S:
                await self._renew()
            return self._own_token

    async def _renew(self) -> None:
        if self._steady() < self._refused_until:
            # A wrong password isn't tried again for each request: Keystone would lock the user out.
            raise KeystoneAway(_USER_REFUSED)
        service = self._settings.service
        user = {"name": service.user, "password": service.password, "domain": {"name": service.user_domain}}
        project = {"name": service.project, "domain": {"name": service.project_domain}}
        body = {
            "auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        }
        asked_at = self._steady()
        answer = await self._send(
            "POST",
            "/auth/tokens?nocatalog",
            headers={"content-type": "application/json"},
            content=msgspec.json.encode(body),
        )
        if answer.status_code != 201:
            log.error("keystone refuses the service user", user=service.user, status=answer.status_code)
            self._refused_until = self._steady() + _PAUSE_S
            raise KeystoneAway(_USER_REFUSED)
        term = read(answer.content, _ServiceDocument).token
        self._own_until = asked_at + (term.expires_at - term.issued_at).total_seconds()
        self._own_token = answer.headers.get("x-subject-token", "")

    async def _send(
        self, method: str, path: str, *, headers: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Response:
        try:
            async with self._places:
                await asyncio.sleep(0)  # httpx asks for the current task, and a request may not have one yet
                answer = await self._http.request(method, path, headers=headers, content=content)
        except httpx.HTTPError as error:
            log.warning("keystone cannot be reached", url=self._settings.base_url, reason=_words(error))
            raise KeystoneAway("cannot be reached") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            log.warning("keystone fails", url=self._settings.base_url, status=answer.status_code)
            raise KeystoneAway(f"answers {answer.status_code}")
        return answer


def read(document: bytes, type_: type[T]) -> T:
    """Return a document of Keystone as a *type_*. Raises KeystoneAway where it isn't one."""
    try:
        return msgspec.json.decode(document, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("keystone answers what cannot be read", reason=str(error))  # noqa: TRY400 - no fault of ours
        raise KeystoneAway("answers in a way that this control plane does not understand") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
