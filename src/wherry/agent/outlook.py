"""Whether passes will get small enough for a freeze, and which processes stand in the way: for figures, log and errors.

The forecast itself is `wherry.replication.forecast`; here is the history that it's made of.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from wherry.agent.decisions import small_enough
from wherry.contract.wherry import ForecastFigures, WriterFigures
from wherry.disks.writers import Charged, Writer, busiest, sample
from wherry.replication.forecast import Forecast, PassPoint, forecast
from wherry.replication.sending import PassFigures

log = structlog.get_logger(__name__)

USUAL_FREEZE_MS = 50.0
"""What freezing and thawing cost by themselves, while none was seen yet."""

_KEPT = 12
_LONGEST_NAME = 255


class Outlook:
    """Watches the passes of one task that are run while the server works."""

    def __init__(
        self,
        max_freeze_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[], Mapping[int, Charged]] = sample,
    ) -> None:
        """*look* tells what each process has written so far."""
        self._max_freeze_s = max_freeze_s
        self._clock = clock
        self._look = look
        self._points: list[PassPoint] = []
        self._began: float | None = None
        self._previous: float | None = None
        self._written: Mapping[int, Charged] = {}
        self._written_at = 0.0
        self.freeze_ms = USUAL_FREEZE_MS
        """What freezing and thawing cost by themselves, as far as it's known; see `fade`."""
        self.writers: Sequence[WriterFigures] = ()
        """Who wrote most in the time that the last pass looked at, when a freeze won't fit; the busiest first."""

    def begin(self) -> None:
        """A pass begins, right after the cut that says what it looks at."""
        self._previous, self._began = self._began, self._clock()

    def end(self, figures: PassFigures, rate_mbit: float) -> ForecastFigures | None:
        """The pass was committed; return what is to be expected, None while nothing is known.

        The first pass tells nothing: it sends what is there, not what changes. *rate_mbit*: the limit that holds.
        """
        now = self._clock()
        if self._previous is None or self._began is None:
            self._remember(now)
            return None
        seconds, since_s = now - self._began, self._began - self._previous
        point = PassPoint(figures.changed_bytes, figures.sent_bytes, seconds, since_s)
        self._points = [*self._points, point][-_KEPT:]
        # What changed while this pass ran is what the next one has to send.
        waiting = round(seconds * point.changed_bytes / max(since_s, 1e-3))
        found = forecast(
            self._points,
            remaining_bytes=waiting,
            small_bytes=small_enough(rate_mbit, self._max_freeze_s),
            freeze_ms=self.freeze_ms,
            limit_mbit=rate_mbit,
        )
        self.writers = () if found is None or self._fits(found) else self._busiest(now)
        self._remember(now)
        return None if found is None else self._tell(found)

    def fade(self) -> None:
        """Count half of what the last freeze cost beyond the usual: the load that made it so may be gone.

        Where it stands in the way, no freeze is tried that could tell.
        """
        self.freeze_ms = USUAL_FREEZE_MS + max(0.0, self.freeze_ms - USUAL_FREEZE_MS) / 2

    @property
    def busiest(self) -> str:
        """The busiest writers in words; "" when there's none to name."""
        return ", ".join(f"{each.name} ({each.pid}) {each.bytes_per_s / 1e6:.1f} MB/s" for each in self.writers)

    def _fits(self, found: Forecast) -> bool:
        """Tell whether passes get so small that the last one fits into a freeze."""
        return found.converges and found.frozen_ms is not None and found.frozen_ms <= 1000 * self._max_freeze_s

    def _tell(self, found: Forecast) -> ForecastFigures:
        if not found.converges:
            log.warning("will_not_converge", needed_mbit=round(found.needed_mbit, 1), writers=self.busiest)
        return ForecastFigures(
            converges=found.converges,
            seconds=None if found.seconds is None else round(found.seconds, 1),
            frozen_ms=None if found.frozen_ms is None else round(found.frozen_ms, 1),
            needed_mbit=round(found.needed_mbit, 1),
            writers=list(self.writers),
        )

    def _remember(self, now: float) -> None:
        self._written, self._written_at = self._look(), now

    def _busiest(self, now: float) -> list[WriterFigures]:
        seconds = max(now - self._written_at, 1e-3)
        return [_line(writer, seconds) for writer in busiest(self._written, self._look())]


def _line(writer: Writer, seconds: float) -> WriterFigures:
    name = writer.name.encode("utf-8", "replace").decode()[:_LONGEST_NAME]
    return WriterFigures(pid=writer.pid, name=name, bytes_per_s=round(writer.written_bytes / seconds))
