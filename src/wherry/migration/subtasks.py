"""Which subtasks a task has, in their order.

Source: the protocol reference, "states" 2.6. A task that stays in continuous synchronisation has no launch subtasks
until it's told to launch.
"""

from collections.abc import Sequence

from wherry.contract.enumerations import OsType, Subtask, TaskType
from wherry.migration.records import TaskRecord

_FORMAT = {
    (OsType.LINUX, TaskType.MIGRATE_FILE): Subtask.FORMAT_DISK_LINUX_FILE,
    (OsType.LINUX, TaskType.MIGRATE_BLOCK): Subtask.FORMAT_DISK_LINUX_BLOCK,
    (OsType.WINDOWS, TaskType.MIGRATE_BLOCK): Subtask.FORMAT_DISK_WINDOWS,
}
_MIGRATE = {
    (OsType.LINUX, TaskType.MIGRATE_FILE): Subtask.MIGRATE_LINUX_FILE,
    (OsType.LINUX, TaskType.MIGRATE_BLOCK): Subtask.MIGRATE_LINUX_BLOCK,
    (OsType.WINDOWS, TaskType.MIGRATE_BLOCK): Subtask.MIGRATE_WINDOWS_BLOCK,
}
_SYNC = {
    (OsType.LINUX, TaskType.MIGRATE_FILE): Subtask.SYNC_LINUX_FILE,
    (OsType.LINUX, TaskType.MIGRATE_BLOCK): Subtask.SYNC_LINUX_BLOCK,
    (OsType.WINDOWS, TaskType.MIGRATE_BLOCK): Subtask.SYNC_WINDOWS_BLOCK,
}
_CONFIGURE = {
    (OsType.LINUX, TaskType.MIGRATE_FILE): Subtask.CONFIGURE_LINUX_FILE,
    (OsType.LINUX, TaskType.MIGRATE_BLOCK): Subtask.CONFIGURE_LINUX_BLOCK,
    (OsType.WINDOWS, TaskType.MIGRATE_BLOCK): Subtask.CONFIGURE_WINDOWS,
}

LAUNCH = frozenset({*_CONFIGURE.values(), Subtask.CONFIGURE_LINUX, Subtask.DETACH_AGENT_IMAGE})
"""Subtasks of the launch; when all that a task has of them are done, the task is. Older names among them."""


def initial(task: TaskRecord) -> Sequence[Subtask]:
    """Return the subtasks that a task gets when it's started for the first time."""
    kind = _kind(task)
    return (
        *(() if task.exist_server else (Subtask.CREATE_CLOUD_SERVER,)),
        Subtask.SSL_CONFIG,
        Subtask.ATTACH_AGENT_IMAGE,
        _FORMAT[kind],
        _MIGRATE[kind],
        *((Subtask.CHECK_CONSISTENCY,) if task.need_consistency_check else ()),
        *(() if task.syncing else launch(task)),
    )


def missing(task: TaskRecord) -> Sequence[Subtask]:
    """Return those of `initial` that the task doesn't have yet: all of them, unless it was started before."""
    there = {step.name for step in task.subtasks}
    return [name for name in initial(task) if name not in there]


def checking_consistency(task: TaskRecord) -> bool:
    """Whether the consistency check is what the agent is at: all steps before it are done, itself is not."""
    for step in task.subtasks:
        if step.name == Subtask.CHECK_CONSISTENCY:
            return step.progress < 100
        if step.progress < 100:
            return False
    return False


def launch(task: TaskRecord) -> Sequence[Subtask]:
    """Return the subtasks of the launch, the last of which ends the task."""
    return (_CONFIGURE[_kind(task)], Subtask.DETACH_AGENT_IMAGE)


def synchronisation(task: TaskRecord) -> Sequence[Subtask]:
    """Return the subtasks that a finished task gets when it's restarted."""
    return (_SYNC[_kind(task)], *(() if task.syncing else launch(task)))


def _kind(task: TaskRecord) -> tuple[OsType, TaskType]:
    if task.os_type == OsType.WINDOWS:
        return OsType.WINDOWS, TaskType.MIGRATE_BLOCK
    return OsType.LINUX, TaskType.MIGRATE_FILE if task.type == TaskType.MIGRATE_FILE else TaskType.MIGRATE_BLOCK
