"""Locking out who fails too often, without a handle to lock out others.

What is counted is a name (an access key, a user) together with the address that tries it: whoever merely knows somebody
else's key id can lock out nobody but his own address. An address from which the name was let in lately is trusted with
it, so that a stranger behind the same proxy or gateway can't shut out a colleague: there a lock takes far more
failures, or, for access keys, whose secrets nobody can guess, never comes.
"""

import functools
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wherry.iam.memory import Memory

MOST_FAILURES: Final = 20
WITHIN_S: Final = 600.0
LOCKED_S: Final = 300.0
TRUSTED_S: Final = 3600.0


@dataclass(slots=True)
class _Failures:
    count: int
    since: float
    locked_until: float = 0.0


class Lockout:
    """Counts failures by name and address. For one event loop; forgets the oldest when it's full.

    Args:
        steady: seconds of a clock that is never set.
        most: failures within ten minutes that lock for five.
        most_trusted: the same for an address that the name was let in from in the last hour; None: it's never locked.
    """

    def __init__(
        self,
        steady: Callable[[], float] = time.monotonic,
        *,
        most: int = MOST_FAILURES,
        most_trusted: int | None = None,
    ) -> None:
        self._steady = steady
        self._most = most
        self._most_trusted = most_trusted
        self._failures: Memory[tuple[str, str], _Failures] = Memory(WITHIN_S + LOCKED_S, steady)
        self._trusted: Memory[tuple[str, str], bool] = Memory(TRUSTED_S, steady)

    def locked_s(self, name: str, peer: str) -> float:
        """Return for how many seconds more *peer* may not try *name*; 0.0: it may."""
        if not self._failures:  # as nearly always
            return 0.0
        failures = self._failures.get((name, network_of(peer)))
        return 0.0 if failures is None else max(0.0, failures.locked_until - self._steady())

    def failed(self, name: str, peer: str) -> None:
        """Count a failure."""
        pair, now = (name, network_of(peer)), self._steady()
        most = self._most_trusted if self._trusted.get(pair) else self._most
        if most is None:
            return
        failures = self._failures.get(pair)
        if failures is None or now - failures.since > WITHIN_S or 0.0 < failures.locked_until <= now:
            failures = _Failures(0, now)
            self._failures.put(pair, failures)
        failures.count += 1
        if failures.count >= most:
            failures.locked_until = now + LOCKED_S

    def succeeded(self, name: str, peer: str) -> None:
        """Trust this address with this name for an hour, and forget what it failed before."""
        pair = (name, network_of(peer))
        if not self._trusted.get(pair):
            self._trusted.put(pair, True)  # noqa: FBT003 - a set with a time limit
        if self._failures:
            self._failures.drop(pair)


@functools.lru_cache(maxsize=4096)
def network_of(peer: str) -> str:
    """Return the address, or of an IPv6 address its /64: whoever has one address there has all of them."""
    if ":" not in peer:
        return peer
    try:
        return str(ipaddress.IPv6Network((peer.partition("%")[0], 64), strict=False))
    except ValueError:
        return peer
