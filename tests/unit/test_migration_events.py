"""Which changes are events, who wants them, and when what didn't arrive is tried again."""

import itertools

import pytest

from wherry.contract.enumerations import LandingState, TaskState, Verdict
from wherry.contract.notifications import EventType
from wherry.contract.wherry import ForecastFigures
from wherry.migration import events
from wherry.migration.delivering import BUDGET_S, LONGEST_PAUSE_S, next_due, pause_s
from wherry.migration.events import Event
from wherry.migration.failures import explain

GOOD, BAD = ForecastFigures(converges=True), ForecastFigures(converges=False, needed_mbit=900)


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        ("", TaskState.READY, EventType.TASK_CREATED),
        (TaskState.READY, TaskState.RUNNING, EventType.TASK_STARTED),
        (TaskState.MIGRATE_FAIL, TaskState.RUNNING, EventType.TASK_STARTED),
        (TaskState.SKIPPING, TaskState.RUNNING, None),
        (TaskState.RUNNING, TaskState.SYNCING, EventType.TASK_SYNCING),
        (TaskState.SKIPPING, TaskState.SYNCING, None),
        (TaskState.ABORTING, TaskState.ABORT, EventType.TASK_STOPPED),
        (TaskState.RUNNING, TaskState.ABORTING, None),
        (TaskState.SYNCING, TaskState.MIGRATE_SUCCESS, EventType.TASK_SUCCEEDED),
        (TaskState.SYNCING, TaskState.SYNC_FAIL, EventType.TASK_FAILED),
        (TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL, None),
        (TaskState.ABORT, TaskState.READY, None),
    ],
)
def test_a_change_of_a_task_is_an_event_where_people_care(
    before: str, after: TaskState, event: EventType | None
) -> None:
    assert events.of_task(before, after) == event


def test_no_state_that_stays_is_news() -> None:
    assert not any(events.of_task(state, state) for state in TaskState)
    assert not any(events.of_landing(state, state) for state in LandingState)


def test_every_way_to_fail_or_succeed_is_told() -> None:
    ends = {TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL, TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS}
    assert all(events.of_task(TaskState.RUNNING, end) for end in ends)
    assert set(events.REHEARSAL) == set(Verdict)


def test_a_forecast_is_told_when_it_turns_bad() -> None:
    assert [events.of_forecast(before, after) for before, after in itertools.product((None, GOOD, BAD), repeat=2)] == [
        *(None, None, EventType.NOT_CONVERGING),
        *(None, None, EventType.NOT_CONVERGING),
        *(None, None, None),
    ]


def test_a_receiver_that_runs_full_is_told_once() -> None:
    low = events.LOW_SPACE_BYTES - 1
    assert events.of_space(10**12, low, announced=True) == EventType.RECEIVER_LOW_ON_SPACE
    assert events.of_space(low, low - 1, announced=True) is None
    assert events.of_space(low, 10**12, announced=True) is None
    assert events.of_space(0, low, announced=False) == EventType.RECEIVER_LOW_ON_SPACE, "its first announcement"


def wanted(event: Event, label: str = "", **narrowed: object) -> bool:
    given: dict[str, object] = {"event_types": [], "enterprise_project_id": "", "source_id": "", **narrowed}
    return events.wanted(event, label, **given)  # type: ignore[arg-type]


def test_a_subscription_wants_what_it_names() -> None:
    failed, full = Event(EventType.TASK_FAILED, "s1"), Event(EventType.RECEIVER_LOW_ON_SPACE, receiver_id="r1")
    assert wanted(failed)
    assert wanted(full)
    assert wanted(failed, event_types=["wherry.task.failed"])
    assert not wanted(failed, event_types=["wherry.task.succeeded"])
    assert wanted(failed, source_id="s1")
    assert not wanted(failed, source_id="s2")
    assert not wanted(full, source_id="s1")
    assert wanted(failed, "shop", enterprise_project_id="shop")
    assert not wanted(failed, "other", enterprise_project_id="shop")
    assert not wanted(full, enterprise_project_id="shop")


def test_pauses_grow_to_an_hour_and_are_spread() -> None:
    middle = [pause_s(attempts, 0.5) for attempts in range(1, 12)]
    assert middle[:4] == [5, 15, 45, 135]
    assert middle[-1] == LONGEST_PAUSE_S
    assert pause_s(3, 0.0) < pause_s(3, 0.5) < pause_s(3, 1.0) < pause_s(4, 0.0)
    assert pause_s(10**9, 1.0) == LONGEST_PAUSE_S * 1.25, "whatever comes, the pause is bounded"


def test_a_delivery_is_given_up_after_its_budget() -> None:
    now, attempts, tries = 0, 0, []
    while True:
        attempts += 1
        due_at = next_due(now, 0, attempts, 0.5)
        if due_at is None:
            break
        assert due_at > now
        tries.append(now := due_at)
    assert BUDGET_S - LONGEST_PAUSE_S * 1.25 <= tries[-1] / 1000 <= BUDGET_S
    assert 20 < len(tries) < 40


def test_an_error_is_told_with_cause_and_fix() -> None:
    assert explain("WHERRY.5603", ()).fix.startswith("Read the agent's log")
    assert explain("WHERRY.1001", ("what", "why", "how")) == ("WHERRY.1001", "what", "why", "how")
    assert explain("SMS.9999", ("a", "b")) == ("SMS.9999", "a, b", "", "")
