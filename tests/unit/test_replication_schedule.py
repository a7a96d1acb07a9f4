"""Windows of the day with rates of their own."""

import threading
import time
from datetime import time as time_of_day

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.errors import ScheduleRefused
from wherry.replication.pacing import Pace, Window, rate_at, schedule

minutes = st.integers(0, 24 * 60 - 1)
moments = st.times()
rates = st.floats(0, 1000)


def text(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, str, float]:
    start = draw(minutes)
    end = draw(minutes.filter(lambda minute: minute != start))
    return text(start), text(end), draw(rates)


def minutes_of(start: str, end: str) -> set[int]:
    """Return the minutes of a window, walking through the day as a person would."""
    first, last = (int(hours) * 60 + int(rest) for hours, rest in (start.split(":"), end.split(":")))
    found, minute = set(), first
    while minute != last:
        found.add(minute % 1440)
        minute += 1
        if minute == 1440 and last != 1440:
            minute = 0
    return found


@given(st.lists(windows(), max_size=5), moments, rates)
def test_the_first_window_that_holds_decides(
    given_windows: list[tuple[str, str, float]], moment: time_of_day, otherwise: float
) -> None:
    expected = otherwise
    for start, end, rate in given_windows:
        if moment.hour * 60 + moment.minute in minutes_of(start, end):
            expected = rate
            break
    assert rate_at(schedule(given_windows), moment, otherwise) == expected


@pytest.mark.parametrize(
    ("start", "end", "moment", "holds"),
    [
        ("0:00", "24:00", "00:00:00", True),
        ("0:00", "24:00", "23:59:59", True),
        ("08:00", "18:00", "08:00:00", True),
        ("8:00", "18:00", "18:00:00", False),
        ("8:00", "18:00", "17:59:59", True),
        ("22:00", "6:00", "23:00:00", True),
        ("22:00", "6:00", "05:59:59", True),
        ("22:00", "6:00", "06:00:00", False),
        ("22:00", "24:00", "00:00:00", False),
        ("24:00", "6:00", "00:00:00", True),
    ],
)
def test_the_ends_of_a_window(start: str, end: str, moment: str, holds: bool) -> None:
    assert (rate_at([Window.of(start, end, 7)], time_of_day.fromisoformat(moment)) == 7) is holds


@pytest.mark.parametrize(
    ("start", "end", "rate"),
    [
        ("8:00", "8:00", 1),
        ("0:00", "0:00", 1),
        ("8:0", "9:00", 1),
        ("8", "9:00", 1),
        ("", "9:00", 1),
        ("25:00", "9:00", 1),
        ("24:01", "9:00", 1),
        ("8:60", "9:00", 1),
        ("-1:00", "9:00", 1),
        ("+1:00", "9:00", 1),
        ("1:00:00", "9:00", 1),
        ("²:00", "9:00", 1),
        ("8:00", "9:00", -1),
    ],
)
def test_what_is_no_window_is_refused_in_words(start: str, end: str, rate: float) -> None:
    with pytest.raises(ScheduleRefused) as caught:
        Window.of(start, end, rate)
    assert caught.value.fix


def test_six_windows_are_refused() -> None:
    with pytest.raises(ScheduleRefused, match="6 windows"):
        schedule([(f"{hour}:00", f"{hour}:30", 1.0) for hour in range(6)])


class Day:
    """A time of day that the test turns."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def __call__(self) -> time_of_day:
        return time_of_day.fromisoformat(self.moment)


def test_a_window_that_begins_holds_within_a_second_and_lets_go_at_its_end() -> None:
    day = Day("07:59:59")
    pace = Pace(local=day)
    pace.set_schedule([Window.of("8:00", "18:00", 0.001)])
    assert pace.rate_mbit == 0
    pace.take(1 << 30)
    day.moment = "08:00:00"
    began = time.monotonic()
    while not pace.rate_mbit:
        time.sleep(0.01)
    assert time.monotonic() - began < 1
    waiter = threading.Thread(target=pace.take, args=(1 << 20,))
    waiter.start()
    time.sleep(0.05)
    assert waiter.is_alive()
    day.moment = "18:00:00"
    waiter.join(1)
    assert not waiter.is_alive()


def test_a_new_schedule_holds_at_once_and_the_limit_outside_of_it() -> None:
    pace = Pace(50, local=Day("12:00:00"))
    assert pace.rate_mbit == 50
    pace.set_schedule(schedule([("11:00", "13:00", 5.0)]))
    assert pace.rate_mbit == 5
    pace.set_schedule(schedule([("11:00", "13:00", 0.0)]))
    assert pace.rate_mbit == 0
    pace.set_schedule(schedule([("13:00", "14:00", 5.0)]))
    assert pace.rate_mbit == 50
    pace.set_rate(20)
    assert pace.rate_mbit == 20
    pace.set_schedule([])
    assert pace.rate_mbit == 20
