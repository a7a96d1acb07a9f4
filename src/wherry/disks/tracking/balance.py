"""Whether a channel has seen as many sectors as the disk's statistics count: the comparison, over several looks.

Both grow all the time, and the statistics a moment after the tracing. What doesn't change as long as nothing is lost is
their difference, the *offset*, looked at in moments in which no request is completed. A loss makes it larger for good.
A look with nothing in flight is exact. Otherwise a request may just be on its way from the tracing to the statistics,
for milliseconds on a busy machine, and makes the offset too low.
"""

_EXACT_LOOKS = 2
_CONFIRMING_LOOKS = 3
_CONFIRMING_S = 0.02
"""A difference counts once it was seen so often, over so long where looks aren't exact."""
_BASELINE_LOOKS = 4


class Balance:
    """The comparison of one channel of one disk, from one verdict to the next."""

    def __init__(self, baseline: int | None) -> None:
        """*baseline* is the offset that is right; None to find it: an exact one, or the highest of a few."""
        self.baseline = baseline
        self.offset: int | None = None
        """The offset that was found, None as long as it's open."""
        self.is_rough = False
        """Whether the offset that was found is only the lowest possible."""
        self._exact: list[int] = []
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

    def look(self, offset: int, at_s: float, *, exact: bool = False) -> None:
        """Take in the *offset* of a moment without completions, looked at when the clock showed *at_s*.

        *exact*: nothing was in flight.
        """
        if self.settled:
            return
        self._looks.append((offset, at_s))
        if exact:
            self._exact.append(offset)
        if offset == self.baseline or (exact and self._is_enough(offset)):
            self.offset = offset
        elif self.baseline is None:
            # A loss before the baseline does no harm, a request that isn't in the statistics yet would.
            if len(self._looks) >= _BASELINE_LOOKS:
                self.offset = max(found for found, _ in self._looks)
        elif self._lasts(offset):
            self.offset = offset

    def bound(self, offset: int, at_s: float) -> None:
        """Take in the lowest *offset* possible, from a moment with completions: it says something if it's too high."""
        if self.settled or self.baseline is None or offset <= self.baseline:
            return
        self._bounds.append((offset, at_s))
        if len(self._bounds) >= _CONFIRMING_LOOKS and at_s - self._bounds[0][1] >= _CONFIRMING_S:
            self.offset = min(found for found, _ in self._bounds)
            self.is_rough = True

    def _is_enough(self, offset: int) -> bool:
        return self.baseline is None or self._exact.count(offset) >= _EXACT_LOOKS

    def _lasts(self, offset: int) -> bool:
        times = [at for found, at in self._looks if found == offset]
        return len(times) >= _CONFIRMING_LOOKS and times[-1] - times[0] >= _CONFIRMING_S
