"""The IAM subset: tokens, domains, projects, in the forms that the vendor's SDKs and Keystone clients expect."""

import math
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
from wherry.iam.permissions import Resource, why_not
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import Scope, TokenClaims
from wherry.ledger import credentials
from wherry.ledger.audit import Entry
from wherry.ledger.transaction import Transaction
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.hashing import matches
from wherry.server.query import parse_query


@dataclass(frozen=True, slots=True)
class _Proven:
    """Who has logged in, and how."""

    user: User
    methods: tuple[str, ...]
    era: int
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
        era=proven.era,
        scope=login.scope.scope,
        project_id="" if project is None else project.id,
        project_name="" if project is None else project.name,
        methods=proven.methods,
        now_ms=call.at,
        expires_at_ms=proven.expires_at_ms,
    )
    await call.services.ledger.write(_logged_in(call, proven, claims))
    return _token_answer(call, token, claims, proven.user, project, status=201)


async def show_token(call: Call) -> Answer:
    """Return what the token in X-Subject-Token says. The caller proves himself by X-Auth-Token or a signature.

    A user may ask about his own tokens, and about those of others where he may look at the users.
    """
    subject, principal, claims = await _subject(call)
    user = await call.services.directory.user(UserName(id=claims.user_id))
    if user is None:
        raise _no_such_token()
    _check_own(call, principal, "ShowUser")
    project = None
    if claims.project_id:
        project = await call.services.directory.project(claims.domain_id, name=claims.project_name)
    return _token_answer(call, subject, claims, user, project, status=200)


async def revoke_token(call: Call) -> Answer:
    """Let the token in X-Subject-Token die, and the temporary keys that were got by it.

    A user may do so with his own tokens, and with those of others where he may change the users.
    """
    _, principal, claims = await _subject(call)
    _check_own(call, principal, "UpdateUser")

    def unit(tx: Transaction) -> None:
        credentials.revoke(tx.connection, claims.revocation_id, at=call.at, expires_at=claims.expires_at_ms)
        tx.user_changed(claims.user_id)
        call.record(tx, claims.revocation_id)

    await call.services.ledger.write(unit)
    return Answer(b"", 204, headers=_trace(call))


async def _subject(call: Call) -> tuple[str, Principal, TokenClaims]:
    """Return the token in X-Subject-Token and what it says. Raises ApiError 404 for one that isn't good or not ours."""
    subject = _header(call, b"x-subject-token")
    try:
        principal, claims = await call.services.authenticator.by_token(subject)
    except AuthenticationFailed:
        raise _no_such_token() from None
    if principal.domain_id != call.account_id:
        raise _no_such_token()
    return subject, principal, claims


def _check_own(call: Call, subject: Principal, operation: str) -> None:
    """Return when the token is the caller's own, or *operation* on its user is allowed him. Raises ApiError 403."""
    if call.principal.kind is Kind.USER and call.principal.user_id == subject.user_id:
        return
    reason = why_not(call.principal, operation, Resource(subject.user_id, of_owner=subject.account_owner))
    if reason:
        raise ApiError("SMS.9004", reason, status=403)


def _no_such_token() -> ApiError:
    return ApiError("SMS.9001", "the token in X-Subject-Token is not valid", status=404)


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
    logins, who = call.services.logins, _claimed(login.user, user)
    locked_s = logins.locked_s(who, call.peer)
    if locked_s:
        raise AuthenticationFailed(f"too many wrong passwords; try again in {math.ceil(locked_s)} s")
    fits = await matches(None if user is None else user.password_hash, login.password)
    if user is None or not fits or not user.enabled:
        logins.failed(who, call.peer)
        # One answer for all three, so that nobody learns which names exist.
        raise AuthenticationFailed("the user name or the password is wrong")
    logins.succeeded(who, call.peer)
    return _Proven(user, ("password",), user.token_era)


def _claimed(name: UserName, user: User | None) -> str:
    """Return under which name a login is counted: one that exists in one way only, however it was written."""
    return user.id if user is not None else f"{name.domain_id}/{name.domain_name}/{name.id}/{name.name}"


async def _by_token(call: Call, login: TokenLogin) -> _Proven:
    _, claims = await call.services.authenticator.by_token(login.token)
    user = await call.services.directory.user(UserName(id=claims.user_id))
    if user is None:
        raise AuthenticationFailed("the token's user does not exist")
    # Of the token's own era: should it die just now, the new one dies with it.
    return _Proven(user, ("token",), claims.era, claims.expires_at_ms)


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
            catalog_service(name="ecs", kind="ecs", url=f"{endpoint}/v1"),
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
