"""What the agent does next: pure decisions from the polled command, the task and what was copied so far.

No clock, no I/O. The shells are `agent.commands` (the poll loop) and `agent.migration` (the work on a task).
Source of the names: SMS v3 ShowCommand and UpdateCommandResult.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wherry.agent.errors import CommandDeclined
from wherry.contract.enumerations import CommandName, CommandResult, SourceState, Subtask, TaskState

SETTLED_BYTES = 8 << 20
"""A pass that found at most this much changed is small: the frozen pass after it will be short."""

MAX_EXTRA_PASSES = 5
"""Extra passes before a freeze; a server that never gets quiet is frozen after these all the same."""

SHRINKING = 0.8
"""A pass counts as smaller than the one before when it's below this share of it."""


class Deed(enum.Enum):
    """What the poll loop does with its worker."""

    NOTHING = "nothing"
    START = "start"
    NUDGE = "nudge"
    STOP = "stop"
    FORGET = "forget"
    DRILL = "drill"
    UPLOAD_LOG = "upload log"
    CHECK_NETWORK = "check network"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result that is posted for a command. *detail* is stored by the control plane as it is sent."""

    result: str
    detail: dict[str, str]


@dataclass(frozen=True, slots=True)
class Decision:
    """A deed, the task it is for, and the answer to post once it's done.

    None where the command wants none, or where the deed gives the answer itself.
    """

    deed: Deed
    task_id: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class WorkerView:
    """The worker as the poll loop sees it: the task it's running for, or the empty string when it's idle."""

    task_id: str = ""


_ERRANDS: Mapping[str, Deed] = {
    CommandName.UPLOAD_LOG: Deed.UPLOAD_LOG,
    CommandName.NETWORK_CHECK: Deed.CHECK_NETWORK,
    CommandName.PREMIGRATE: Deed.DRILL,
}
"""What gives its own answer."""


def decide(command: str, task_id: str, worker: WorkerView) -> Decision:
    """Return what to do about *command*, which may be handed out again although it was carried out already."""
    match command:
        case "" | CommandName.TASK_NOT_STARTED | CommandName.TASK_HAS_FINISHED:
            decision = Decision(Deed.NOTHING)
        case CommandName.TASK_HAS_STOPPED:
            # Answered for, yet somebody may still work: an answer may have got lost on the way.
            decision = Decision(Deed.STOP if worker.task_id else Deed.NOTHING, worker.task_id)
        case CommandName.START | CommandName.SYNC:
            decision = _begin(task_id, worker)
        case CommandName.STOP:
            message = "stopped" if worker.task_id else "nothing was running"
            decision = Decision(Deed.STOP, worker.task_id or task_id, _success(message, task_id))
        case CommandName.DELETE:
            decision = Decision(Deed.FORGET, task_id or worker.task_id, _success("forgotten", task_id))
        case CommandName.SKIP:
            decision = Decision(Deed.NOTHING, task_id, _success("no consistency check was running", task_id))
        case CommandName.UPLOAD_LOG | CommandName.NETWORK_CHECK | CommandName.PREMIGRATE:
            decision = _errand(command, task_id, worker)
        case CommandName.RESET_LOG_ACL:
            # The log is the control plane's, which has closed it already; there's no bucket of this agent's.
            decision = Decision(Deed.NOTHING, task_id, _success("closed", task_id))
        case _:
            decision = Decision(Deed.NOTHING, task_id, _fail("the command is unknown to this agent", task_id))
    return decision


def _errand(command: str, task_id: str, worker: WorkerView) -> Decision:
    if not task_id:
        return Decision(Deed.NOTHING, "", _fail("the command names no task", ""))
    if command == CommandName.PREMIGRATE and worker.task_id == task_id:
        # The drill gives the answer when it's over; until then the command is handed out again and again.
        return Decision(Deed.NOTHING, task_id)
    return Decision(_ERRANDS[command], task_id)


def _begin(task_id: str, worker: WorkerView) -> Decision:
    if not task_id:
        return Decision(Deed.NOTHING, "", _fail("the command names no task", ""))
    if worker.task_id == task_id:
        return Decision(Deed.NUDGE, task_id, _success("already running; looked at the task again", task_id))
    return Decision(Deed.START, task_id, _success("started", task_id))


def _success(message: str, task_id: str) -> Answer:
    return Answer(CommandResult.SUCCESS, {"msg": message, "task_id": task_id})


def _fail(reason: str, task_id: str) -> Answer:
    error = CommandDeclined(reason=reason)
    return Answer(CommandResult.FAIL, {"msg": error.message, "task_id": task_id, "error_code": error.code})


_AT_WORK = frozenset({TaskState.RUNNING, TaskState.SYNCING})


def small_enough(rate_mbit: float, max_freeze_s: float) -> int:
    """Return how much may be changed for the frozen pass to be short: less when the task's rate is limited (0: isn't).

    Half of the freeze is left for reading the disks.
    """
    if not rate_mbit:
        return SETTLED_BYTES
    return min(SETTLED_BYTES, int(rate_mbit * 125_000 * max_freeze_s / 2))


def resumable(task_state: str) -> bool:
    """Tell whether a restarted agent goes on with a task in this state without being told."""
    return task_state in _AT_WORK


SpeedWindows = tuple[tuple[str, str, float], ...]
"""Windows of the day and their limits: from and to as "H:MM", Mbit/s."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """What the work depends on, as the control plane told it last.

    *speed_limit_mbit* 0 means no limit; *speed_windows* take its place while they hold. *subtasks* are the names of the
    steps that the task has. *wants_network_check*: it was created to have the network checked first, and nobody has
    done it yet.
    """

    id: str
    state: str
    source_state: str
    syncing: bool
    speed_limit_mbit: int = 0
    speed_windows: SpeedWindows = ()
    subtasks: frozenset[str] = frozenset()
    wants_network_check: bool = False

    @property
    def synchronises(self) -> bool:
        """Whether the task is already in continuous synchronisation."""
        return self.state == TaskState.SYNCING

    @property
    def copying_subtask(self) -> Subtask:
        """The step that passes belong to: a finished task that is run again has one of its own for them."""
        again = Subtask.SYNC_LINUX_BLOCK in self.subtasks
        return Subtask.SYNC_LINUX_BLOCK if again else Subtask.MIGRATE_LINUX_BLOCK


class Step(enum.Enum):
    """What the worker does next."""

    FULL_COPY = "full copy"
    SYNCHRONISE = "wait a little, then a pass"
    CUT_OVER = "cut over"
    LEAVE = "leave"


def next_step(task: TaskView, checkpoint: int | None) -> Step:
    """Return what to do next for *task*, whose last committed checkpoint is *checkpoint* (None before pass 0)."""
    if task.state not in _AT_WORK:
        return Step.LEAVE
    if checkpoint is None:
        return Step.FULL_COPY
    if task.source_state == SourceState.CUTOVERING or not task.syncing:
        return Step.CUT_OVER
    return Step.SYNCHRONISE


def settled(changed_bytes: Sequence[int], small: int = SETTLED_BYTES) -> bool:
    """Tell whether another pass before the freeze would gain nothing.

    That is so when the last pass found at most *small* bytes changed, when it was hardly smaller than the one before,
    or when the budget of extra passes is used up.
    """
    if not changed_bytes:
        return False
    if changed_bytes[-1] <= small or len(changed_bytes) >= MAX_EXTRA_PASSES:
        return True
    return len(changed_bytes) > 1 and changed_bytes[-1] > SHRINKING * changed_bytes[-2]
