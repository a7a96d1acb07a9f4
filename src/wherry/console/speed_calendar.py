"""The day as a picture: which limit holds when, from a task's speed limits by time of day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wherry.contract.speed import SpeedPeriod

DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the day, in minutes from midnight, and what may be sent in it. *speed* in Mbit/s; 0: no limit."""

    start: int
    end: int
    speed: int

    @property
    def length(self) -> int:
        """How many minutes it is."""
        return self.end - self.start


def day_of(periods: Sequence[SpeedPeriod], otherwise: int) -> list[Span]:
    """Return the whole day in spans of one limit each, as an agent reads *periods*.

    Of periods that overlap the first one counts, and one whose end isn't after its start goes on over midnight.
    *otherwise*: the limit outside of them. A period that nobody can read is left out.
    """
    pieces = [piece for period in periods for piece in _pieces(period)]
    edges = sorted({0, DAY_MIN, *(edge for piece in pieces for edge in (piece.start, piece.end))})
    spans: list[Span] = []
    for start, end in pairwise(edges):
        speed = next((piece.speed for piece in pieces if piece.start <= start < piece.end), otherwise)
        if spans and spans[-1].speed == speed:
            spans[-1] = Span(spans[-1].start, end, speed)
        else:
            spans.append(Span(start, end, speed))
    return spans


def clock(minute: int) -> str:
    """Return a minute of the day as ``8:00``."""
    return f"{minute // 60}:{minute % 60:02}"


def _pieces(period: SpeedPeriod) -> Iterator[Span]:
    start, end, speed = _minute(period.start), _minute(period.end), period.speed or 0
    if start is None or end is None:
        return
    start %= DAY_MIN
    if start < end:
        yield Span(start, end, speed)
        return
    yield Span(start, DAY_MIN, speed)
    if end:
        yield Span(0, end, speed)


def _minute(text: str) -> int | None:
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and len(hour) < 3 and len(minute) == 2):
        return None
    total = int(hour) * 60 + int(minute)
    return total if total <= DAY_MIN and int(minute) < 60 else None
