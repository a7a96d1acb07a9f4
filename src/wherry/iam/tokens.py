"""Tokens for X-Auth-Token: Fernet-encrypted claims, valid for 24 hours.

A token carries who and what scope, nothing that could change: whether the user still exists and what it may do is
looked up when the token is used. Source of the answer's form: the IAM reference, "Obtaining a User Token".
"""

import time
import uuid
from enum import StrEnum
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from wherry.iam.refusals import AuthenticationFailed

LIFETIME_S: Final = 24 * 3600
_MAX_TOKEN: Final = 16384
_CLOCK_SLACK_MS: Final = 60_000


class Scope(StrEnum):
    """What a token is for. SMS is a global service, so the scope is reported back and restricts nothing."""

    USER = "user"
    PROJECT = "project"
    DOMAIN = "domain"


class TokenClaims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. Times in epoch milliseconds; the project is empty unless the scope is one.

    `project_name` is the name it was asked for by: any region's name stands for the account's project. `era` is the
    user's when it was issued.
    """

    revocation_id: str
    user_id: str
    domain_id: str
    scope: Scope
    project_id: str
    methods: tuple[str, ...]
    issued_at_ms: int
    expires_at_ms: int
    project_name: str = ""
    era: int = 0


class TokenIssuer:
    """Makes tokens and reads them back."""

    def __init__(self, fernet: Fernet) -> None:
        self._fernet = fernet

    def issue(
        self,
        *,
        user_id: str,
        domain_id: str,
        era: int,
        scope: Scope = Scope.USER,
        project_id: str = "",
        project_name: str = "",
        methods: tuple[str, ...] = ("password",),
        now_ms: int | None = None,
        expires_at_ms: int | None = None,
    ) -> tuple[str, TokenClaims]:
        """Return a new token and its claims. *era*: the user's, of this moment.

        *expires_at_ms* may shorten the 24 hours: a token that was got by a token doesn't outlive it.
        """
        now = int(time.time() * 1000) if now_ms is None else now_ms
        expires = now + LIFETIME_S * 1000
        if expires_at_ms is not None:
            expires = min(expires, expires_at_ms)
        claims = TokenClaims(
            uuid.uuid4().hex, user_id, domain_id, scope, project_id, methods, now, expires, project_name, era
        )
        return self._fernet.encrypt(msgspec.json.encode(claims)).decode("ascii"), claims

    def read(self, token: str, *, now_ms: int | None = None) -> TokenClaims:
        """Return the claims of *token*. Raises AuthenticationFailed when it isn't ours, was changed or has expired."""
        if not 1 <= len(token) <= _MAX_TOKEN:
            raise AuthenticationFailed("the token is empty or longer than 16384 characters")
        try:
            claims = msgspec.json.decode(self._fernet.decrypt(token.encode()), type=TokenClaims)
        except (InvalidToken, msgspec.MsgspecError, UnicodeError):
            raise AuthenticationFailed("the token is not one of this control plane") from None
        now = int(time.time() * 1000) if now_ms is None else now_ms
        if now >= claims.expires_at_ms:
            raise AuthenticationFailed("the token has expired", code="APIGW.0307")
        if claims.issued_at_ms > now + _CLOCK_SLACK_MS:
            raise AuthenticationFailed("the token was issued in the future")
        return claims
