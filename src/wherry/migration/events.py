"""Which change is an event that subscriptions are told of, and which subscription wants it.

Tables, and pure functions over them. What isn't in a table is told to nobody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from wherry.contract.enumerations import LandingState, TaskState, Verdict
from wherry.contract.notifications import EventType
from wherry.contract.wherry import ForecastFigures

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Event(msgspec.Struct, frozen=True):
    """Something that happened. *data*: what is told of it besides the names of what it's about; no secrets."""

    type: EventType
    source_id: str = ""
    task_id: str = ""
    receiver_id: str = ""
    data: Mapping[str, Any] = _NOTHING


@dataclass(frozen=True, slots=True)
class Arrival:
    """The event that a state stands for when it's reached; *silent_from*: states from which it isn't news."""

    event: EventType
    silent_from: frozenset[str] = frozenset()


_WHILE_RUNNING: Final = frozenset({TaskState.SKIPPING, TaskState.RESETTING})
"""A task comes out of these as it went in."""

TASK: Final[Mapping[TaskState, Arrival]] = MappingProxyType(
    {
        TaskState.READY: Arrival(EventType.TASK_CREATED, frozenset(TaskState)),
        TaskState.RUNNING: Arrival(EventType.TASK_STARTED, _WHILE_RUNNING),
        TaskState.SYNCING: Arrival(EventType.TASK_SYNCING, _WHILE_RUNNING),
        TaskState.ABORT: Arrival(EventType.TASK_STOPPED),
        TaskState.MIGRATE_SUCCESS: Arrival(EventType.TASK_SUCCEEDED),
        TaskState.SYNC_SUCCESS: Arrival(EventType.TASK_SUCCEEDED, frozenset({TaskState.MIGRATE_SUCCESS})),
        TaskState.MIGRATE_FAIL: Arrival(EventType.TASK_FAILED),
        TaskState.SYNC_FAIL: Arrival(EventType.TASK_FAILED, frozenset({TaskState.MIGRATE_FAIL})),
    }
)

LANDING: Final[Mapping[LandingState, Arrival]] = MappingProxyType(
    {
        LandingState.LAUNCHED: Arrival(EventType.TARGET_LAUNCHED),
        LandingState.LAUNCH_FAILED: Arrival(EventType.TARGET_LAUNCH_FAILED),
        LandingState.ROLLED_BACK: Arrival(EventType.TARGET_ROLLED_BACK),
        LandingState.ROLL_BACK_FAILED: Arrival(EventType.TARGET_ROLL_BACK_FAILED),
    }
)

REHEARSAL: Final[Mapping[Verdict, EventType]] = MappingProxyType(
    {
        Verdict.PASSED: EventType.REHEARSAL_PASSED,
        Verdict.FAILED: EventType.REHEARSAL_FAILED,
        Verdict.INCONCLUSIVE: EventType.REHEARSAL_INCONCLUSIVE,
    }
)

LOW_SPACE_BYTES: Final = 10 << 30
"""A receiver with less free space than this is low on it."""


def of_task(before: str, after: TaskState) -> EventType | None:
    """Return the event that a task's change of state is; *before* is empty for one that came into being."""
    return _of(TASK.get(after), before, after)


def of_landing(before: str, after: LandingState) -> EventType | None:
    """Return the event that a change of a task's landing is."""
    return _of(LANDING.get(after), before, after)


def of_forecast(before: ForecastFigures | None, after: ForecastFigures | None) -> EventType | None:
    """Return the event that a new forecast is: that passes won't get small enough any more."""
    worse = after is not None and not after.converges
    return EventType.NOT_CONVERGING if worse and (before is None or before.converges) else None


def of_space(before: int, after: int, *, announced: bool) -> EventType | None:
    """Return the event that a receiver's new free space is, in bytes. *announced*: it has told of itself before."""
    was_low = announced and before < LOW_SPACE_BYTES
    return EventType.RECEIVER_LOW_ON_SPACE if after < LOW_SPACE_BYTES and not was_low else None


def of_contact(*, connected: bool) -> EventType:
    """Return the event that an agent's coming or its silence is."""
    return EventType.SOURCE_CONNECTED if connected else EventType.SOURCE_DISCONNECTED


def wanted(
    event: Event, label: str, *, event_types: Collection[str], enterprise_project_id: str, source_id: str
) -> bool:
    """Tell whether a subscription is told of *event*. *label*: the enterprise project of what it's about.

    A subscription without *event_types* wants all. One that is narrowed to a project or to a source isn't told of what
    belongs to none, such as a receiver.
    """
    if event_types and event.type not in event_types:
        return False
    if source_id and event.source_id != source_id:
        return False
    return not enterprise_project_id or label == enterprise_project_id


def _of(arrival: Arrival | None, before: str, after: str) -> EventType | None:
    return None if arrival is None or before == after or before in arrival.silent_from else arrival.event
