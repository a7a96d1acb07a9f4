"""Passwords by argon2id. Both functions take tens of milliseconds of CPU on purpose: call them off the event loop."""

import functools
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# Parameters of RFC 9106's second recommendation: 64 MiB, three passes.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
_MAX_PASSWORD: Final = 1024


def hash_password(password: str) -> str:
    """Return *password* hashed with a new salt, in argon2's own text form."""
    return _HASHER.hash(password)


def password_matches(password_hash: str | None, password: str) -> bool:
    """Tell whether *password* is the one that was hashed.

    With None or an empty hash (no such user, or one without a password) it works as long as it would for a real one and
    returns False, so that the answer's delay doesn't tell who exists.
    """
    if len(password) > _MAX_PASSWORD:
        return False
    try:
        return _HASHER.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(password_hash: str) -> bool:
    """Tell whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def generate_password() -> str:
    """Return a new password of 24 characters, as the first start gives to the user admin."""
    return secrets.token_urlsafe(18)


@functools.cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))
