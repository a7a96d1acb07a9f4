"""Waiting between tries, and calls that are repeated until they are answered."""

import threading

import pytest

from wherry.client.errors import AnswerUnreadable, ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast, Stopped


def longest(_low: float, high: float) -> float:
    return high


def test_waits_double_up_to_a_ceiling_and_begin_again_after_a_success() -> None:
    patience = Patience(first_s=1.0, ceiling_s=5.0, uniform=longest)
    assert [patience.next_delay_s() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    patience.reset()
    assert patience.next_delay_s() == 1.0


def test_every_wait_is_spread_over_half_of_its_bound() -> None:
    bounds: list[tuple[float, float]] = []

    def note(low: float, high: float) -> float:
        bounds.append((low, high))
        return low

    Patience(first_s=2.0, uniform=note).next_delay_s()
    assert bounds == [(1.0, 2.0)]


def test_thousands_of_failures_do_not_overflow() -> None:
    patience = Patience(ceiling_s=7.0, uniform=longest)
    assert [patience.next_delay_s() for _ in range(5000)][-1] == 7.0


def test_a_stop_ends_the_wait_at_once() -> None:
    stop = threading.Event()
    stop.set()
    assert not Patience(first_s=3600.0, ceiling_s=3600.0).wait(stop)


class Plane:
    """Fails as it's told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


UNREACHABLE = ControlPlaneUnreachable(endpoint="https://here", reason="nobody")
UNREADABLE = AnswerUnreadable(operation="ShowTask", reason="a page of a proxy")
BUSY = ControlPlaneError("SMS.0001", "later", status=503)
REFUSED = ControlPlaneError("SMS.9004", "no", status=403)


def steadfast(stop: threading.Event | None = None) -> Steadfast:
    return Steadfast(threading.Event() if stop is None else stop, Patience(first_s=0.0))


def test_a_steadfast_call_outlives_a_control_plane_that_is_away_or_busy() -> None:
    assert steadfast()(Plane(UNREACHABLE, BUSY, UNREADABLE, UNREACHABLE)) == "answer"


def test_a_refusal_is_not_asked_again() -> None:
    plane = Plane(REFUSED)
    with pytest.raises(ControlPlaneError):
        steadfast()(plane)
    assert plane() == "answer"


def test_an_answer_of_any_kind_makes_the_waits_short_again() -> None:
    bounds: list[float] = []

    def note(_low: float, high: float) -> float:
        bounds.append(high)
        return 0.0

    sure = Steadfast(threading.Event(), Patience(first_s=1.0, uniform=note))
    assert sure(Plane(UNREACHABLE, UNREACHABLE)) == "answer"
    with pytest.raises(ControlPlaneError):
        sure(Plane(UNREACHABLE, REFUSED))
    assert sure(Plane(UNREACHABLE)) == "answer"
    assert bounds == [1.0, 2.0, 1.0, 1.0]


def test_a_steadfast_call_ends_with_the_work_but_its_last_word_is_said() -> None:
    stop = threading.Event()
    stop.set()
    assert steadfast(stop).stopped
    with pytest.raises(Stopped):
        steadfast(stop)(Plane(UNREACHABLE))
    assert steadfast(stop)(Plane()) == "answer"


def test_a_pause_is_spread_and_ended_by_a_stop() -> None:
    stop = threading.Event()
    bounds: list[tuple[float, float]] = []

    def note(low: float, high: float) -> float:
        bounds.append((low, high))
        return 0.0

    Steadfast(stop, Patience(), uniform=note).pause(10.0)
    assert bounds == [(8.0, 12.0)]
    stop.set()
    with pytest.raises(Stopped):
        steadfast(stop).pause(3600.0)
