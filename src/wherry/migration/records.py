"""What the rules look at, and what they answer: frozen snapshots and the changes to make.

The ledger builds the snapshots from its rows and carries the changes out, all in one transaction. They are made for
each request, so they're msgspec's: a frozen dataclass takes ten times as long to make.
"""

from collections.abc import Sequence

import msgspec

from wherry.contract.enumerations import SourceState, TaskState


class SourceRecord(msgspec.Struct, frozen=True):
    """What the rules need to know of a source server."""

    id: str
    state: SourceState
    migration_cycle: str
    connected: bool


class SubtaskRecord(msgspec.Struct, frozen=True):
    """One step of a task. Progress in per cent."""

    name: str
    progress: int


class TaskRecord(msgspec.Struct, frozen=True):
    """What the rules need to know of a task. *last_words*: the text for people of its agent's last progress report."""

    id: str
    source_id: str
    state: TaskState
    type: str
    os_type: str
    syncing: bool
    exist_server: bool
    start_target_server: bool = True
    need_consistency_check: bool = False
    need_migration_test: bool = False
    subtasks: Sequence[SubtaskRecord] = ()
    error_code: str = ""
    error_params: Sequence[str] = ()
    last_words: str = ""


class CommandRecord(msgspec.Struct, frozen=True):
    """A command that no result has answered yet."""

    id: str
    name: str
    task_id: str
    bucket: str = ""


class SetSourceState(msgspec.Struct, frozen=True):
    """The source goes over to *state*; *migration_cycle* None leaves the cycle as it is."""

    state: SourceState
    migration_cycle: str | None = None


class SetTaskState(msgspec.Struct, frozen=True):
    """The task goes over to *state*. *error_code* is what its error_json shows; empty clears it."""

    state: TaskState
    error_code: str = ""
    error_params: Sequence[str] = ()


class IssueCommand(msgspec.Struct, frozen=True):
    """A command waits for the agent from now on."""

    name: str
    task_id: str
    bucket: str = ""


class AnswerCommand(msgspec.Struct, frozen=True):
    """The result that just arrived answers this command."""

    command_id: str


class WithdrawCommands(msgspec.Struct, frozen=True):
    """Commands of these names that nobody answered yet are no longer wanted."""

    names: Sequence[str]


class SetSubtask(msgspec.Struct, frozen=True):
    """A subtask is at *progress* per cent; it's appended to the task's list when it's new.

    *migrate_speed* in Mbit/s and *process_trace* are what its agent says besides; None leaves them as they are.
    """

    name: str
    progress: int
    user_op: str = ""
    migrate_speed: float | None = None
    process_trace: str | None = None


class SetLogCollectStatus(msgspec.Struct, frozen=True):
    """The log collection of the task is at *status* (`LogCollectStatus`)."""

    status: str


Change = (
    SetSourceState | SetTaskState | IssueCommand | AnswerCommand | WithdrawCommands | SetSubtask | SetLogCollectStatus
)
