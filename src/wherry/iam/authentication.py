"""From a request to a principal: by a signature of an access key, or by a token.

A token wins when both are sent. What was looked up is kept for a few seconds, because a look-up costs more than the
whole check; what changes a key or a user is told to `forget_key` or `forget_user` of every process at once (see
`Transaction.key_changed`), so the few seconds only matter where that message is lost.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wherry.iam.directory import Directory
from wherry.iam.keys import SecretBox
from wherry.iam.memory import Memory
from wherry.iam.principals import Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.signature import SignedRequest, read_claim, verify
from wherry.iam.token_reading import TokenReader
from wherry.iam.tokens import TokenClaims

REMEMBER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _OpenKey:
    secret: bytes
    principal: Principal


class Authenticator:
    """Finds out who sent a request.

    Args:
        directory: knows the access keys.
        box: opens their secrets.
        tokens: knows whom a token stands for.
        clock: the time in epoch seconds.
        remember_s: how long a look-up counts, in seconds.
    """

    def __init__(
        self,
        directory: Directory,
        box: SecretBox,
        tokens: TokenReader,
        *,
        clock: Callable[[], float] = time.time,
        remember_s: float = REMEMBER_S,
    ) -> None:
        self._directory = directory
        self._box = box
        self._tokens = tokens
        self._clock = clock
        self._keys: Memory[str, _OpenKey] = Memory(remember_s, clock)
        self._shown: Memory[bytes, tuple[Principal, TokenClaims]] = Memory(remember_s, clock)

    async def authenticate(self, request: SignedRequest) -> Principal:
        """Return the principal of *request*.

        Raises AuthenticationFailed, and nothing else for whatever was sent; where tokens are read elsewhere, ApiError
        with status 503 while that place is away.
        """
        for name, value in request.headers:
            if name == b"x-auth-token":
                principal, _ = await self.by_token(value.decode("latin-1").strip())
                return principal
        return await self._by_signature(request)

    async def by_token(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*. Raises what `TokenReader.read` does."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._shown.get(digest)
        if known is not None and self._clock() * 1000 < known[1].expires_at_ms:
            return known
        found = await self._tokens.read(token)
        self._shown.put(digest, found)
        return found

    def forget_key(self, access_key: str) -> None:
        """Look the key up again at its next use: it was changed, bound or deleted."""
        self._keys.drop(access_key)

    def forget_user(self, user_id: str) -> None:
        """Look the user up again at the next use of any of its tokens and keys."""
        self._keys.drop_where(lambda key: key.principal.user_id == user_id)
        self._shown.drop_where(lambda shown: shown[0].user_id == user_id)

    def forget_everything(self) -> None:
        """Look everything up again: nobody knows what was changed."""
        self._keys.clear()
        self._shown.clear()

    async def _by_signature(self, request: SignedRequest) -> Principal:
        claim = read_claim(request)
        known = self._keys.get(claim.access_key)
        if known is None:
            known = await self._look_up(claim.access_key)
        verify(claim, request, known.secret, self._clock())
        return known.principal

    async def _look_up(self, access_key: str) -> _OpenKey:
        # Only keys that exist are remembered: otherwise a stranger could fill the memory with invented ones.
        stored = await self._directory.access_key(access_key)
        if stored is None:
            raise AuthenticationFailed("the access key does not exist")
        if not stored.enabled:
            raise AuthenticationFailed("the access key is disabled")
        key = _OpenKey(self._box.open(stored.sealed_secret).encode(), stored.principal)
        self._keys.put(access_key, key)
        return key
