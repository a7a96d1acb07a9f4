"""Whether a channel has seen as many sectors as the disk's statistics count: the comparison, over several looks.

Both grow all the time, and the statistics a moment after the tracing. What doesn't change as long as nothing is lost is
their difference, the *offset*, looked at in moments in which no request is completed. A loss makes it larger for good.
"""

_CONFIRMING_LOOKS = 3
_CONFIRMING_S = 0.02
"""A difference counts once it was seen so often, over so long: until then a request may just be on its way from the
tracing to the statistics."""
_BASELINE_LOOKS = 4


class Balance:
    """The comparison of one channel of one disk, from one verdict to the next."""

    def __init__(self, baseline: int | None) -> None:
        """*baseline* is the offset that is right; None to find it: the highest of a few looks."""
        self.baseline = baseline
        self.offset: int | None = None
        """The offset that was found, None as long as it's open."""
        self._looks: list[tuple[int, float]] = []
        self._bounds: list[tuple[int, float]] = []

    @property
    def settled(self) -> bool:
        """Whether no further look is needed."""
        return self.offset is not None

    @property
    def missing(self) -> int | None:
        """Sectors that the statistics have and the channel hasn't; None as long as it's open."""
        if self.offset is None or self.baseline is None:
            return None
        return self.offset - self.baseline

    @property
    def likely(self) -> int | None:
        """The offset that was found, or the highest that was looked at; None when there was no look."""
        return max((offset for offset, _ in self._looks), default=None) if self.offset is None else self.offset

    def look(self, offset: int, at_s: float) -> None:
        """Take in the *offset* of a moment without completions, looked at when the clock showed *at_s*."""
        if self.settled:
            return
        if offset == self.baseline:
            self.offset = offset
            return
        self._looks.append((offset, at_s))
        if self.baseline is None:
            # A loss before the baseline does no harm, a request that isn't in the statistics yet would.
            if len(self._looks) >= _BASELINE_LOOKS:
                self.offset = max(found for found, _ in self._looks)
            return
        same = [at for found, at in self._looks if found == offset]
        if len(same) >= _CONFIRMING_LOOKS and same[-1] - same[0] >= _CONFIRMING_S:
            self.offset = offset

    def bound(self, offset: int, at_s: float) -> None:
        """Take in the lowest *offset* possible, from a moment with completions: it says something if it's too high."""
        if self.settled or self.baseline is None or offset <= self.baseline:
            return
        self._bounds.append((offset, at_s))
        if len(self._bounds) >= _CONFIRMING_LOOKS and at_s - self._bounds[0][1] >= _CONFIRMING_S:
            self.offset = min(found for found, _ in self._bounds)
