"""Forecasts, against a simulation of passes over a server that changes at a steady rate."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wherry.replication.forecast import Forecast, PassPoint, forecast, rates

MIB = 1 << 20


def simulate(change: float, move: float, fixed_s: float, first: float, passes: int) -> list[PassPoint]:
    """Run *passes* one after the other, the first one over *first* bytes."""
    history, left, since = [], first, first / change if change else 1.0
    for _ in range(passes):
        seconds = left / move + fixed_s
        history.append(PassPoint(round(left), round(left / 2), seconds, since))
        left, since = change * seconds, seconds
    return history


@given(
    change=st.floats(1e4, 1e8),
    ratio=st.floats(0.01, 0.75),
    fixed_s=st.floats(0.05, 2),
    first=st.floats(1e7, 1e10),
    small=st.integers(MIB, 64 * MIB),
)
def test_what_converges_is_forecast_as_it_comes(
    change: float, ratio: float, fixed_s: float, first: float, small: int
) -> None:
    move = change / ratio
    least = change * fixed_s / (1 - ratio)
    assume(first > 20 * max(least, small))
    found = forecast(
        simulate(change, move, fixed_s, first, 3), remaining_bytes=round(first), small_bytes=small, freeze_ms=50
    )
    assert found is not None
    assert found.converges
    assert found.needed_mbit == 0
    assert found.seconds is not None
    assert found.frozen_ms is not None
    seconds, left = 0.0, first
    while left > max(small, 1.1 * least):
        duration = left / move + fixed_s
        seconds, left = seconds + duration, change * duration
    # One pass more or less where it's a near thing.
    assert found.seconds == pytest.approx(seconds, rel=0.3, abs=2 * (2 * least / move + small / move + fixed_s))
    assert 50 < found.frozen_ms <= 50 + 1000 * 1.5 * (fixed_s + max(small, 1.2 * least) / move)


@given(change=st.floats(1e6, 1e9), ratio=st.floats(1.01, 20), backlog_s=st.floats(10, 1000))
def test_what_does_not_converge_names_the_rate_that_would(change: float, ratio: float, backlog_s: float) -> None:
    # Passes that consist of their fixed time tell nothing about the rate, so there's some more to do.
    first = change * backlog_s
    history = simulate(change, change / ratio, 0.1, first, 4)
    found = forecast(history, remaining_bytes=round(first), small_bytes=MIB, freeze_ms=50)
    assert found is not None
    assert not found.converges
    assert found.seconds is None
    assert found.frozen_ms is None
    known = rates(history)
    assert known is not None
    needed = found.needed_mbit * 125_000 / known.payload
    assert needed == pytest.approx(1.25 * known.change)
    better = simulate(change, needed * 1.1, 0.1, first, 6)
    after = forecast(better, remaining_bytes=round(first), small_bytes=MIB, freeze_ms=50)
    assert after is not None
    assert after.converges


@given(
    st.lists(
        st.builds(
            PassPoint,
            st.integers(0, 1 << 50),
            st.integers(0, 1 << 50),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
        ),
        max_size=12,
    ),
    st.integers(0, 1 << 50),
    st.integers(0, 1 << 40),
    st.floats(0, 1e4),
)
def test_any_history_has_a_forecast_that_makes_sense(
    history: list[PassPoint], remaining: int, small: int, limit: float
) -> None:
    found = forecast(history, remaining_bytes=remaining, small_bytes=small, freeze_ms=10, limit_mbit=limit)
    if found is None:
        assert not [point for point in history if min(point.seconds, point.since_s) >= 0.001]
        return
    if found.converges:
        assert found.seconds is not None
        assert found.frozen_ms is not None
        assert found.seconds >= 0
        assert found.frozen_ms >= 10
        assert math.isfinite(found.seconds)
    else:
        assert found.needed_mbit >= 0
        assert math.isfinite(found.needed_mbit)


@given(st.floats(1, 1000), st.floats(1, 1000))
def test_a_lower_limit_never_makes_it_quicker(one: float, other: float) -> None:
    assume(one < other)
    history = simulate(2e6, 2e8, 0.1, 1e9, 4)
    slow, fast = (
        forecast(history, remaining_bytes=10**9, small_bytes=8 * MIB, freeze_ms=10, limit_mbit=limit)
        for limit in (one, other)
    )
    assert slow is not None
    assert fast is not None
    if slow.converges:
        assert fast.converges
        assert slow.seconds is not None
        assert fast.seconds is not None
        assert fast.seconds <= slow.seconds * 1.01 + 1


def test_a_quiet_server_is_ready_at_once() -> None:
    history = [PassPoint(0, 0, 0.2, 5.0)] * 3
    found = forecast(history, remaining_bytes=0, small_bytes=8 * MIB, freeze_ms=60)
    assert found == Forecast(converges=True, seconds=0.0, frozen_ms=260.0, needed_mbit=0.0)


def test_nothing_known_is_no_forecast() -> None:
    assert forecast([], remaining_bytes=1, small_bytes=1, freeze_ms=1) is None
    assert rates([PassPoint(1, 1, 0.0, 0.0)]) is None
