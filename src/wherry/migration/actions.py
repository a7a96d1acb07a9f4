"""The action table: what each action of a user does in each state of a task. Everything else reads this table.

Every pair of an action and a state is decided: allowed, with what it makes of task and source and the command that the
agent gets, or refused, with a code. Source: the protocol reference, "states" 2.3 and 2.4; where the reference leaves a
choice open, `docs/adr/0003-cutover-is-start.md` and the notes here say what was chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import structs

from wherry.contract.enumerations import Action, CommandName, MigrationCycle, SourceState, Subtask, TaskState
from wherry.contract.errors import ApiError
from wherry.contract.tasks import TaskAction
from wherry.migration import subtasks
from wherry.migration.records import (
    Change,
    IssueCommand,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    SourceRecord,
    TaskRecord,
    WithdrawCommands,
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an allowed action does. None leaves a state, a cycle as it is, or sends no command."""

    task: TaskState | None = None
    source: SourceState | None = None
    cycle: MigrationCycle | None = None
    command: CommandName | None = None
    error_code: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The code that a refused action is answered with."""

    code: str


Outcome = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Condition:
    """What an action asks for besides the task's state; `text` completes "only when ..."."""

    text: str
    code: str
    holds: Callable[[SourceRecord, TaskRecord, TaskAction], bool]


_FAILED = (TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL)
_DONE = (TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS)
_BEFORE_A_DRILL = (TaskState.READY, TaskState.ABORT)
_IN_A_DRILL = frozenset({SourceState.DRILL_READY, SourceState.DRILL_RUNNING})
_CLEARED = frozenset({SourceState.CLEARING, SourceState.CLEARED, SourceState.CLEAR_FAILED})

_START = Allowed(TaskState.RUNNING, SourceState.INITIALIZE, MigrationCycle.REPLICATING, CommandName.START)
_RESTART = Allowed(TaskState.RUNNING, SourceState.REPLICATE, MigrationCycle.REPLICATING, CommandName.START)
_STOP_COPY = Allowed(TaskState.ABORTING, SourceState.STOPPING, MigrationCycle.REPLICATING, CommandName.STOP)
_STOP_SYNC = Allowed(
    TaskState.ABORTING,
    SourceState.STOPPING,
    MigrationCycle.SYNCING,
    CommandName.STOP,
    note="also ends a cutover that has begun",
)
_STOP_DRILL = Allowed(
    None,
    SourceState.STOPPING,
    None,
    CommandName.STOP,
    note="ends the drill; the source becomes what it was before it",
)
_OVERSPEED_COPY = Allowed(
    TaskState.ABORTING, SourceState.STOPPING, MigrationCycle.REPLICATING, CommandName.STOP, "SMS.9007"
)
_OVERSPEED_SYNC = Allowed(
    TaskState.ABORTING, SourceState.STOPPING, MigrationCycle.SYNCING, CommandName.STOP, "SMS.9007"
)
_CUTOVER = Allowed(
    None,
    SourceState.CUTOVERING,
    MigrationCycle.CUTOVERING,
    CommandName.START,
    note="the launch subtasks are added; the agent looks at its task and cuts over",
)
_CLONE = Allowed(None, SourceState.CLONING, note="the subtask CLONE_VM is added")
_NETWORK_CHECK = Allowed(command=CommandName.NETWORK_CHECK, note="the result arrives by UpdateNetworkCheckInfo")
_SKIP = Allowed(TaskState.SKIPPING, SourceState.SKIPPING, None, CommandName.SKIP)
_CLEAR = Allowed(
    None,
    SourceState.CLEARED,
    MigrationCycle.CUTOVERED,
    note="where a receiver keeps something for a roll back the source stays `clearing` until that is removed",
)
_DRILL = Allowed(None, SourceState.DRILL_READY, None, CommandName.PREMIGRATE)

_ALLOWED: Mapping[Action, Mapping[TaskState, Allowed]] = {
    Action.START: dict.fromkeys((TaskState.READY, TaskState.ABORT, *_FAILED), _START),
    Action.STOP: {
        TaskState.RUNNING: _STOP_COPY,
        TaskState.SKIPPING: _STOP_COPY,
        TaskState.SYNCING: _STOP_SYNC,
        **dict.fromkeys(_BEFORE_A_DRILL, _STOP_DRILL),
    },
    Action.RESTART: dict.fromkeys((*_DONE, *_FAILED), _RESTART),
    Action.TEST: {TaskState.SYNCING: _CUTOVER},
    Action.CUTOVER: {TaskState.SYNCING: _CUTOVER},
    Action.CLONE_TEST: {TaskState.SYNCING: _CLONE},
    Action.NETWORK_CHECK: dict.fromkeys(
        (TaskState.READY, TaskState.RUNNING, TaskState.SYNCING, TaskState.SKIPPING, TaskState.ABORT, *_FAILED),
        _NETWORK_CHECK,
    ),
    Action.SKIP: {TaskState.RUNNING: _SKIP, TaskState.SYNCING: _SKIP},
    Action.CLEAR: dict.fromkeys(_DONE, _CLEAR),
    Action.MIGRATION_TEST: dict.fromkeys(_BEFORE_A_DRILL, _DRILL),
    Action.ERROR_FOR_OVERSPEED: {
        TaskState.RUNNING: _OVERSPEED_COPY,
        TaskState.SKIPPING: _OVERSPEED_COPY,
        TaskState.SYNCING: _OVERSPEED_SYNC,
    },
}

_REFUSALS: Mapping[Action, str] = {
    Action.START: "SMS.1039",
    Action.STOP: "SMS.1038",
    Action.RESTART: "SMS.1040",
}
_OTHER_REFUSAL = "WHERRY.5601"

