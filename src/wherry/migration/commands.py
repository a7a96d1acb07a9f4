"""What an agent is told, and what its reports do.

Source: the protocol reference, "states" 3.1 and 3.2. A report takes effect only when it answers the command that waits
for it; any other is kept by the ledger and does nothing, so that duplicates and late results are harmless.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from wherry.contract.commands import CommandReport
from wherry.contract.enumerations import (
    Action,
    CommandName,
    CommandResult,
    LogCollectStatus,
    MigrationCycle,
    SourceState,
    TaskState,
)
from wherry.migration import subtasks
from wherry.migration.failures import failure_of_result
from wherry.migration.records import (
    AnswerCommand,
    Change,
    CommandRecord,
    IssueCommand,
    SetLogCollectStatus,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    SourceRecord,
    TaskRecord,
)

_STOPPED = frozenset({TaskState.ABORTING, TaskState.ABORT, TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL})
_FINISHED = frozenset({TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS})
_FAILED = (TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL)


class NextCommand(NamedTuple):
    """What a poll is answered with."""

    name: str
    task_id: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What a matching result does to a task in some state. `resumes`: back to what was going on before a skip."""

    task: TaskState | None = None
    source: SourceState | None = None
    cycle: MigrationCycle | None = None
    log: LogCollectStatus | None = None
    resumes: bool = False


_BROKEN = Effect(TaskState.MIGRATE_FAIL, SourceState.ERROR)
_BROKEN_SYNC = Effect(TaskState.SYNC_FAIL, SourceState.ERROR)
_DRILL_STATES = (TaskState.READY, TaskState.ABORT)

EFFECTS: Mapping[tuple[str, str], Mapping[TaskState, Effect]] = MappingProxyType(
    {
        (CommandName.START, CommandResult.SUCCESS): {
            TaskState.READY: Effect(TaskState.RUNNING, SourceState.INITIALIZE, MigrationCycle.REPLICATING)
        },
        (CommandName.START, CommandResult.FAIL): {
            TaskState.READY: _BROKEN,
            TaskState.RUNNING: _BROKEN,
            TaskState.SKIPPING: _BROKEN,
            TaskState.SYNCING: _BROKEN_SYNC,
        },
        (CommandName.STOP, CommandResult.SUCCESS): {
            TaskState.ABORTING: Effect(TaskState.ABORT, SourceState.STOPPED),
            # What was stopped was a drill.
            TaskState.READY: Effect(source=SourceState.WAITING),
            TaskState.ABORT: Effect(source=SourceState.STOPPED),
        },
        (CommandName.STOP, CommandResult.FAIL): {
            TaskState.ABORTING: _BROKEN,
            **dict.fromkeys(_DRILL_STATES, Effect(source=SourceState.DRILL_FAILED)),
        },
        (CommandName.SYNC, CommandResult.SUCCESS): {
            TaskState.RUNNING: Effect(TaskState.SYNCING, SourceState.SYNCING, MigrationCycle.SYNCING)
        },
        (CommandName.SYNC, CommandResult.FAIL): {TaskState.RUNNING: _BROKEN_SYNC, TaskState.SYNCING: _BROKEN_SYNC},
        (CommandName.SKIP, CommandResult.SUCCESS): {TaskState.SKIPPING: Effect(resumes=True)},
        (CommandName.SKIP, CommandResult.FAIL): {TaskState.SKIPPING: Effect(resumes=True)},
        (CommandName.PREMIGRATE, CommandResult.SUCCESS): dict.fromkeys(
            _DRILL_STATES, Effect(source=SourceState.DRILL_DONE)
        ),
        (CommandName.PREMIGRATE, CommandResult.FAIL): dict.fromkeys(
            _DRILL_STATES, Effect(source=SourceState.DRILL_FAILED)
        ),
        (CommandName.UPLOAD_LOG, CommandResult.SUCCESS): dict.fromkeys(
            TaskState, Effect(log=LogCollectStatus.UPLOADED)
        ),
        (CommandName.UPLOAD_LOG, CommandResult.FAIL): dict.fromkeys(
            TaskState, Effect(log=LogCollectStatus.UPLOAD_FAIL)
        ),
        (CommandName.RESET_LOG_ACL, CommandResult.SUCCESS): dict.fromkeys(TaskState, Effect(log=LogCollectStatus.INIT)),
    }
)
"""What the result of a waiting command does, by command, result and the task's state; what's not here does nothing."""


