"""When a delivery that didn't arrive is tried again, and when it's given up. Pure: chance comes from the caller."""

from typing import Final

BUDGET_S: Final = 24 * 3600
"""How long a delivery is tried, in seconds since it was due for the first time."""

FIRST_PAUSE_S: Final = 5
LONGEST_PAUSE_S: Final = 3600
_GROWTH: Final = 3
_SPREAD: Final = 0.25

HOLDS_BACK: Final = 5
"""So many attempts long, later events of the same subject wait behind one that doesn't arrive; then they overtake."""


def pause_s(attempts: int, chance: float) -> float:
    """Return how long to wait after so many attempts that failed, in seconds; *chance* from 0 to 1 spreads it.

    Three times as long after each, an hour at most, and a quarter more or less.
    """
    exponent = min(max(attempts, 1) - 1, 20)
    pause = min(float(FIRST_PAUSE_S * _GROWTH**exponent), float(LONGEST_PAUSE_S))
    return pause * (1 - _SPREAD + 2 * _SPREAD * chance)


def next_due(now: int, first_due_at: int, attempts: int, chance: float) -> int | None:
    """Return when a delivery that has just failed is due again, in epoch milliseconds; None: its budget is spent."""
    due_at = now + round(pause_s(attempts, chance) * 1000)
    return due_at if due_at - first_due_at <= BUDGET_S * 1000 else None
