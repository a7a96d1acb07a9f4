"""Whether passes will get small enough for a freeze, when, and how long the freeze will be. Pure functions.

The model: the server changes its disks at a steady rate, a pass moves changes at a steady rate and costs a fixed time
besides. What is changed while a pass runs is the next pass's work, so that passes shrink by the ratio of the two rates
until the fixed time decides. A pass works with whole granules, and the rates are taken from what passes did, so that
this is in them. Blocks that are written again and again count once a pass, which makes the forecast rather too careful.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LOOKED_AT: Final = 6
"""How many of the newest passes count."""
_MARGIN: Final = 1.25
"""By how much the rate has to exceed that of the changes, so that passes shrink within reasonable time."""
_MOST_PASSES: Final = 1000
_LEAST_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class PassPoint:
    """What a pass did: bytes of disk that had changed, bytes of payload sent for them, and seconds.

    seconds: from its beginning to its commit. since_s: from the beginning of the pass before to that of this one, in
    which the changes came about.
    """

    changed_bytes: int
    sent_bytes: int
    seconds: float
    since_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What a history tells: bytes of disk changed a second, moved a second, and the fixed seconds of a pass.

    payload: bytes sent for each byte that changed.
    """

    change: float
    move: float
    fixed_s: float
    payload: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected.

    converges: False when passes won't get small at this rate. seconds: until the last pass may begin; None when they
    don't. frozen_ms: of the last pass, freeze and commit included; None when they don't. needed_mbit: payload in Mbit/s
    that would do, when they don't; 0 otherwise, and when what changes is zeros, which the line has no part in.
    """

    converges: bool
    seconds: float | None
    frozen_ms: float | None
    needed_mbit: float


def rates(history: Sequence[PassPoint]) -> Rates | None:
    """Return what the passes of *history*, oldest first, tell; None when that's nothing.

    How fast the server changes is taken from the newest ones, how fast passes move from all of them: small ones tell
    next to nothing about that.
    """
    sound = [point for point in history if min(point.seconds, point.since_s) >= _LEAST_S]
    if not sound:
        return None
    newest = sound[-_LOOKED_AT:]
    change = statistics.median(point.changed_bytes / point.since_s for point in newest)
    # No pass moves faster than it can; so the fastest one says at least so much.
    fastest = max(point.changed_bytes / point.seconds for point in sound)
    move = max(_slope(newest), fastest)
    fixed_s = statistics.median(max(0.0, point.seconds - point.changed_bytes / move) for point in newest) if move else 0
    changed = sum(point.changed_bytes for point in newest)
    payload = sum(point.sent_bytes for point in newest) / changed if changed else 1.0
    return Rates(change, move or math.inf, fixed_s, payload)


def forecast(
    history: Sequence[PassPoint], *, remaining_bytes: int, small_bytes: int, freeze_ms: float, limit_mbit: float = 0.0
) -> Forecast | None:
    """Return what is to be expected after the passes of *history*; None when there were none.

    *remaining_bytes*: changed already and not yet sent. *small_bytes*: a last pass of so much is welcome.
    *freeze_ms*: what freezing costs by itself. *limit_mbit*: the rate limit that will hold, 0 for none.
    """
    known = rates(history)
    if known is None:
        return None
    move = known.move
    if limit_mbit > 0:
        move = min(move, limit_mbit * 125_000 / max(known.payload, 1e-6))
    newest = history[-1]
    if max(newest.changed_bytes, remaining_bytes) <= small_bytes:
        # It's there already, whatever the rates are.
        return Forecast(converges=True, seconds=0.0, frozen_ms=freeze_ms + 1000 * newest.seconds, needed_mbit=0.0)
    if known.change * _MARGIN >= move:
        needed = known.change * _MARGIN * known.payload * 8 / 1e6
        return Forecast(converges=False, seconds=None, frozen_ms=None, needed_mbit=needed)
    seconds, left = 0.0, float(max(0, remaining_bytes))
    # Passes can't get smaller than what is changed during the fixed time of one.
    least = known.change * known.fixed_s / (1 - known.change / move)
    enough = max(small_bytes, 1.1 * least)
    for _ in range(_MOST_PASSES):
        if left <= enough:
            break
        duration = left / move + known.fixed_s
        seconds += duration
        left = known.change * duration
    frozen_ms = freeze_ms + 1000 * (known.fixed_s + max(left, min(enough, least)) / move)
    return Forecast(converges=True, seconds=seconds, frozen_ms=frozen_ms, needed_mbit=0.0)


def _slope(points: Sequence[PassPoint]) -> float:
    """Return the bytes a second that the line through passes of different sizes tells; 0 where there's none."""
    changed, seconds = [float(point.changed_bytes) for point in points], [point.seconds for point in points]
    if len(points) < 2 or max(changed) < 2 * min(changed) or not max(changed):
        return 0.0
    slope, fixed_s = statistics.linear_regression(changed, seconds)
    return 1 / slope if slope > 0 and fixed_s >= 0 else 0.0
