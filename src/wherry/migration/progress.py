"""What an agent's progress report changes (UpdateTaskSpeed).

Source: the protocol reference, "states" 2.6: the last subtask at 100 per cent finishes the task.
"""

from wherry.contract.enumerations import MigrationCycle, SourceState, Subtask, TaskState
from wherry.migration import subtasks
from wherry.migration.records import Change, SetSourceState, SetSubtask, SetTaskState, TaskRecord

AT_WORK = frozenset({TaskState.RUNNING, TaskState.SYNCING, TaskState.SKIPPING})
"""States of a task that the end of the launch turns into MIGRATE_SUCCESS."""


def apply(task: TaskRecord, subtask: str, progress: int) -> list[Change]:
    """Return what *subtask* at *progress* per cent changes.

    The progress of a task that isn't at work is noted too, since a report may come late, but it moves no state.
    """
    if task.state is TaskState.DELETING:
        return []
    changes: list[Change] = [SetSubtask(subtask, progress)]
    if task.state in AT_WORK and _launched(task, subtask, progress):
        changes.append(SetTaskState(TaskState.MIGRATE_SUCCESS))
        changes.append(SetSourceState(SourceState.FINISHED, MigrationCycle.CUTOVERED))
    return changes


def _launched(task: TaskRecord, subtask: str, progress: int) -> bool:
    """Whether every step of the launch that the task has, the detaching among them, is done after this report."""
    steps = {step.name: step.progress for step in task.subtasks if step.name in subtasks.LAUNCH}
    if subtask in subtasks.LAUNCH:
        steps[subtask] = progress
    return Subtask.DETACH_AGENT_IMAGE in steps and all(done >= 100 for done in steps.values())