def next_command(source: SourceRecord, task: TaskRecord | None, pending: CommandRecord | None) -> NextCommand:
    """Return the command that waits, or an idle name that tells why there's none.

    A task that runs has nothing to be told either; it's answered like one that has nothing to start, with the task's
    id, and an agent looks at its task to know that it's to go on.
    """
    del source  # what a source may do never depends on more than its task and what waits for it
    if pending is not None:
        return NextCommand(pending.name, pending.task_id, pending.bucket)
    if task is None:
        return NextCommand(CommandName.TASK_NOT_STARTED, "", "")
    if task.state in _STOPPED:
        return NextCommand(CommandName.TASK_HAS_STOPPED, task.id, "")
    if task.state in _FINISHED:
        return NextCommand(CommandName.TASK_HAS_FINISHED, task.id, "")
    return NextCommand(CommandName.TASK_NOT_STARTED, task.id, "")


def auto_start(task: TaskRecord) -> list[Change]:
    """Return what creating a task with auto_start does: START waits, and the task stays READY until it's answered."""
    return [IssueCommand(CommandName.START, task.id)]


def apply_result(
    source: SourceRecord, task: TaskRecord | None, pending: CommandRecord | None, report: CommandReport
) -> list[Change]:
    """Return what *report* changes, given the oldest command that *source* hasn't answered.

    Empty for a report that answers nothing: an unknown or duplicate one, one that a later command has overtaken, or one
    whose result is neither success nor fail (then the command keeps waiting).
    """
    if pending is None or pending.name != report.command_name or report.result not in set(CommandResult):
        return []
    changes: list[Change] = [AnswerCommand(pending.id)]
    if task is None or pending.task_id != task.id:
        return changes
    effects = EFFECTS.get((report.command_name, report.result), {})
    if effect := effects.get(task.state):
        changes.extend(_effect_changes(effect, source, task, bytes(report.result_detail)))
    return changes


def _effect_changes(effect: Effect, source: SourceRecord, task: TaskRecord, detail: bytes) -> list[Change]:
    if effect.resumes:
        return _leave_skipping(source, task)
    changes: list[Change] = []
    if effect.task in _FAILED:
        changes.append(SetTaskState(effect.task, *failure_of_result(detail)))
    elif effect.task is TaskState.ABORT:
        # A task that was stopped for a reason keeps the reason.
        changes.append(SetTaskState(effect.task, task.error_code, task.error_params))
    elif effect.task is not None:
        changes.append(SetTaskState(effect.task))
    if task.state is TaskState.READY and effect.task is TaskState.RUNNING:
        changes.extend(SetSubtask(name, 0, Action.START) for name in subtasks.missing(task))
    if effect.source is not None:
        changes.append(SetSourceState(effect.source, effect.cycle))
    if effect.log is not None:
        changes.append(SetLogCollectStatus(effect.log))
    return changes


def _leave_skipping(source: SourceRecord, task: TaskRecord) -> list[Change]:
    """Return to what the source's cycle says was going on before the subtask was skipped."""
    match source.migration_cycle:
        case MigrationCycle.SYNCING:
            return [SetTaskState(TaskState.SYNCING), SetSourceState(SourceState.SYNCING)]
        case MigrationCycle.CUTOVERING:
            state = TaskState.SYNCING if task.syncing else TaskState.RUNNING
            return [SetTaskState(state), SetSourceState(SourceState.CUTOVERING)]
        case _:
            return [SetTaskState(TaskState.RUNNING), SetSourceState(SourceState.REPLICATE)]
