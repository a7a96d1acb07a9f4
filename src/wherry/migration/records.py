"""What the rules look at, and what they answer: frozen snapshots and the changes to make.

The ledger builds the snapshots from its rows and carries the changes out, all in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.contract.enumerations import SourceState, TaskState


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What the rules need to know of a source server."""

    id: str
    state: SourceState
    migration_cycle: str
    connected: bool


@dataclass(frozen=True, slots=True)
class SubtaskRecord:
    """One step of a task. Progress in per cent."""

    name: str
    progress: int


@dataclass(frozen=True, slots=True)
class TaskRecord:
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


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A command that no result has answered yet."""

    id: str
    name: str
    task_id: str
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class SetSourceState:
    """The source goes over to *state*; *migration_cycle* None leaves the cycle as it is."""

    state: SourceState
    migration_cycle: str | None = None


@dataclass(frozen=True, slots=True)
class SetTaskState:
    """The task goes over to *state*. *error_code* is what its error_json shows; empty clears it."""

    state: TaskState
    error_code: str = ""
    error_params: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class IssueCommand:
    """A command waits for the agent from now on."""

    name: str
    task_id: str
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class AnswerCommand:
    """The result that just arrived answers this command."""

    command_id: str


@dataclass(frozen=True, slots=True)
class WithdrawCommands:
    """Commands of these names that nobody answered yet are no longer wanted."""

    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class SetSubtask:
    """A subtask is at *progress* per cent; it's appended to the task's list when it's new."""

    name: str
    progress: int
    user_op: str = ""


@dataclass(frozen=True, slots=True)
class SetLogCollectStatus:
    """The log collection of the task is at *status* (`LogCollectStatus`)."""

    status: str


Change = (
    SetSourceState | SetTaskState | IssueCommand | AnswerCommand | WithdrawCommands | SetSubtask | SetLogCollectStatus
)
