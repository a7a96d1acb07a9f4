"""From a request to a principal: by a signature of an access key, or by a token.

A token wins when both are sent. What was looked up is kept for a few seconds, because a look-up costs more than the
whole check; what changes a key or a user is told to `forget_key` or `forget_user` of every process at once (see
`Transaction.key_changed`), so the few seconds only matter where that message is lost.
"""

import hashlib
import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wherry.iam.directory import Directory, UserName
from wherry.iam.keys import SecretBox
from wherry.iam.lockout import Lockout
from wherry.iam.memory import Memory
from wherry.iam.principals import Kind, Principal
from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.replay import ReplayGuard
from wherry.iam.signature import Claim, SignatureMismatch, SignedRequest, read_claim, verify
from wherry.iam.temporary_keys import TemporaryKeyIssuer
from wherry.iam.token_reading import TokenReader
from wherry.iam.tokens import TokenClaims

REMEMBER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _OpenKey:
    secret: bytes
    principal: Principal


@dataclass(frozen=True, slots=True)
class _TemporaryKey:
    security_token: bytes
    key: _OpenKey
    expires_at_ms: int


class Authenticator:
    """Finds out who sent a request.

    Args:
        directory: knows the access keys.
        box: opens their secrets.
        tokens: knows whom a token stands for.
        temporary: reads the security tokens of temporary keys.
        clock: the time in epoch seconds, by which dates are judged.
        steady: seconds of a clock that is never set, by which it is measured how long something was.
        remember_s: how long a look-up counts, in seconds.
    """

    def __init__(
        self,
        directory: Directory,
        box: SecretBox,
        tokens: TokenReader,
        temporary: TemporaryKeyIssuer,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        remember_s: float = REMEMBER_S,
    ) -> None:
        self._directory = directory
        self._box = box
        self._tokens = tokens
        self._temporary = temporary
        self._clock = clock
        self._keys: Memory[str, _OpenKey] = Memory(remember_s, steady)
        self._temporary_keys: Memory[str, _TemporaryKey] = Memory(remember_s, steady)
        self._shown: Memory[bytes, tuple[Principal, TokenClaims]] = Memory(remember_s, steady)
        self._replays = ReplayGuard(clock, steady)
        self._lockout = Lockout(steady)

    async def authenticate(self, request: SignedRequest, *, once: bool = False) -> Principal:
        """Return the principal of *request*. With *once* its signature may not have been used before (ADR 0008).

        Raises AuthenticationFailed, and nothing else for whatever was sent; where tokens are read elsewhere, ApiError
        with status 503 while that place is away.
        """
        token = request.fields.get(b"x-auth-token")
        if token is not None:
            principal, _ = await self.by_token(token.decode("latin-1").strip())
            return principal
        security_token = request.fields.get(b"x-security-token")
        return await self._by_signature(request, None if security_token is None else security_token.strip(), once=once)

    async def by_token(self, token: str) -> tuple[Principal, TokenClaims]:
        """Return the principal and the claims of *token*. Raises what `TokenReader.read` does."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._shown.get(digest)
        if known is not None and self._clock() * 1000 < known[1].expires_at_ms:
            return known
        found = await self._tokens.read(token)
        self._shown.put(digest, found)
        return found

    def use_notice(self, request: SignedRequest) -> str:
        """Return what tells other processes that the signature of *request*, just authenticated, is used."""
        return self._replays.notice(read_claim(request), request.peer)

    def hear_use(self, notice: str) -> None:
        """Note what another process says was used."""
        self._replays.hear(notice)

    def forget_key(self, access_key: str) -> None:
        """Look the key up again at its next use: it was changed, bound or deleted."""
        self._keys.drop(access_key)

    def forget_user(self, user_id: str) -> None:
        """Look the user up again at the next use of any of its tokens and keys."""
        self._keys.drop_where(lambda key: key.principal.user_id == user_id)
        self._temporary_keys.drop_where(lambda known: known.key.principal.user_id == user_id)
        self._shown.drop_where(lambda shown: shown[0].user_id == user_id)

    def forget_everything(self) -> None:
        """Look everything up again: nobody knows what was changed."""
        self._keys.clear()
        self._temporary_keys.clear()
        self._shown.clear()

    async def _by_signature(self, request: SignedRequest, security_token: bytes | None, *, once: bool) -> Principal:
        claim = read_claim(request)
        locked_s = self._lockout.locked_s(claim.access_key, request.peer)
        if locked_s:
            raise AuthenticationFailed(
                f"the access key is locked for this address for {math.ceil(locked_s)} s: too many signatures were wrong"
            )
        if security_token is None:
            key = self._keys.get(claim.access_key) or await self._look_up(claim.access_key)
        else:
            key = await self._temporary_key(claim, security_token)
        try:
            verify(claim, request, key.secret, self._clock())
        except SignatureMismatch:
            self._lockout.failed(claim.access_key, request.peer)
            raise
        self._lockout.succeeded(claim.access_key, request.peer)
        if once:
            self._replays.use(claim, request.peer)
        return key.principal

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

    async def _temporary_key(self, claim: Claim, security_token: bytes) -> _OpenKey:
        if b"x-security-token" not in claim.signed_headers:
            raise AuthenticationFailed("X-Security-Token is not among the signed headers")
        now_ms = int(self._clock() * 1000)
        known = self._temporary_keys.get(claim.access_key)
        if (
            known is not None
            and now_ms < known.expires_at_ms
            and hmac.compare_digest(known.security_token, security_token)
        ):
            return known.key
        claims = self._temporary.read(security_token, claim.access_key, now_ms=now_ms)
        user = await self._directory.user(UserName(id=claims.user_id))
        if user is None or not user.enabled or user.domain_id != claims.domain_id:
            raise AuthenticationFailed("the temporary access key's user does not exist or is disabled")
        if claims.era != user.token_era or await self._directory.token_revoked(claims.token_id):
            raise AuthenticationFailed("the temporary access key was revoked", code="APIGW.0307")
        project = await self._directory.project(user.domain_id)
        principal = Principal(
            kind=Kind.USER,
            domain_id=user.domain_id,
            domain_name=user.domain_name,
            user_id=user.id,
            user_name=user.name,
            project_id="" if project is None else project.id,
            account_owner=user.account_owner,
            operator=user.operator,
            policies=user.policies,
            access_key=claims.access_key,
        )
        key = _OpenKey(claims.secret_key.encode(), principal)
        self._temporary_keys.put(claim.access_key, _TemporaryKey(security_token, key, claims.expires_at_ms))
        return key