TABLE: Mapping[Action, Mapping[TaskState, Outcome]] = MappingProxyType(
    {
        action: MappingProxyType(
            {state: _ALLOWED[action].get(state, Refused(_REFUSALS.get(action, _OTHER_REFUSAL))) for state in TaskState}
        )
        for action in Action
    }
)
"""The outcome of every action in every state of a task."""

_NOT_CUTOVERING = Condition(
    "the source isn't cutting over already",
    _OTHER_REFUSAL,
    lambda source, _task, _request: source.state != SourceState.CUTOVERING,
)

CONDITIONS: Mapping[Action, Sequence[Condition]] = MappingProxyType(
    {
        Action.START: (
            Condition(
                "the source's environment checks passed",
                "SMS.6520",
                lambda source, _task, _request: source.state != SourceState.UNAVAILABLE,
            ),
        ),
        Action.STOP: (
            Condition(
                "a READY or ABORT task is in a drill",
                "SMS.1038",
                lambda source, task, _request: task.state not in _BEFORE_A_DRILL or source.state in _IN_A_DRILL,
            ),
        ),
        Action.RESTART: (
            Condition(
                "the target's snapshots weren't cleared",
                _OTHER_REFUSAL,
                lambda source, _task, _request: source.state not in _CLEARED,
            ),
        ),
        Action.TEST: (_NOT_CUTOVERING,),
        Action.CUTOVER: (_NOT_CUTOVERING,),
        Action.CLONE_TEST: (
            Condition(
                "the request names a template",
                "SMS.9001",
                lambda _source, _task, request: bool(request.template_id),
            ),
            _NOT_CUTOVERING,
        ),
        Action.SKIP: (
            Condition(
                "the subtask CHECK_CONSISTENCY is running",
                _OTHER_REFUSAL,
                lambda _source, task, _request: subtasks.checking_consistency(task),
            ),
        ),
        Action.MIGRATION_TEST: (
            Condition(
                "the task was created with need_migration_test",
                "WHERRY.5602",
                lambda _source, task, _request: task.need_migration_test,
            ),
        ),
    }
)
"""What actions ask for besides the task's state."""

_OVERTAKEN: Mapping[CommandName, Sequence[CommandName]] = {
    **dict.fromkeys(
        (CommandName.START, CommandName.STOP),
        (
            CommandName.START,
            CommandName.STOP,
            CommandName.SYNC,
            CommandName.SKIP,
            CommandName.PREMIGRATE,
            CommandName.NETWORK_CHECK,
        ),
    ),
    CommandName.SKIP: (CommandName.SKIP,),
    CommandName.PREMIGRATE: (CommandName.PREMIGRATE,),
    CommandName.NETWORK_CHECK: (CommandName.NETWORK_CHECK,),
}
"""Which commands that still wait a new one makes pointless."""


def decide(action: Action, state: TaskState) -> Outcome:
    """Return what *action* does to a task in *state*."""
    return TABLE[action][state]


def available(source: SourceRecord, task: TaskRecord) -> list[Action]:
    """Return the actions that the task allows now: the buttons of a console. Templates count as named."""

    def possible(action: Action) -> bool:
        request = TaskAction(operation=action, template_id="named")
        return isinstance(decide(action, task.state), Allowed) and not _failed_condition(source, task, request)

    return [action for action in Action if possible(action)]


def apply(source: SourceRecord, task: TaskRecord, request: TaskAction) -> list[Change]:
    """Return what *request* changes.

    A new command takes the place of those that it makes pointless and that the agent hasn't answered yet, so an agent
    never gets a START that a STOP has overtaken.

    Raises ApiError with the table's code when the action is refused.
    """
    action = request.operation
    outcome = decide(action, task.state)
    if isinstance(outcome, Refused):
        raise ApiError(outcome.code, f"{action} while the task is {task.state}", params=(action, task.state))
    if failed := _failed_condition(source, task, request):
        raise ApiError(failed.code, f"{action} only when {failed.text}", params=(action,))
    changes: list[Change] = []
    if outcome.task is not None:
        changes.append(SetTaskState(outcome.task, outcome.error_code))
    if outcome.source is SourceState.CLEARED:
        changes.append(SetSourceState(SourceState.CLEARING, outcome.cycle))
    if outcome.source is not None and not (outcome.source is SourceState.CLEARED and task.landed):
        changes.append(SetSourceState(outcome.source, outcome.cycle))
    changes.extend(SetSubtask(name, 0, action) for name in _new_subtasks(task, request))
    if outcome.command is not None:
        changes.append(WithdrawCommands(_OVERTAKEN[outcome.command]))
        changes.append(IssueCommand(outcome.command, task.id))
    return changes


def _failed_condition(source: SourceRecord, task: TaskRecord, request: TaskAction) -> Condition | None:
    conditions = CONDITIONS.get(request.operation, ())
    return next((condition for condition in conditions if not condition.holds(source, task, request)), None)


def _new_subtasks(task: TaskRecord, request: TaskAction) -> Sequence[Subtask]:
    match request.operation:
        case Action.START:
            checked = task.need_consistency_check or request.is_need_consistency_check is True
            return subtasks.missing(structs.replace(task, need_consistency_check=checked))
        case Action.RESTART if task.state in _DONE:
            return subtasks.synchronisation(task)
        case Action.TEST | Action.CUTOVER:
            return subtasks.launch(task)
        case Action.CLONE_TEST:
            return (Subtask.CLONE_VM,)
        case _:
            return ()
