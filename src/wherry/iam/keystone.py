"""Between the documents of Keystone's API (`wherry.contract.iam`) and iam's own terms: logins in, answers out.

Source: the IAM reference, "Obtaining a User Token Through Password Authentication", "Querying a Project List",
"Querying the List of Domains Accessible to Users".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wherry.contract import iam as wire
from wherry.contract.envelope import KeystoneError, KeystoneErrorBody
from wherry.errors import WherryError
from wherry.iam.directory import Project, User, UserName
from wherry.iam.tokens import Scope, TokenClaims

_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable"}


class LoginMalformed(WherryError):
    """The body of POST /v3/auth/tokens says too little (400 in the Keystone shape)."""

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


def read_login(request: wire.TokenRequest) -> PasswordLogin | TokenLogin:
    """Return what the body of POST /v3/auth/tokens asks for.

    Raises LoginMalformed and MethodUnsupported.
    """
    identity = request.auth.identity
    scope = _wish(request.auth.scope)
    if identity.methods == ["password"]:
        if identity.password is None:
            raise LoginMalformed(reason="identity.password is missing")
        user = identity.password.user
        if not user.id and not user.name:
            raise LoginMalformed(reason="the user has neither id nor name")
        domain = user.domain or wire.NamedReference()
        name = UserName(user.id or "", user.name or "", domain.id or "", domain.name or "")
        return PasswordLogin(name, user.password, scope)
    if identity.methods == ["token"]:
        if identity.token is None:
            raise LoginMalformed(reason="identity.token is missing")
        return TokenLogin(identity.token.id, scope)
    if not identity.methods:
        raise LoginMalformed(reason="identity.methods is empty")
    raise MethodUnsupported(method="+".join(identity.methods)[:100])


def token_answer(
    claims: TokenClaims, user: User, project: Project | None, catalog: Sequence[wire.CatalogService] | None = None
) -> wire.TokenAnswer:
    """Return the `token` document; without a catalog where *catalog* is None (`nocatalog`)."""
    domain = wire.DomainReference(id=user.domain_id, name=user.domain_name)
    scoped = None
    if claims.scope is Scope.PROJECT and project is not None:
        scoped = wire.ProjectReference(id=project.id, name=project.name, domain=domain)
    return wire.TokenAnswer(
        token=wire.Token(
            methods=list(claims.methods),
            issued_at=keystone_time(claims.issued_at_ms),
            expires_at=keystone_time(claims.expires_at_ms),
            user=wire.UserReference(id=user.id, name=user.name, domain=domain, password_expires_at=""),
            roles=[wire.RoleReference(id="0", name="te_admin")] if user.account_owner else [],
            catalog=None if catalog is None else list(catalog),
            project=scoped,
            domain=domain if claims.scope is Scope.DOMAIN else None,
        )
    )


def catalog_service(*, name: str, kind: str, url: str) -> wire.CatalogService:
    """Return one service of the catalog, with one public endpoint for every region."""
    endpoint = wire.CatalogEndpoint(id=f"{name}-public", interface="public", region="*", region_id="*", url=url)
    return wire.CatalogService(id=name, name=name, type=kind, endpoints=[endpoint])


def project_list(projects: Sequence[Project], self_url: str) -> wire.ProjectList:
    """Return the answer of GET /v3/projects."""
    items = [
        wire.Project(
            id=project.id,
            name=project.name,
            domain_id=project.domain_id,
            parent_id=project.domain_id,
            is_domain=False,
            enabled=True,
            description="",
            links=wire.PageLinks(self_url=f"{self_url}/{project.id}"),
        )
        for project in projects
    ]
    return wire.ProjectList(projects=items, links=wire.PageLinks(self_url=self_url))


def domain_list(domain_id: str, domain_name: str, self_url: str) -> wire.DomainList:
    """Return the answer of GET /v3/auth/domains: the caller's own account."""
    link = wire.SelfLink(self_url=f"{self_url}/{domain_id}")
    domain = wire.Domain(id=domain_id, name=domain_name, enabled=True, description="", links=link)
    return wire.DomainList(domains=[domain], links=wire.SelfLink(self_url=self_url))


def error_body(status: int, message: str) -> KeystoneError:
    """Return a refusal in the Keystone shape."""
    title = _TITLES.get(status, "Internal Server Error")
    return KeystoneError(error=KeystoneErrorBody(code=status, message=message, title=title))


def keystone_time(at_ms: int) -> str:
    """Return a moment in the form of Keystone: 2026-01-28T09:30:00.000000Z."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _wish(scope: wire.Scope | None) -> ScopeWish:
    if scope is not None and scope.project is not None:
        return ScopeWish(Scope.PROJECT, scope.project.id or "", scope.project.name or "")
    if scope is not None and scope.domain is not None:
        return ScopeWish(Scope.DOMAIN, scope.domain.id or "", scope.domain.name or "")
    return ScopeWish()
