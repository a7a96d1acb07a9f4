"""What a token in X-Auth-Token stands for: the Protocol, and the back end for tokens of our own.

The other back end reads tokens of an OpenStack Keystone (`wherry.iam.keystone_tokens`).
"""

import time
from collections.abc import Callable
from typing import Protocol

from wherry.iam.directory import Directory, User, UserName
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.tokens import TokenClaims, TokenIssuer


class TokenReader(Protocol):
    """Tells whom a token stands for."""

    async def read(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*.

        Raises AuthenticationFailed where it's no good, and ApiError with status 503 where nobody can tell just now.
        """


class OwnTokens:
    """Tokens that this control plane issued, for users of the built-in directory."""

    def __init__(self, directory: Directory, issuer: TokenIssuer, *, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._issuer = issuer
        self._clock = clock

    async def read(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*. Raises AuthenticationFailed."""
        claims = self._issuer.read(token, now_ms=int(self._clock() * 1000))
        user = await self._directory.user(UserName(id=claims.user_id))
        if user is None or not user.enabled or user.domain_id != claims.domain_id:
            raise AuthenticationFailed("the token's user does not exist or is disabled")
        if claims.era != user.token_era or await self._directory.token_revoked(claims.revocation_id):
            raise AuthenticationFailed("the token was revoked", code="APIGW.0307")
        return principal_of(user, claims), claims


def principal_of(user: User, claims: TokenClaims) -> Principal:
    """Return the principal that a token of *user* stands for."""
    return Principal(
        kind=Kind.USER,
        domain_id=user.domain_id,
        domain_name=user.domain_name,
        user_id=user.id,
        user_name=user.name,
        project_id=claims.project_id,
        account_owner=user.account_owner,
        operator=user.operator,
        policies=user.policies,
        token_id=claims.revocation_id,
    )
