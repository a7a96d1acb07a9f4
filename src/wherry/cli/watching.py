"""Following a task: what is seen of it at each look, and when it has come to its end."""

import time
from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import msgspec

from wherry.cli.errors import TaskFailed, TaskStopped
from wherry.client.errors import ControlPlaneError
from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.enumerations import SourceState, TaskState
from wherry.contract.landing import Landing
from wherry.contract.tasks import TaskDetail
from wherry.contract.values import Wire
from wherry.contract.wherry import ReplicationFigures

Goal = Literal["end", "syncing"]
"""Until when a task is followed: to its end, or until its copy is complete and kept in sync."""

LANDING: Final = frozenset(
    {
        SourceState.CUTOVERING,
        SourceState.FINISHED,
        SourceState.CLONING,
        SourceState.DRILL_RUNNING,
        SourceState.DRILL_DONE,
        SourceState.DRILL_FAILED,
        SourceState.ERROR,
    }
)
"""States of a source in which there may be a landing to look at."""

_DONE: Final = frozenset({TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS})
_FAILED: Final = frozenset({TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL})


class Watched(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What was seen of a task at one look, at `at` (epoch milliseconds). Null: there's nothing yet."""

    at: int
    task: TaskDetail
    replication: ReplicationFigures | None = None
    landing: Landing | None = None

    @property
    def step(self) -> str:
        """The subtask that runs, or would run next; empty when all are done."""
        return next((step.name or "" for step in self.task.sub_tasks or () if step.progress < 100), "")

    @property
    def progress(self) -> int:
        """How much of that subtask is done, in per cent."""
        return next((step.progress for step in self.task.sub_tasks or () if step.progress < 100), 100)

    @property
    def source_state(self) -> SourceState | None:
        """The state of the task's source."""
        return None if self.task.source_server is None else self.task.source_server.state


class Witness(Protocol):
    """Who is asked how a task stands: a control plane."""

    def now(self) -> float:
        """Return what time it is there, in epoch seconds."""
        ...

    def show_task(self, task_id: str) -> TaskDetail:
        """Return the task."""
        ...

    def show_replication(self, task_id: str) -> ReplicationFigures:
        """Return its figures. Raises ControlPlaneError with status 404 before the first ones."""
        ...

    def show_landing(self, task_id: str) -> Landing:
        """Return its landing."""
        ...


def look(plane: Witness, task_id: str) -> Watched:
    """Return how a task stands. Raises what every call raises."""
    task = plane.show_task(task_id)
    state = None if task.source_server is None else task.source_server.state
    return Watched(
        at=int(plane.now() * 1000),
        task=task,
        replication=_figures(plane, task_id),
        landing=plane.show_landing(task_id) if state in LANDING else None,
    )


def follow(
    plane: Witness, task_id: str, *, interval_s: float, goal: Goal, pause: Callable[[float], None] = time.sleep
) -> Iterator[Watched]:
    """Yield how a task stands, every *interval_s* seconds, the last time at its end. Raises what every call raises."""
    while True:
        seen = look(plane, task_id)
        yield seen
        if is_over(seen, goal):
            return
        pause(interval_s)


def is_over(seen: Watched, goal: Goal) -> bool:
    """Tell whether nothing more is to be waited for."""
    state = seen.task.state
    reached = goal == "syncing" and state is TaskState.SYNCING
    return reached or state in _DONE or state in _FAILED or state is TaskState.ABORT


def check_end(seen: Watched) -> None:
    """Return when a task that's over went well. Raises TaskFailed with what is known of the reason, TaskStopped."""
    name = seen.task.name
    if seen.task.state is TaskState.ABORT:
        raise TaskStopped(name=name)
    if seen.task.state not in _FAILED:
        return
    landed = None if seen.landing is None else seen.landing.error
    if landed is not None:
        raise TaskFailed(name=name, reason=f"{landed.code} {landed.message}", cause=landed.cause, fix=landed.fix)
    code = error_code(seen.task.error_json)
    entry = EVERY_ENTRY.get(code)
    if entry is None:
        raise TaskFailed(name=name, reason=code or "no reason was given")
    raise TaskFailed(name=name, reason=f"{code} {entry.message}", cause=entry.cause, fix=entry.fix)


def error_code(error_json: str | None) -> str:
    """Return the code in a task's `error_json`; empty when there's none."""
    if not error_json:
        return ""
    try:
        return str(msgspec.json.decode(error_json, type=dict[str, object]).get("error_code", ""))
    except msgspec.MsgspecError:
        return ""


def _figures(plane: Witness, task_id: str) -> ReplicationFigures | None:
    try:
        return plane.show_replication(task_id)
    except ControlPlaneError as error:
        if error.status == 404:
            return None
        raise
