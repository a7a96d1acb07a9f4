"""What an agent's progress report changes (UpdateTaskSpeed).

Source: the protocol reference, "states" 2.6: the last subtask at 100 per cent finishes the task.
"""

from collections.abc import Sequence

from wherry.contract.enumerations import MigrationCycle, SourceState, Subtask, TaskState
from wherry.migration import subtasks
from wherry.migration.records import Change, SetSourceState, SetSubtask, SetTaskState, SubtaskRecord

AT_WORK = frozenset({TaskState.RUNNING, TaskState.SYNCING, TaskState.SKIPPING})
"""States of a task that the end of the launch turns into MIGRATE_SUCCESS."""


def apply(state: TaskState, steps: Sequence[SubtaskRecord], report: SetSubtask) -> list[Change]:
    """Return what *report* changes of a task in *state* that has the subtasks *steps*.

    The progress of a task that isn't at work is noted too, since a report may come late, but it moves no state.
    """
    if state is TaskState.DELETING:
        return []
    changes: list[Change] = [report]
    if state in AT_WORK and _launched(steps, report):
        changes.append(SetTaskState(TaskState.MIGRATE_SUCCESS))
        changes.append(SetSourceState(SourceState.FINISHED, MigrationCycle.CUTOVERED))
    return changes


def succeeds(changes: Sequence[Change]) -> bool:
    """Whether *changes* have the task succeed, which is worth asking whether it may."""
    return any(isinstance(change, SetTaskState) and change.state is TaskState.MIGRATE_SUCCESS for change in changes)


def _launched(steps: Sequence[SubtaskRecord], report: SetSubtask) -> bool:
    """Whether *report* is of the launch, and every step of it that the task has, the detaching among them, is done now.

    Only the launch itself ends it: a task that was restarted after its success still shows the steps of the first one.
    """
    if report.name not in subtasks.LAUNCH:
        return False
    done = {step.name: step.progress for step in steps if step.name in subtasks.LAUNCH}
    done[report.name] = report.progress
    return Subtask.DETACH_AGENT_IMAGE in done and all(progress >= 100 for progress in done.values())
