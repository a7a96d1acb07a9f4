"""What the bottleneck is, and how the level of compression follows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.levels import LEVELS, LevelControl
from wherry.replication.stages import Bottleneck, StageTimes, bottleneck


@pytest.mark.parametrize(
    ("times", "idle", "storing", "expected"),
    [
        (StageTimes(reading=2.5, working=0.3, sending=0.2, unfed=0.8), 0.9, 0.1, Bottleneck.SOURCE_READ),
        (StageTimes(reading=0.3, working=2.6, sending=0.2, unfed=0.7), 0.9, 0.1, Bottleneck.CPU),
        (StageTimes(reading=0.1, working=0.2, starved=2.5, sending=0.9), 0.1, 0.2, Bottleneck.CPU),
        (StageTimes(reading=0.1, working=0.2, starved=2.5, blocked=0.9), 0.8, 0.1, Bottleneck.WIRE),
        (StageTimes(reading=0.1, working=0.2, starved=2.5, blocked=0.9), 0.05, 0.95, Bottleneck.TARGET_WRITE),
        (StageTimes(reading=0.1, working=0.2, starved=2.5, blocked=0.9), 0.05, 0.2, Bottleneck.CPU),
        (StageTimes(reading=0.1, working=0.2, starved=2.5, paced=0.9), 0.9, 0.1, Bottleneck.LIMIT),
        (StageTimes(reading=0.3, working=0.2, guarded=2.4, unfed=0.9), 0.9, 0.1, Bottleneck.GUARD),
        (StageTimes(), 0.9, 0.1, Bottleneck.UNKNOWN),
    ],
)
def test_what_the_others_wait_for_is_the_bottleneck(
    times: StageTimes, idle: float, storing: float, expected: Bottleneck
) -> None:
    assert bottleneck(times, connections=1, seconds=1, idle=idle, storing=storing) is expected
    doubled = StageTimes(*(2 * getattr(times, name) for name in StageTimes.__slots__))
    assert bottleneck(doubled, connections=2, seconds=1, idle=2 * idle, storing=storing) is expected


def test_no_time_is_no_bottleneck() -> None:
    assert bottleneck(StageTimes(reading=1), connections=1, seconds=0, idle=0, storing=0) is Bottleneck.UNKNOWN


def test_seconds_are_taken_apart() -> None:
    times = StageTimes(reading=3, blocked=4)
    assert times.since(StageTimes(reading=1)) == StageTimes(reading=2, blocked=4)


def levels_while(control: LevelControl, seen: Bottleneck, looks: int) -> list[int | None]:
    found = []
    for _ in range(looks):
        control.advise(seen)
        found.append(control.level)
    return found


def test_the_wire_makes_it_pack_harder_and_the_processor_less() -> None:
    control = LevelControl()
    assert control.level == -3
    assert levels_while(control, Bottleneck.WIRE, 20)[-1] == 6
    assert levels_while(control, Bottleneck.CPU, 40)[-1] is None
    assert levels_while(LevelControl(), Bottleneck.LIMIT, 20)[-1] == 6


@pytest.mark.parametrize(
    "seen", [Bottleneck.SOURCE_READ, Bottleneck.TARGET_WRITE, Bottleneck.GUARD, Bottleneck.UNKNOWN]
)
def test_what_packing_does_not_change_leaves_the_level_alone(seen: Bottleneck) -> None:
    assert set(levels_while(LevelControl(1), seen, 20)) == {1}


def test_a_level_that_was_too_slow_is_not_tried_again_soon() -> None:
    control = LevelControl()
    changes = 0
    for _ in range(100):
        before = control.level
        control.advise(Bottleneck.CPU if control.level in {3, 6} else Bottleneck.WIRE)
        changes += control.level != before
    assert changes <= 12


@given(st.lists(st.sampled_from(list(Bottleneck)), max_size=120))
def test_the_level_moves_one_step_at_a_time(seen: list[Bottleneck]) -> None:
    control = LevelControl()
    place = LEVELS.index(control.level)
    for each in seen:
        control.advise(each)
        now = LEVELS.index(control.level)
        assert abs(now - place) <= 1
        place = now
