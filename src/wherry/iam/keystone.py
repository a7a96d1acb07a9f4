"""The documents of POST and GET /v3/auth/tokens, /v3/projects and /v3/auth/domains, as IAM and Keystone shape them.

Source: the IAM reference, "Obtaining a User Token Through Password Authentication", "Querying a Project List",
"Querying the List of Domains Accessible to Users".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.errors import WherryError
from wherry.iam.directory import Project, User, UserName
from wherry.iam.tokens import Scope, TokenClaims


class LoginMalformed(WherryError):
    """The body of POST /v3/auth/tokens can't be read (400 in the Keystone shape)."""

    code = "WHERRY.5105"
    template = "The request body is malformed: {reason}."
    default_cause = "It isn't the JSON document that IAM describes for this operation."
    default_fix = 'Send {"auth": {"identity": {"methods": ["password"], "password": {...}}, "scope": {...}}}.'


class MethodUnsupported(WherryError):
    """The login asks for a method that this control plane doesn't have (401 in the Keystone shape)."""

    code = "WHERRY.5106"
    template = "The authentication method {method!r} is not supported."
    default_cause = "Only password and token are offered."
    default_fix = "Log in with user name and password, or sign requests with an access key."


class _NameOrId(msgspec.Struct, kw_only=True):
    id: str = ""
    name: str = ""


class _PasswordUser(msgspec.Struct, kw_only=True):
    password: str
    id: str = ""
    name: str = ""
    domain: _NameOrId = msgspec.field(default_factory=_NameOrId)


class _Password(msgspec.Struct):
    user: _PasswordUser


class _Token(msgspec.Struct):
    id: str


class _Identity(msgspec.Struct, kw_only=True):
    methods: list[str]
    password: _Password | None = None
    token: _Token | None = None


class _Scope(msgspec.Struct, kw_only=True):
    project: _NameOrId | None = None
    domain: _NameOrId | None = None


class _Auth(msgspec.Struct, kw_only=True):
    identity: _Identity
    scope: _Scope | None = None


class _LoginBody(msgspec.Struct):
    auth: _Auth


@dataclass(frozen=True, slots=True)
class ScopeWish:
    """The scope a login asks for; project or domain by id or name. When a client names both, project wins."""

    scope: Scope = Scope.USER
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """A login by name and password."""

    user: UserName
    password: str
    scope: ScopeWish


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A login by an existing token, to get one of another scope."""

    token: str
    scope: ScopeWish


def parse_login(body: bytes) -> PasswordLogin | TokenLogin:
    """Return what the body of POST /v3/auth/tokens asks for.

    Raises LoginMalformed and MethodUnsupported.
    """
    try:
        auth = msgspec.json.decode(body, type=_LoginBody).auth
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # msgspec's words name the path and the type, never the value, so no password gets into the answer.
        raise LoginMalformed(reason=str(error)) from error
    scope = _wish(auth.scope)
    identity = auth.identity
    if identity.methods == ["password"]:
        if identity.password is None:
            raise LoginMalformed(reason="identity.password is missing")
        user = identity.password.user
        if not user.id and not user.name:
            raise LoginMalformed(reason="the user has neither id nor name")
        name = UserName(user.id, user.name, user.domain.id, user.domain.name)
        return PasswordLogin(name, user.password, scope)
    if identity.methods == ["token"]:
        if identity.token is None:
            raise LoginMalformed(reason="identity.token is missing")
        return TokenLogin(identity.token.id, scope)
    if not identity.methods:
        raise LoginMalformed(reason="identity.methods is empty")
    raise MethodUnsupported(method="+".join(identity.methods)[:100])


def token_body(claims: TokenClaims, user: User, project: Project | None, catalog: Sequence[object] = ()) -> Any:
    """Return the `token` document. *catalog* is left out when None-like and the caller wanted none."""
    domain = {"id": user.domain_id, "name": user.domain_name}
    token: dict[str, object] = {
        "methods": list(claims.methods),
        "issued_at": keystone_time(claims.issued_at_ms),
        "expires_at": keystone_time(claims.expires_at_ms),
        "roles": [{"id": "0", "name": "te_admin"}] if user.account_owner else [],
        "user": {"id": user.id, "name": user.name, "password_expires_at": "", "domain": domain},
    }
    if catalog:
        token["catalog"] = list(catalog)
    if claims.scope is Scope.PROJECT and project is not None:
        token["project"] = {"id": project.id, "name": project.name, "domain": domain}
    if claims.scope is Scope.DOMAIN:
        token["domain"] = domain
    return {"token": token}


def catalog_entry(*, name: str, type: str, url: str) -> dict[str, object]:  # noqa: A002
    """Return one service of the catalog with a public endpoint in every region."""
    endpoint = {"id": f"{name}-public", "interface": "public", "region": "*", "region_id": "*", "url": url}
    return {"id": name, "name": name, "type": type, "endpoints": [endpoint]}


def projects_body(projects: Sequence[Project], self_url: str) -> Any:
    """Return the answer of GET /v3/projects."""
    return {
        "projects": [
            {
                "id": project.id,
                "name": project.name,
                "domain_id": project.domain_id,
                "parent_id": project.domain_id,
                "is_domain": False,
                "enabled": True,
                "description": "",
                "links": {"self": f"{self_url}/{project.id}", "next": None, "previous": None},
            }
            for project in projects
        ],
        "links": {"self": self_url, "next": None, "previous": None},
    }


def domains_body(domain_id: str, domain_name: str, self_url: str) -> Any:
    """Return the answer of GET /v3/auth/domains: the caller's own account."""
    domain = {
        "id": domain_id,
        "name": domain_name,
        "enabled": True,
        "description": "",
        "links": {"self": f"{self_url}/{domain_id}"},
    }
    return {"domains": [domain], "links": {"self": self_url}}


def error_body(status: int, message: str) -> Any:
    """Return a refusal in the Keystone shape."""
    titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}
    return {"error": {"code": status, "message": message, "title": titles.get(status, "Internal Server Error")}}


def keystone_time(at_ms: int) -> str:
    """Return a moment in the form of Keystone: 2026-01-28T09:30:00.000000Z."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _wish(scope: _Scope | None) -> ScopeWish:
    if scope is not None and scope.project is not None:
        return ScopeWish(Scope.PROJECT, scope.project.id, scope.project.name)
    if scope is not None and scope.domain is not None:
        return ScopeWish(Scope.DOMAIN, scope.domain.id, scope.domain.name)
    return ScopeWish()
