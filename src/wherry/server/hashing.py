"""Passwords, hashed and checked off the event loop, a few at a time."""

import asyncio

from wherry.iam.passwords import hash_password, password_matches

_HASHING = asyncio.Semaphore(2)
"""Each takes 64 MiB and tens of milliseconds: strangers mustn't start many at once."""


async def hashed(password: str) -> str:
    """Return *password* hashed with a new salt."""
    async with _HASHING:
        return await asyncio.to_thread(hash_password, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Tell whether *password* is the one that was hashed; None takes as long and is False."""
    async with _HASHING:
        return await asyncio.to_thread(password_matches, password_hash, password)
