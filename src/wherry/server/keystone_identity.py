"""The IAM subset where an OpenStack Keystone is the identity service: logins go there, and its answers come back.

Source: Keystone's Identity API v3. Clients written for the IAM of SMS name the project of a login without its domain,
which Keystone wouldn't understand: the user's own domain is put in.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from wherry.contract.errors import ApiError
from wherry.contract.iam import ProjectsQuery
from wherry.iam.directory import Project
from wherry.iam.keystone import project_list
from wherry.iam.keystone_client import Forwarded, TokenDocument, read
from wherry.iam.keystone_tokens import Keystone
from wherry.iam.principals import Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.ledger.audit import Entry
from wherry.ledger.transaction import Transaction
from wherry.server import identity
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.query import parse_query
from wherry.server.route import Route

_JSON = "application/json"


class KeystoneIdentity:
    """The handlers that take the place of `wherry.server.identity`'s."""

    def __init__(self, keystone: Keystone) -> None:
        self._client = keystone.client
        self._tokens = keystone.tokens

    def take_over(self, routes: Iterable[Route]) -> list[Route]:
        """Return *routes* with the handlers of this class where Keystone decides."""
        own = {
            "CreateToken": self.create_token,
            "ShowToken": self.show_token,
            "RevokeToken": self.revoke_token,
            "ListProjects": self.list_projects,
        }
        return [replace(route, handler=own.get(route.operation, route.handler)) for route in routes]

    async def create_token(self, call: Call) -> Answer:
        """Forward a login, whatever its method, and return Keystone's answer."""
        answer = await self._client.log_in(
            _with_domain(call.body), nocatalog=_nocatalog(call), receipt=_header(call, b"openstack-auth-receipt")
        )
        if answer.status == 201:
            await self._note(call, answer)
        return Answer(answer.body, answer.status, _JSON, {**answer.headers, "X-IAM-Trace-Id": call.request_id})

    async def show_token(self, call: Call) -> Answer:
        """Return what Keystone says about the token in X-Subject-Token, of the caller's own account."""
        subject = _header(call, b"x-subject-token")
        if not subject:
            raise ApiError("SMS.9001", "the header x-subject-token is missing", status=400)
        document = await self._client.validate(subject, catalog=not _nocatalog(call))
        if document is None:
            raise ApiError("SMS.9001", "the token is not valid", status=404)
        principal, _ = await self._tokens.understand(read(document, TokenDocument).token)
        if principal.domain_id != call.account_id:
            raise ApiError("SMS.9001", "the token belongs to another account", status=404)
        return Answer(document, 200, _JSON, {"X-Subject-Token": subject, "X-IAM-Trace-Id": call.request_id})

    async def revoke_token(self, call: Call) -> Answer:
        """Let Keystone revoke the token in X-Subject-Token, if the owner of the one in X-Auth-Token may do so."""
        subject, by = _header(call, b"x-subject-token"), _header(call, b"x-auth-token")
        if not subject or not by:
            missing = "x-auth-token" if subject else "x-subject-token"
            raise ApiError("SMS.9001", f"the header {missing} is missing", status=400)
        principal, claims = await call.services.authenticator.by_token(subject)
        status = await self._client.revoke(subject, by=by)
        if status not in {200, 204}:
            raise ApiError("SMS.9004" if status == 403 else "SMS.9001", f"Keystone answers {status}", status=status)
        self._tokens.forget(subject)

        def unit(tx: Transaction) -> None:
            tx.user_changed(principal.user_id)
            call.record(tx, claims.revocation_id)

        await call.services.ledger.write(unit)
        return Answer(b"", 204, headers={"X-IAM-Trace-Id": call.request_id})

    async def list_projects(self, call: Call) -> Answer:
        """Return the projects that the caller's token can be changed for; with a key, the account's one project."""
        token = _header(call, b"x-auth-token")
        if not token:
            return await identity.list_projects(call)
        query = call.query(ProjectsQuery)
        found = [
            Project(line.id, line.name, line.domain_id)
            for line in await self._client.projects(token)
            if query.name in {None, line.name} and query.domain_id in {None, line.domain_id}
        ]
        body = project_list(found, f"{call.services.endpoint}/v3/projects")
        return json_answer(body, headers={"X-IAM-Trace-Id": call.request_id})

    async def _note(self, call: Call, answer: Forwarded) -> None:
        """Write the login into the audit log of the account that the new token is for."""
        token = read(answer.body, TokenDocument).token
        try:
            who, claims = await self._tokens.understand(token)
        except AuthenticationFailed:
            return  # unscoped: good for asking Keystone for another one, and of no account here
        entry = _entry(call, who, claims.revocation_id, "+".join(claims.methods))

        def unit(tx: Transaction) -> None:
            tx.record(entry)

        await call.services.ledger.write(unit)


def _entry(call: Call, who: Principal, token_id: str, methods: str) -> Entry:
    return Entry(
        at=call.at,
        account_id=who.domain_id,
        caller_kind=who.kind,
        caller_id=who.user_id,
        caller_name=who.user_name,
        access_key="",
        resource_type="token",
        event="createToken",
        resource_id=token_id,
        request_id=call.request_id,
        detail=methods,
    )


def _with_domain(body: bytes) -> bytes:
    """Return the login with the user's domain put into a project scope that names none. Raises ApiError SMS.9001."""
    try:
        login = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError("SMS.9001", str(error), status=400) from None
    project = _at(login, "auth", "scope", "project")
    domain = _at(login, "auth", "identity", "password", "user", "domain")
    if (
        isinstance(project, dict)
        and isinstance(domain, dict)
        and "name" in project
        and not {"id", "domain"} & set(project)
    ):
        project["domain"] = domain
        return msgspec.json.encode(login)
    return body


def _header(call: Call, name: bytes) -> str:
    """Return the value of a header; empty where it wasn't sent."""
    return next((value.decode("latin-1").strip() for given, value in call.headers if given == name), "")


def _at(document: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def _nocatalog(call: Call) -> bool:
    return bool(parse_query(call.raw_query).get("nocatalog"))
