"""From a request to a principal: by a signature of an access key, or by a token.

A token wins when both are sent. What was looked up is kept for a few seconds, because a look-up costs more than the
whole check; whoever changes a key or a user calls `forget_key` or `forget_user` at once, so that the delay only exists
between several processes.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from wherry.iam.directory import Directory, User, UserName
from wherry.iam.keys import SecretBox
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.signature import SignedRequest, read_claim, verify
from wherry.iam.tokens import TokenClaims, TokenIssuer

REMEMBER_S: Final = 5.0
_REMEMBERED: Final = 8192

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _OpenKey:
    secret: bytes
    principal: Principal


class Authenticator:
    """Finds out who sent a request."""

    def __init__(
        self,
        directory: Directory,
        box: SecretBox,
        tokens: TokenIssuer,
        *,
        clock: Callable[[], float] = time.time,
        remember_s: float = REMEMBER_S,
    ) -> None:
        self._directory = directory
        self._box = box
        self._tokens = tokens
        self._clock = clock
        self._keys: _Memory[str, _OpenKey] = _Memory(remember_s, clock)
        self._shown: _Memory[bytes, tuple[Principal, TokenClaims]] = _Memory(remember_s, clock)

    async def authenticate(self, request: SignedRequest) -> Principal:
        """Return the principal of *request*. Raises AuthenticationFailed, and nothing else for whatever was sent."""
        for name, value in request.headers:
            if name == b"x-auth-token":
                principal, _ = await self.by_token(value.decode("latin-1").strip())
                return principal
        return await self._by_signature(request)

    async def by_token(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*. Raises AuthenticationFailed."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._shown.get(digest)
        if known is not None and self._clock() * 1000 < known[1].expires_at_ms:
            return known
        claims = self._tokens.read(token, now_ms=int(self._clock() * 1000))
        user = await self._directory.user(UserName(id=claims.user_id))
        if user is None or not user.enabled or user.domain_id != claims.domain_id:
            raise AuthenticationFailed("the token's user does not exist or is disabled")
        if await self._directory.token_revoked(claims.revocation_id, claims.user_id, claims.issued_at_ms):
            raise AuthenticationFailed("the token was revoked", code="APIGW.0307")
        found = (principal_of(user, claims), claims)
        self._shown.put(digest, found)
        return found

    def forget_key(self, access_key: str) -> None:
        """Look the key up again at its next use: it was changed, bound or deleted."""
        self._keys.drop(access_key)

    def forget_user(self, user_id: str) -> None:
        """Look the user up again at the next use of any of its tokens and keys."""
        self._keys.drop_where(lambda key: key.principal.user_id == user_id)
        self._shown.drop_where(lambda shown: shown[0].user_id == user_id)

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
        policies=user.policies,
        token_id=claims.revocation_id,
    )


K = TypeVar("K")


class _Memory(Generic[K, T]):
    """The last look-ups, each for a few seconds; the oldest go first when there are too many."""

    def __init__(self, remember_s: float, clock: Callable[[], float]) -> None:
        self._remember_s = remember_s
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, T]] = OrderedDict()

    def get(self, key: K) -> T | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry[0]:
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: K, value: T) -> None:
        self._entries[key] = (self._clock() + self._remember_s, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)

    def drop_where(self, test: Callable[[T], bool]) -> None:
        for key in [key for key, (_, value) in self._entries.items() if test(value)]:
            del self._entries[key]
