"""A memory of look-ups: each entry for a few seconds, the oldest go first when there are too many."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ENTRIES: Final = 8192
"""Entries at most, unless told otherwise."""

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """What was looked up lately.

    Args:
        remember_s: how long an entry counts, in seconds.
        steady: seconds of a clock that is never set.
        entries: how many are kept at most.
    """

    def __init__(self, remember_s: float, steady: Callable[[], float] = time.monotonic, entries: int = ENTRIES) -> None:
        self._remember_s = remember_s
        self._steady = steady
        self._most = entries
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """Return what was put under *key*, or None once its time is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._steady() >= entry[0]:
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Remember *value* under *key* from now on."""
        self._entries[key] = (self._steady() + self._remember_s, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget *key*."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def drop_where(self, test: Callable[[V], bool]) -> None:
        """Forget every entry whose value passes *test*."""
        for key in [key for key, (_, value) in self._entries.items() if test(value)]:
            del self._entries[key]
