"""The time that requests are signed for, learned from the control plane's refusals."""

from email.utils import formatdate

import pytest
from structlog.testing import capture_logs

from wherry.client.server_time import TOLERATED_S, ServerTime

NOON = 1_790_000_000.0
YEAR = 365 * 86400.0


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def date(at: float) -> str:
    return formatdate(at, usegmt=True)


@pytest.mark.parametrize("off_s", [-10 * YEAR, -3600.0, 3600.0, 10 * YEAR])
def test_a_refusal_tells_the_time(off_s: float) -> None:
    clock = Clock(NOON + off_s)
    server_time = ServerTime(clock)
    assert server_time.now() == NOON + off_s
    assert server_time.learn(date(NOON), server_time.now())
    assert server_time.now() == NOON
    clock.now += 60
    assert server_time.now() == NOON + 60


def test_every_request_that_was_under_way_may_be_signed_anew_and_the_difference_is_said_once() -> None:
    server_time = ServerTime(Clock(NOON - 3600))
    signed = [server_time.now() for _ in range(3)]
    with capture_logs() as said:
        assert all(server_time.learn(date(NOON), signed_for) for signed_for in signed)
    assert said == [{"event": "clocks_differ", "log_level": "warning", "control_plane_ahead_s": 3600}]


def test_what_was_signed_for_the_right_time_was_refused_for_something_else() -> None:
    server_time = ServerTime(Clock(NOON - 3600))
    server_time.learn(date(NOON), server_time.now())
    assert not server_time.learn(date(NOON), server_time.now())
    assert not server_time.learn(date(NOON), NOON - TOLERATED_S + 1)


def test_a_clock_that_is_set_while_the_program_runs_is_followed() -> None:
    clock = Clock(NOON)
    server_time = ServerTime(clock)
    for jump in (3600, -YEAR, YEAR, -3600):
        clock.now += jump
        assert server_time.learn(date(NOON), server_time.now())
        assert server_time.now() == NOON


@pytest.mark.parametrize("header", ["", "noon", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_refusal_without_a_time_teaches_nothing(header: str) -> None:
    server_time = ServerTime(Clock(NOON))
    assert not server_time.learn(header, NOON - YEAR)
    assert server_time.now() == NOON
