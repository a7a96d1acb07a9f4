"""The part of Keystone's IAM API that clients of SMS call: tokens, domains, projects. Times as ISO 8601 in UTC."""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.values import LongText, Text, Wire


class NamedReference(Wire, frozen=True, kw_only=True):
    """Something by its id or by its name."""

    id: Text | None = None
    name: Text | None = None


class ProjectScope(NamedReference, frozen=True, kw_only=True):
    """A project by its id, or by its name within a domain."""

    domain: NamedReference | None = None


class PasswordUser(Wire, frozen=True, kw_only=True):
    """Who logs in, and with what."""

    password: LongText
    id: Text | None = None
    name: Text | None = None
    domain: NamedReference | None = None


class PasswordMethod(Wire, frozen=True, kw_only=True):
    """The method "password"."""

    user: PasswordUser


class TokenMethod(Wire, frozen=True, kw_only=True):
    """The method "token": an old token for a new one."""

    id: Annotated[str, Meta(min_length=1, max_length=16384)]


class Identity(Wire, frozen=True, kw_only=True):
    """How the caller proves who he is."""

    methods: Annotated[list[Text], Meta(max_length=16)]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None


class Scope(Wire, frozen=True, kw_only=True):
    """What a token is for; project wins over domain."""

    project: ProjectScope | None = None
    domain: NamedReference | None = None


class Auth(Wire, frozen=True, kw_only=True):
    """The request inside its envelope."""

    identity: Identity
    scope: Scope | None = None


class TokenRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /v3/auth/tokens."""

    auth: Auth


class DomainReference(Wire, frozen=True, kw_only=True):
    """A domain in an answer."""

    id: str
    name: str


class ProjectReference(Wire, frozen=True, kw_only=True):
    """A project in a token."""

    id: str
    name: str
    domain: DomainReference


class RoleReference(Wire, frozen=True, kw_only=True):
    """A role in a token."""

    id: str
    name: str


class UserReference(Wire, frozen=True, kw_only=True):
    """The user of a token."""

    id: str
    name: str
    domain: DomainReference
    password_expires_at: str | None = None


class CatalogEndpoint(Wire, frozen=True, kw_only=True):
    """Where a service is."""

    id: str
    interface: str
    region: str
    region_id: str
    url: str


class CatalogService(Wire, frozen=True, kw_only=True):
    """A service of the catalog."""

    id: str
    name: str
    type: str
    endpoints: list[CatalogEndpoint]


class Token(Wire, frozen=True, kw_only=True):
    """What a token says. `project` only for a project scope, `domain` only for a domain scope."""

    methods: list[str]
    issued_at: str
    expires_at: str
    user: UserReference
    roles: list[RoleReference]
    catalog: list[CatalogService] | None = None
    project: ProjectReference | None = None
    domain: DomainReference | None = None


class TokenAnswer(Wire, frozen=True, kw_only=True):
    """Answer of POST and GET /v3/auth/tokens; the token itself travels in X-Subject-Token."""

    token: Token


class SelfLink(Wire, frozen=True, kw_only=True):
    """The address of one item."""

    self_url: str = field(name="self")


class PageLinks(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The addresses of a page. There's one page only, so its neighbours are null."""

    self_url: str = field(name="self")
    next: str | None = None
    previous: str | None = None


class Domain(Wire, frozen=True, kw_only=True):
    """An account, as Keystone calls it."""

    id: str
    name: str
    enabled: bool
    description: str
    links: SelfLink


class DomainList(Wire, frozen=True, kw_only=True):
    """Answer of GET /v3/auth/domains."""

    domains: list[Domain]
    links: SelfLink


class Project(Wire, frozen=True, kw_only=True):
    """A project: a region's name on the account."""

    id: str
    name: str
    domain_id: str
    parent_id: str
    is_domain: bool
    enabled: bool
    description: str
    links: PageLinks


class ProjectList(Wire, frozen=True, kw_only=True):
    """Answer of GET /v3/projects."""

    projects: list[Project]
    links: PageLinks


class ProjectsQuery(Wire, frozen=True, kw_only=True):
    """Filters of GET /v3/projects; the rest of Keystone's are ignored."""

    name: Text | None = None
    domain_id: Text | None = None
    enabled: bool | None = None
