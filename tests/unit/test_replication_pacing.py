"""The token bucket, by a clock that the tests turn."""

import threading
import time

import pytest

from wherry.replication.pacing import Pace


class TurnedClock:
    """A clock that goes on only by waiting, or by hand."""

    def __init__(self) -> None:
        self.moment = 100.0

    def now(self) -> float:
        return self.moment

    def wait(self, condition: threading.Condition, seconds: float) -> None:  # noqa: ARG002
        assert seconds > 0
        self.moment += seconds


@pytest.mark.parametrize("rate", [1, 10, 100, 1000])
@pytest.mark.parametrize("piece", [1000, 64 * 1024, 1024 * 1024])
def test_the_rate_is_kept(rate: int, piece: int) -> None:
    clock = TurnedClock()
    pace = Pace(rate, clock)
    total, began = 0, clock.now()
    wanted = max(20 * piece, 20 * pace.slice_bytes)
    while total < wanted:
        pace.take(piece)
        total += piece
    expected = rate * 125_000 * (clock.now() - began)
    assert expected - 2 * piece <= total <= expected + piece + pace.slice_bytes


def test_without_a_limit_nobody_waits() -> None:
    clock = TurnedClock()
    for _ in range(1000):
        Pace(0, clock).take(1 << 20)
    assert clock.now() == 100.0


def test_a_pause_is_not_made_up_for_by_a_burst() -> None:
    clock = TurnedClock()
    pace = Pace(8, clock)
    pace.take(pace.slice_bytes)
    clock.moment += 3600
    began = clock.now()
    for _ in range(10):
        pace.take(pace.slice_bytes)
    assert clock.now() - began > 9 * 0.05 * 0.9


def test_a_change_holds_from_now_on() -> None:
    clock = TurnedClock()
    pace = Pace(8, clock)
    for _ in range(20):
        pace.take(50_000)
    began = clock.now()
    assert began - 100 == pytest.approx(1.0, rel=0.1)
    pace.set_rate(80)
    assert pace.rate_mbit == 80
    for _ in range(200):
        pace.take(50_000)
    assert clock.now() - began == pytest.approx(1.0, rel=0.1)


def test_who_waits_notices_a_change_and_a_stop() -> None:
    for release in ("rate", "stop"):
        pace, stop = Pace(0.001), threading.Event()
        waiter = threading.Thread(target=pace.take, args=(1 << 20, stop))
        waiter.start()
        time.sleep(0.05)
        assert waiter.is_alive()
        if release == "rate":
            pace.set_rate(0)
        else:
            stop.set()
        waiter.join(2)
        assert not waiter.is_alive()
