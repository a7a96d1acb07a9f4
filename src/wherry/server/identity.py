"""The IAM subset: tokens, domains, projects, in the forms that the vendor's SDKs and Keystone clients expect."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wherry.contract.errors import ApiError
from wherry.contract.iam import CatalogService, ProjectsQuery, TokenRequest
from wherry.iam.directory import Project, User, UserName
from wherry.iam.keystone import (
    LoginMalformed,
    MethodUnsupported,
    PasswordLogin,
    ScopeWish,
    TokenLogin,
    catalog_service,
    domain_list,
    project_list,
    read_login,
    token_answer,
)
from wherry.iam.passwords import password_matches
from wherry.iam.principals import Kind
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import Scope, TokenClaims
from wherry.ledger.audit import Entry
from wherry.ledger.transaction import Transaction
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.query import parse_query

_HASHING = asyncio.Semaphore(2)
"""Each check of a password takes 64 MiB and tens of milliseconds: strangers mustn't start many at once."""


@dataclass(frozen=True, slots=True)
class _Proven:
    """Who has logged in, and how."""

    user: User
    methods: tuple[str, ...]
    expires_at_ms: int | None = None


async def create_token(call: Call) -> Answer:
    """Return a token for a user name and a password, or for another token."""
    try:
        login = read_login(call.decode(TokenRequest))
    except LoginMalformed as error:
        raise ApiError("SMS.9001", error.message, status=400) from None
    except MethodUnsupported as error:
        raise AuthenticationFailed(error.message) from None
    if isinstance(login, PasswordLogin):
        proven = await _by_password(call, login)
    else:
        proven = await _by_token(call, login)
    project = await _project(call, proven.user, login.scope)
    token, claims = call.services.tokens.issue(
        user_id=proven.user.id,
        domain_id=proven.user.domain_id,
        scope=login.scope.scope,
        project_id="" if project is None else project.id,
        methods=proven.methods,
        now_ms=call.at,
        expires_at_ms=proven.expires_at_ms,
    )
    await call.services.ledger.write(_logged_in(call, proven, claims))
    return _token_answer(call, token, claims, proven.user, project, status=201)


async def show_token(call: Call) -> Answer:
    """Return what the token in X-Subject-Token says. The caller proves himself by X-Auth-Token or a signature."""
    subject = _header(call, b"x-subject-token")
    principal, claims = await call.services.authenticator.by_token(subject)
    if principal.domain_id != call.account_id:
        raise ApiError("SMS.9001", "the token belongs to another account", status=404)
    user = await call.services.directory.user(UserName(id=claims.user_id))
    if user is None:
        raise AuthenticationFailed("the token's user does not exist")
    project = await call.services.directory.project(claims.domain_id) if claims.project_id else None
    return _token_answer(call, subject, claims, user, project, status=200)


async def list_domains(call: Call) -> Answer:
    """Return the caller's own account."""
    who = call.principal
    body = domain_list(who.domain_id, who.domain_name, f"{call.services.endpoint}/v3/auth/domains")
    return json_answer(body, headers=_trace(call))


async def list_projects(call: Call) -> Answer:
    """Return the account's one project, under whatever region's name the client asks for it."""
    query = call.query(ProjectsQuery)
    project = await call.services.directory.project(call.account_id, name=query.name or "")
    found = [] if project is None or query.domain_id not in {None, call.account_id} else [project]
    return json_answer(project_list(found, f"{call.services.endpoint}/v3/projects"), headers=_trace(call))


async def _by_password(call: Call, login: PasswordLogin) -> _Proven:
    user = await call.services.directory.user(login.user)
    async with _HASHING:
        fits = await asyncio.to_thread(password_matches, None if user is None else user.password_hash, login.password)
    if user is None or not fits or not user.enabled:
        # One answer for all three, so that nobody learns which names exist.
        raise AuthenticationFailed("the user name or the password is wrong")
    return _Proven(user, ("password",))


async def _by_token(call: Call, login: TokenLogin) -> _Proven:
    _, claims = await call.services.authenticator.by_token(login.token)
    user = await call.services.directory.user(UserName(id=claims.user_id))
    if user is None:
        raise AuthenticationFailed("the token's user does not exist")
    return _Proven(user, ("token",), claims.expires_at_ms)


async def _project(call: Call, user: User, wish: ScopeWish) -> Project | None:
    """Return the project that the scope names. Raises AuthenticationFailed where it isn't one of the user's account."""
    if wish.scope is Scope.DOMAIN:
        if wish.id not in {"", user.domain_id} or wish.name not in {"", user.domain_name}:
            raise AuthenticationFailed("the user has no role in this domain")
        return None
    if wish.scope is not Scope.PROJECT:
        return None
    project = await call.services.directory.project(user.domain_id, project_id=wish.id, name=wish.name)
    if project is None:
        raise AuthenticationFailed("the user has no role in this project")
    return project


def _token_answer(
    call: Call, token: str, claims: TokenClaims, user: User, project: Project | None, *, status: int
) -> Answer:
    endpoint = call.services.endpoint
    catalog: list[CatalogService] | None = None
    if not parse_query(call.raw_query).get("nocatalog"):
        catalog = [
            catalog_service(name="sms", kind="sms", url=endpoint),
            catalog_service(name="iam", kind="identity", url=f"{endpoint}/v3"),
        ]
    body = token_answer(claims, user, project, catalog)
    return json_answer(body, status=status, headers={"X-Subject-Token": token, **_trace(call)})


def _logged_in(call: Call, proven: _Proven, claims: TokenClaims) -> Callable[[Transaction], None]:
    user = proven.user
    entry = Entry(
        at=call.at,
        account_id=user.domain_id,
        caller_kind=Kind.USER,
        caller_id=user.id,
        caller_name=user.name,
        access_key="",
        resource_type="token",
        event="createToken",
        resource_id=claims.revocation_id,
        request_id=call.request_id,
        detail="+".join(proven.methods),
    )

    def unit(tx: Transaction) -> None:
        tx.record(entry)

    return unit


def _header(call: Call, name: bytes) -> str:
    for given, value in call.headers:
        if given == name:
            return value.decode("latin-1").strip()
    raise ApiError("SMS.9001", f"the header {name.decode()} is missing", status=400)


def _trace(call: Call) -> dict[str, str]:
    return {"X-IAM-Trace-Id": call.request_id}
