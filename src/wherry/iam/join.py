"""One-time join tokens, by which an agent or a receiver gets a key of its own.

Only the hash of a token is stored. A token carries 256 random bits, so a plain SHA-256 is enough; argon2 is for
secrets that people choose.
"""

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

from wherry.contract.enumerations import JoinRole
from wherry.iam.refusals import AuthenticationFailed

MAX_EXPIRY_S: Final = 30 * 86400
_PREFIX: Final = "wherry-join-"
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class JoinToken:
    """A new token. `token` is shown once; the ledger stores the rest. Times in epoch milliseconds."""

    id: str
    token: str
    token_hash: str
    role: JoinRole
    expires_at: int


@dataclass(frozen=True, slots=True)
class StoredJoinToken:
    """A token as the ledger holds it. `used_at` is None until it was used."""

    id: str
    token_hash: str
    role: JoinRole
    domain_id: str
    project_id: str
    expires_at: int
    used_at: int | None = None


def create_join_token(role: JoinRole, *, now_ms: int, expires_s: int = 3600) -> JoinToken:
    """Return a new token for *role*. Raises ValueError when *expires_s* isn't between 1 s and 30 days."""
    if not 1 <= expires_s <= MAX_EXPIRY_S:
        raise ValueError(f"expires_s must be from 1 to {MAX_EXPIRY_S}, not {expires_s}")
    token = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return JoinToken(str(uuid.uuid4()), token, hash_join_token(token), role, now_ms + expires_s * 1000)


def hash_join_token(token: str) -> str:
    """Return the text under which a token is stored and looked up; harmless for any text a stranger sends."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def check_join_token(token: str, stored: StoredJoinToken | None, *, now_ms: int) -> StoredJoinToken:
    """Return *stored* if *token* may be used now; call it inside the unit that marks it used.

    Raises AuthenticationFailed for a token that's unknown, used or expired; the three read the same to a stranger
    except in the reason for an expired or used one, which only its holder can reach.
    """
    if stored is None or not hmac.compare_digest(stored.token_hash, hash_join_token(token)):
        raise AuthenticationFailed("the join token is not known")
    if stored.used_at is not None:
        raise AuthenticationFailed("the join token was used already")
    if now_ms >= stored.expires_at:
        raise AuthenticationFailed("the join token has expired")
    return stored
