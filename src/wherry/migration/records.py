"""What the rules look at, and what they answer: frozen snapshots and the changes to make.

The ledger builds the snapshots from its rows and carries the changes out, all in one transaction. They are made for
each request, so they're msgspec's: a frozen dataclass takes ten times as long to make.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from wherry.contract.enumerations import CloneState, LandingState, OrderKind, OrderStage, SourceState, TaskState
from wherry.contract.landing import LandingError

_NOTHING: Mapping[str, Any] = MappingProxyType({})


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
    """What the rules need to know of a task.

    *last_words*: the text for people of its agent's last progress report. *landed*: a receiver keeps a landing of it.
    """

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
    landed: bool = False


class LandingRecord(msgspec.Struct, frozen=True):
    """What the rules need to know of a task's landing. *kind*: of the order that it follows, empty before the first."""

    state: LandingState = LandingState.NONE
    kind: str = ""
    checkpoint: int | None = None
    order_id: str = ""


class OrderRecord(msgspec.Struct, frozen=True):
    """What the rules need to know of an order. *request*: what was ordered, in the words of `contract.landing`."""

    id: str
    kind: OrderKind
    stage: OrderStage
    checkpoint: int | None = None
    request: Mapping[str, Any] = _NOTHING


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


class OrderLanding(msgspec.Struct, frozen=True):
    """The task's receiver is told to do something with a landed system. *leads*: the landing follows this order."""

    kind: OrderKind
    request: Mapping[str, Any]
    checkpoint: int | None = None
    leads: bool = False


class SetOrder(msgspec.Struct, frozen=True):
    """A receiver is at *stage* with an order, *progress* in per cent; *checkpoint* None leaves it as it is."""

    id: str
    stage: OrderStage
    progress: int = 0
    note: str = ""
    checkpoint: int | None = None
    error: LandingError | None = None


class WithdrawOrders(msgspec.Struct, frozen=True):
    """Orders of these kinds that haven't ended are no longer wanted."""

    kinds: Sequence[OrderKind]


class SetLanding(msgspec.Struct, frozen=True):
    """The task's landing goes over to *state*; None leaves kind, checkpoint and server as they are."""

    state: LandingState
    progress: int = 0
    note: str = ""
    error: LandingError | None = None
    kind: str | None = None
    checkpoint: int | None = None
    server_id: str | None = None


class SetTarget(msgspec.Struct, frozen=True):
    """The receiver has made the task's target server."""

    server_id: str
    name: str = ""


class SetClone(msgspec.Struct, frozen=True):
    """The clone of the task's server is at *state*."""

    state: CloneState
    vm_id: str = ""
    name: str = ""
    error: LandingError | None = None


LandingChange = OrderLanding | SetOrder | WithdrawOrders | SetLanding | SetTarget | SetClone
"""What may change of a task's landing."""

Change = (
    SetSourceState
    | SetTaskState
    | IssueCommand
    | AnswerCommand
    | WithdrawCommands
    | SetSubtask
    | SetLogCollectStatus
    | LandingChange
)
