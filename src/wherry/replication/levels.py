"""How hard to compress: the level goes up while the wire is what holds the pass up, and down while the processors are.

Levels of zstd, by the measurements of its speed: -3 packs 1.3 GB a CPU second, 1 0.8, 3 0.3, 6 0.1.
"""

from typing import Final

from wherry.replication.codecs import DEFAULT_LEVEL
from wherry.replication.stages import Bottleneck

LEVELS: Final[tuple[int | None, ...]] = (None, -3, 1, 3, 6)
"""From no packing at all to the hardest."""

_PATIENCE: Final = 2
"""How often in a row the same has to be seen before the level changes."""
_ABSTINENCE: Final = 40
"""For how many looks a level that turned out too slow isn't tried again."""


class LevelControl:
    """The level of one session. `advise` is called at regular intervals, by one thread; any may read `level`."""

    def __init__(self, level: int | None = DEFAULT_LEVEL) -> None:
        self._place = LEVELS.index(level)
        self._wish = 0
        self._seen = 0
        self._looks = 0
        self._too_slow = len(LEVELS)
        self._until = 0

    @property
    def level(self) -> int | None:
        """Zstd's level; None for plain."""
        return LEVELS[self._place]

    def advise(self, seen: Bottleneck) -> None:
        """Take into account what held the pass up since the last call."""
        self._looks += 1
        wish = {Bottleneck.WIRE: 1, Bottleneck.LIMIT: 1, Bottleneck.CPU: -1}.get(seen, 0)
        self._seen = self._seen + 1 if wish == self._wish else 1
        self._wish = wish
        if not wish or self._seen < _PATIENCE:
            return
        self._seen = 0
        if self._looks >= self._until:
            self._too_slow = len(LEVELS)
        place = self._place + wish
        if place < 0 or place >= self._too_slow:
            return
        if wish < 0:
            self._too_slow, self._until = self._place, self._looks + _ABSTINENCE
        self._place = min(place, len(LEVELS) - 1)
