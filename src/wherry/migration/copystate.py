"""What an agent's word on its source's state changes (UpdateCopyState).

Source: the protocol reference, "states" 1.2 and 1.5.
"""

from wherry.contract.enumerations import (
    COPY_STATE_INITIALIZE,
    CommandName,
    FormerCycle,
    MigrationCycle,
    SourceState,
    TaskState,
)
from wherry.contract.errors import ApiError
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

_AT_WORK = frozenset({TaskState.RUNNING, TaskState.SYNCING, TaskState.SKIPPING})
_AGENT_FAILED = "SMS.0007"


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
    changes: list[Change] = []
    if state is not source.state or (stage is not None and stage != source.migration_cycle):
        changes.append(SetSourceState(state, stage))
    if task is not None:
        changes.extend(_on_task(task, state, stage))
    return changes


def _on_task(task: TaskRecord, state: SourceState, stage: MigrationCycle | None) -> list[Change]:
    target = _task_state_after(task, state, stage) if task.state in _AT_WORK else None
    if target is None:
        return []
    changes: list[Change] = [SetTaskState(target, _AGENT_FAILED if state is SourceState.ERROR else "")]
    if target is TaskState.ABORTING:
        # From now on the guard keeps the agent's reports out; the result of STOP is what ends this.
        changes.append(IssueCommand(CommandName.STOP, task.id))
    return changes


def _task_state_after(task: TaskRecord, state: SourceState, stage: MigrationCycle | None) -> TaskState | None:
    match state, stage:
        case SourceState.SYNCING, MigrationCycle.SYNCING if task.syncing and task.state is TaskState.RUNNING:
            return TaskState.SYNCING
        case SourceState.FINISHED, MigrationCycle.CUTOVERED:
            return TaskState.MIGRATE_SUCCESS
        case SourceState.ERROR, _:
            return TaskState.SYNC_FAIL if task.state is TaskState.SYNCING else TaskState.MIGRATE_FAIL
        case SourceState.STOPPING, _:
            return TaskState.ABORTING
        case SourceState.STOPPED, _:
            return TaskState.ABORT
        case _:
            return None


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
