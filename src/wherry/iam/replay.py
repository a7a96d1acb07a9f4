"""Refusing a signed request that was used before (ADR 0008).

A signature covers the second it was made in and nothing that is unique, so the same request sent twice in one second
has the same signature, and clients that retry below their signer send the very bytes again. Hence a signature may come
again for a few seconds from the address that it first came from; after that, or from elsewhere, it's a replay.

What was used is remembered by the process, which tells the others, until its date is too old for any signature, or too
far ahead; and a clock that is set must not make it forget what is good again once it's set back, so the dates are
compared with all the times that the clock has shown in the last quarter of an hour. The memory is bounded for each key
and in all. What a full memory forgets takes its date with it: anything the key signed up to then is refused, so that
forgetting never lets a replay in, and a key that floods is a burden to nobody but itself.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.signature import MAX_SKEW_S, Claim

GRACE_S: Final = 5.0
"""How long after its first use a signature may come again from the same address."""

MOST_OF_KEY: Final = 32_768
MOST: Final = 262_144
"""Signatures that are remembered at most, of one key and of all: about 30 MB."""

NOTICE: Final = "used:"
"""How the notices begin by which processes tell each other what was used."""

_SWEEP_S: Final = 60.0
_SHOWN_S: Final = 900.0
"""How long it counts what time the clock has shown."""


class _Used:
    """What one key has used: signatures with their dates, and the date before which nothing is known any more."""

    __slots__ = ("dates", "floor")

    def __init__(self) -> None:
        self.dates: dict[int, int] = {}
        self.floor = 0

    def forget_half(self) -> int:
        """Forget the older half, by their dates, and return how many that were."""
        by_date = sorted(self.dates.values())
        self.floor = by_date[len(by_date) // 2]
        if by_date[0] == self.floor:
            self.floor += 1  # at least one goes, even where all have the same date
        return self.forget_outside(self.floor, by_date[-1])

    def forget_outside(self, first: int, last: int) -> int:
        """Forget what wasn't signed from *first* to *last* (epoch seconds), and return how many that were."""
        before = len(self.dates)
        self.dates = {signature: signed for signature, signed in self.dates.items() if first <= signed <= last}
        return before - len(self.dates)


class ReplayGuard:
    """Remembers which signatures were used. For one event loop.

    Args:
        clock: the time in epoch seconds, by which dates are judged.
        steady: seconds of a clock that is never set.
        most_of_key: signatures that are remembered of one key.
        most: signatures that are remembered in all.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        *,
        most_of_key: int = MOST_OF_KEY,
        most: int = MOST,
    ) -> None:
        self._clock = clock
        self._steady = steady
        self._most_of_key = most_of_key
        self._most = most
        self._keys: dict[str, _Used] = {}
        self._size = 0
        self._fresh: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._swept = steady()
        self._shown = deque([(self._swept, clock())])

    def __len__(self) -> int:
        return self._size

    def use(self, claim: Claim, peer: str) -> None:
        """Note that the verified *claim* is used, by the address *peer*.

        Raises AuthenticationFailed where it was used before, or may have been.
        """
        now = self._steady()
        self._forget_old(now)
        used = self._of_key(claim.access_key)
        signature = _shortened(claim)
        if claim.signed_at < used.floor:
            raise AuthenticationFailed("the request was signed before the oldest of the key's that is remembered")
        if signature in used.dates:
            first = self._fresh.get(signature)
            if first is None or first[1] != peer:
                raise AuthenticationFailed("the signature was used before; sign the request anew")
            return
        self._note(used, signature, claim.signed_at, (now, peer))

    def notice(self, claim: Claim, peer: str) -> str:
        """Return what tells other processes that *claim* is used now, by the address *peer*. It holds no blanks."""
        return f"{NOTICE}{claim.access_key}:{_shortened(claim)}:{claim.signed_at}:{peer}"

    def hear(self, notice: str) -> None:
        """Note what another process says was used."""
        access_key, signature, signed_at, peer = notice.removeprefix(NOTICE).split(":", 3)
        now = self._steady()
        self._forget_old(now)
        used = self._of_key(access_key)
        if int(signature) not in used.dates and int(signed_at) >= used.floor:
            self._note(used, int(signature), int(signed_at), (now, peer))

    def _of_key(self, access_key: str) -> _Used:
        used = self._keys.get(access_key)
        if used is None:
            used = self._keys[access_key] = _Used()
        return used

    def _note(self, used: _Used, signature: int, signed_at: int, first: tuple[float, str]) -> None:
        used.dates[signature] = signed_at
        self._fresh[signature] = first
        self._size += 1
        if len(used.dates) > self._most_of_key:
            self._size -= used.forget_half()
        elif self._size > self._most:
            self._size -= max(self._keys.values(), key=lambda each: len(each.dates)).forget_half()

    def _forget_old(self, now: float) -> None:
        while self._fresh:
            signature, (at, _) = next(iter(self._fresh.items()))
            if now - at <= GRACE_S:
                break
            del self._fresh[signature]
        if now - self._swept < _SWEEP_S:
            return
        self._swept = now
        self._shown.append((now, self._clock()))
        while now - self._shown[0][0] > _SHOWN_S:
            self._shown.popleft()
        shown = [time for _, time in self._shown]
        first, last = int(min(shown)) - MAX_SKEW_S - 1, int(max(shown)) + MAX_SKEW_S + 1
        for key, used in list(self._keys.items()):
            self._size -= used.forget_outside(first, last)
            if not used.dates and not first < used.floor <= last:
                del self._keys[key]


def _shortened(claim: Claim) -> int:
    """Return 64 of the signature's 256 bits: enough to tell a million signatures apart, and small."""
    return int(claim.signature[:16], 16)
