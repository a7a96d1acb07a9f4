"""What an agent's word on its source's state changes (UpdateCopyState).

Source: the protocol reference, "states" 1.2 and 1.5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wherry.contract.enumerations import (
    COPY_STATE_INITIALIZE,
    CommandName,
    FormerCycle,
    MigrationCycle,
    SourceState,
    TaskState,
)
from wherry.contract.errors import ApiError
from wherry.migration.failures import failure_in_words
from wherry.migration.records import Change, IssueCommand, SetSourceState, SetTaskState, SourceRecord, TaskRecord

GUARDED = frozenset(
    {
        SourceState.UNAVAILABLE,
        SourceState.STOPPING,
        SourceState.STOPPED,
        SourceState.DELETING,
        SourceState.FINISHED,
        SourceState.CLEARING,
        SourceState.CLEAR_FAILED,
    }
)
"""In these states a report is accepted, not even validated, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a reported state makes of a task; a state of the task that isn't in `task` stays.

    `cycle` None fits any. `needs_syncing`: only for a task that was created to be kept in sync. `error_code`: what a
    failed task shows unless the agent said why in its last progress report.
    """

    state: SourceState
    task: Mapping[TaskState, TaskState]
    cycle: MigrationCycle | None = None
    needs_syncing: bool = False
    error_code: str = ""


_BEFORE_CUTOVER = frozenset({SourceState.WAITING, SourceState.INITIALIZE, SourceState.REPLICATE, SourceState.SYNCING})
_AT_WORK = (TaskState.RUNNING, TaskState.SYNCING, TaskState.SKIPPING)

REPORTS: Sequence[Report] = (
    Report(
        SourceState.SYNCING,
        {TaskState.RUNNING: TaskState.SYNCING},
        MigrationCycle.SYNCING,
        needs_syncing=True,
    ),
    Report(
        SourceState.FINISHED,
        dict.fromkeys(_AT_WORK, TaskState.MIGRATE_SUCCESS),
        MigrationCycle.CUTOVERED,
    ),
    Report(
        SourceState.ERROR,
        {
            TaskState.RUNNING: TaskState.MIGRATE_FAIL,
            TaskState.SKIPPING: TaskState.MIGRATE_FAIL,
            TaskState.SYNCING: TaskState.SYNC_FAIL,
        },
        error_code="SMS.0007",
    ),
    Report(SourceState.STOPPING, dict.fromkeys(_AT_WORK, TaskState.ABORTING)),
    Report(SourceState.STOPPED, dict.fromkeys(_AT_WORK, TaskState.ABORT)),
)
"""What follows for the task from what an agent reports of its source."""


def apply(source: SourceRecord, task: TaskRecord | None, copystate: str, cycle: str) -> list[Change]:
    """Return what the report changes: the source's state and cycle, and what follows for its task.

    The former cycles (no_ready, ready_for_test, ...) are accepted and leave the stored cycle as it is, since no read
    may show them. States may come in upper case, as older agents write them.

    Raises ApiError SMS.9001 for words that the protocol doesn't know.
    """
    if source.state in GUARDED:
        return []
    state = _state(copystate)
    stage = _cycle(cycle)
    if state in _BEFORE_CUTOVER and _cutover_ordered(source, task):
        return []
    changes: list[Change] = []
    if state is not source.state or (stage is not None and stage != source.migration_cycle):
        changes.append(SetSourceState(state, stage))
    if task is not None:
        changes.extend(_on_task(task, state, stage))
    return changes


def _cutover_ordered(source: SourceRecord, task: TaskRecord | None) -> bool:
    """Whether the user has told the task to cut over.

    A report of an earlier stage, a late one or that of an agent that has to copy again first, must not undo the order:
    the agent would go on synchronising for ever.
    """
    return source.state is SourceState.CUTOVERING and task is not None and task.state is TaskState.SYNCING


def _on_task(task: TaskRecord, state: SourceState, stage: MigrationCycle | None) -> list[Change]:
    for report in REPORTS:
        target = report.task.get(task.state)
        fits = report.state is state and report.cycle in {None, stage} and (task.syncing or not report.needs_syncing)
        if not fits or target is None:
            continue
        failure = failure_in_words(task.last_words, otherwise=report.error_code) if report.error_code else ("", ())
        changes: list[Change] = [SetTaskState(target, *failure)]
        if target is TaskState.ABORTING:
            # From now on the guard keeps the agent's reports out; the result of STOP is what ends this.
            changes.append(IssueCommand(CommandName.STOP, task.id))
        return changes
    return []


def _state(word: str) -> SourceState:
    lowered = word.lower()
    if lowered == COPY_STATE_INITIALIZE:
        return SourceState.INITIALIZE
    try:
        return SourceState(lowered)
    except ValueError:
        raise ApiError("SMS.9001", f"copystate: no state is called {word!r}", params=("copystate",)) from None


def _cycle(word: str) -> MigrationCycle | None:
    lowered = word.lower()
    if lowered in set(FormerCycle):
        return None
    try:
        return MigrationCycle(lowered)
    except ValueError:
        raise ApiError("SMS.9001", f"migrationcycle: no cycle is called {word!r}", params=("migrationcycle",)) from None
