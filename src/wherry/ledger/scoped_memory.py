"""What was read of a scope, for as long as nothing in it can have changed.

A unit with a scope changes nothing outside it, and a unit without one may change anything (`Ledger.write`). So what was
read of a scope holds until a unit of this scope, or one of none, has ended. That goes by the units themselves, not by
what they say of their changes. It takes a ledger that no other process writes to.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

ENTRIES: Final = 16_384
"""Scopes of which something is remembered at most; the oldest are forgotten first."""

V = TypeVar("V")


class ScopedMemory(Generic[V]):
    """One thing of each scope. For one event loop, and to be filled in the turn of the loop in which it was read.

    Args:
        entries: how many are kept at most; 0: none, for a ledger that others write to as well.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self._most = entries
        self._entries: OrderedDict[str, V] = OrderedDict()

    def get(self, scope: str) -> V | None:
        """Return what was put under *scope*; None: nothing, or it may have changed."""
        return self._entries.get(scope)

    def put(self, scope: str, value: V) -> None:
        """Remember *value*, which was just read and hangs on nothing outside *scope*."""
        self._entries[scope] = value
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def unit_ended(self, scope: str) -> None:
        """Forget what a unit of *scope* may have changed; empty: it may have changed anything. For `Ledger.watch`."""
        if scope:
            self._entries.pop(scope, None)
        else:
            self._entries.clear()
