"""Temporary access keys: got by a token, good for a few hours, never stored.

Everything that the control plane has to know of such a key stands in its security token, encrypted: the secret, whose
key it is, and until when. A request that is signed with a temporary key carries the security token in X-Security-Token,
as one of the signed headers. Source: the IAM reference, "Obtaining a Temporary Access Key and Security Token Through a
Token".
"""

import time
import uuid
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from wherry.iam.keys import generate_key_pair
from wherry.iam.refusals import AuthenticationFailed

SHORTEST_S: Final = 900
LONGEST_S: Final = 24 * 3600
_LONGEST_TOKEN: Final = 8192


class TemporaryClaims(msgspec.Struct, frozen=True, array_like=True):
    """What a security token says. Times in epoch milliseconds.

    `token_id` and `era` are those of the token it was got by.
    """

    id: str
    access_key: str
    secret_key: str
    user_id: str
    domain_id: str
    token_id: str
    issued_at_ms: int
    expires_at_ms: int
    era: int = 0


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """A new temporary key with its security token. `expires_at_ms` in epoch milliseconds."""

    access_key: str
    secret_key: str
    security_token: str
    expires_at_ms: int


class TemporaryKeyIssuer:
    """Makes temporary keys and reads their security tokens back."""

    def __init__(self, fernet: Fernet) -> None:
        self._fernet = fernet

    def issue(
        self, *, user_id: str, domain_id: str, token_id: str, era: int, now_ms: int, duration_s: int, latest_ms: int
    ) -> TemporaryKey:
        """Return a new key for a user, which ends after *duration_s* or at *latest_ms*, whatever comes first."""
        pair = generate_key_pair()
        expires = min(now_ms + duration_s * 1000, latest_ms)
        claims = TemporaryClaims(
            uuid.uuid4().hex, pair.access_key, pair.secret_key, user_id, domain_id, token_id, now_ms, expires, era
        )
        token = self._fernet.encrypt(msgspec.json.encode(claims)).decode("ascii")
        return TemporaryKey(pair.access_key, pair.secret_key, token, expires)

    def read(self, security_token: bytes, access_key: str, *, now_ms: int | None = None) -> TemporaryClaims:
        """Return what *security_token* says.

        Raises AuthenticationFailed when it isn't ours, belongs to another key than *access_key*, or has expired.
        """
        if not 1 <= len(security_token) <= _LONGEST_TOKEN:
            raise AuthenticationFailed("X-Security-Token is empty or too long")
        try:
            claims = msgspec.json.decode(self._fernet.decrypt(security_token), type=TemporaryClaims)
        except (InvalidToken, msgspec.MsgspecError, UnicodeError):
            raise AuthenticationFailed("X-Security-Token is not one of this control plane") from None
        if claims.access_key != access_key:
            raise AuthenticationFailed("X-Security-Token belongs to another access key")
        now = int(time.time() * 1000) if now_ms is None else now_ms
        if now >= claims.expires_at_ms:
            raise AuthenticationFailed("the temporary access key has expired", code="APIGW.0307")
        return claims
