"""Tokens of an OpenStack Keystone: whom they stand for here.

Keystone knows the users, their passwords and roles; this control plane keeps accounts, because everything it stores
belongs to one, and access keys, because agents and the vendor's SDKs sign. An account is made when somebody with a role
in it is first seen. Which part of a token's scope is the account is a setting (ADR 0007).
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from wherry.iam.keystone_client import KeystoneClient, Token, TokenDocument, read
from wherry.iam.keystone_settings import AccountIs, KeystoneSettings
from wherry.iam.memory import Memory
from wherry.iam.policies import Policy
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import Scope, TokenClaims

_REFUSED_S: Final = 5.0
_LONGEST_ID: Final = 36


@dataclass(frozen=True, slots=True)
class Account:
    """An account as Keystone's scope gives it; `project_id` is its one project here."""

    id: str
    name: str
    project_id: str


class Accounts(Protocol):
    """Where accounts are kept."""

    async def admit(self, account: Account) -> None:
        """Make the account unless it's there. Called before the first principal of it is returned."""


class KeystoneTokens:
    """Reads tokens by asking Keystone; the `TokenReader` of that back end.

    Args:
        client: asks Keystone.
        accounts: is told of every account before it's used.
        settings: say what the account is, which role means what, and how long an answer counts.
        clock: the time in epoch seconds, by which it is judged whether a token has expired.
        steady: seconds of a clock that is never set, by which it is measured how long an answer counts.
    """

    def __init__(
        self,
        client: KeystoneClient,
        accounts: Accounts,
        settings: KeystoneSettings,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._accounts = accounts
        self._account_is = settings.account
        self._policies = settings.policies()
        self._clock = clock
        self._good: Memory[bytes, tuple[Principal, TokenClaims]] = Memory(settings.remember_s, steady)
        self._bad: Memory[bytes, bool] = Memory(min(_REFUSED_S, settings.remember_s), steady)
        self._asking: dict[bytes, asyncio.Task[tuple[Principal, TokenClaims]]] = {}
        self._admitted: set[str] = set()

    async def read(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*. Raises AuthenticationFailed and KeystoneAway.

        Callers who show the same token at the same time share one question.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._good.get(digest)
        if known is not None and self._clock() * 1000 < known[1].expires_at_ms:
            return known
        if self._bad.get(digest):
            raise _invalid()
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(self._ask(token, digest))
            asking.add_done_callback(lambda done: self._settle(digest, done))
        return await asyncio.shield(asking)

    def forget(self, token: str) -> None:
        """Ask Keystone again at the next use of *token*."""
        self._good.drop(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())

    async def understand(self, token: Token) -> tuple[Principal, TokenClaims]:
        """Return whom a token of this content stands for. Raises AuthenticationFailed where it has no usable scope."""
        account, scope, project_id = self._account(token)
        if account.id not in self._admitted:
            await self._accounts.admit(account)
            self._admitted.add(account.id)
        claims = TokenClaims(
            revocation_id=token.audit_ids[0],
            user_id=token.user.id,
            domain_id=account.id,
            scope=scope,
            project_id=project_id,
            methods=token.methods,
            issued_at_ms=int(token.issued_at.timestamp() * 1000),
            expires_at_ms=int(token.expires_at.timestamp() * 1000),
        )
        principal = Principal(
            kind=Kind.USER,
            domain_id=account.id,
            domain_name=account.name,
            user_id=token.user.id,
            user_name=token.user.name,
            project_id=project_id,
            policies=self._granted(token),
            token_id=claims.revocation_id,
        )
        return principal, claims

    def _settle(self, digest: bytes, done: asyncio.Task[tuple[Principal, TokenClaims]]) -> None:
        del self._asking[digest]
        if not done.cancelled():
            done.exception()  # seen, even where every caller has gone

    async def _ask(self, token: str, digest: bytes) -> tuple[Principal, TokenClaims]:
        document = await self._client.validate(token)
        if document is None:
            self._bad.put(digest, True)  # noqa: FBT003 - a set with a time limit
            raise _invalid()
        found = await self.understand(read(document, TokenDocument).token)
        if self._clock() * 1000 >= found[1].expires_at_ms:
            raise AuthenticationFailed("the token has expired", code="APIGW.0307")
        self._good.put(digest, found)
        return found

    def _account(self, token: Token) -> tuple[Account, Scope, str]:
        """Return the account, the scope and the project's id of a token."""
        if token.project is not None:
            project, domain = token.project, token.project.domain
            if self._account_is is AccountIs.PROJECT:
                account = Account(project.id, f"{domain.name}/{project.name}", project.id)
            else:
                account = Account(domain.id, domain.name, domain.id)
            found = (account, Scope.PROJECT, project.id)
        elif token.domain is not None:
            # To Keystone a domain is a project too, of the same id.
            account = Account(token.domain.id, token.domain.name, token.domain.id)
            found = (account, Scope.DOMAIN, "")
        else:
            raise AuthenticationFailed("the token is not scoped to a project or a domain")
        if not 1 <= len(account.id) <= _LONGEST_ID:
            raise AuthenticationFailed(f"the id of the {found[1]} is longer than {_LONGEST_ID} characters")
        return found

    def _granted(self, token: Token) -> tuple[Policy, ...]:
        """Return the policies of the token's roles; Keystone has listed the implied roles already."""
        granted = (self._policies.get(role.name.lower()) for role in token.roles)
        return tuple(dict.fromkeys(policy for policy in granted if policy is not None))


@dataclass(frozen=True, slots=True)
class Keystone:
    """A Keystone that is in use."""

    client: KeystoneClient
    tokens: KeystoneTokens


def _invalid() -> AuthenticationFailed:
    return AuthenticationFailed("the identity service does not accept the token")
