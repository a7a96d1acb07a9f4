"""What a landing is: from a consistent checkpoint to a server that runs; what orders, reports and users change of it.

A task's receiver gets *orders*; what it reports of the order that leads moves the landing. `LandingState` is what
became of the task's system so far; `outcome` is what that means for the agent, which may report the launch as done on
SUCCESS only. Everything is decided by the tables here; `docs/states.md` is written from them.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from wherry.contract.enumerations import (
    Action,
    CloneState,
    LandingAction,
    LandingOutcome,
    LandingState,
    MigrationCycle,
    OrderKind,
    OrderStage,
    SourceState,
    Subtask,
    TaskState,
)
from wherry.contract.errors import ApiError
from wherry.contract.landing import LandingError, OrderReport
from wherry.migration.progress import AT_WORK
from wherry.migration.records import (
    Change,
    LandingRecord,
    OrderLanding,
    OrderRecord,
    SetClone,
    SetLanding,
    SetOrder,
    SetSourceState,
    SetSubtask,
    SetTarget,
    SourceRecord,
    TaskRecord,
    WithdrawOrders,
)

BOOTING_DRIVER: Final = "qemu"
"""A receiver that announces this driver boots what lands there."""

ENDED: Final = frozenset({OrderStage.DONE, OrderStage.NOTHING_TO_BOOT, OrderStage.FAILED, OrderStage.WITHDRAWN})
"""Stages of an order that nothing follows."""

UNDER_WAY: Final = frozenset(
    {
        LandingState.ORDERED,
        LandingState.PREPARING,
        LandingState.REHEARSING,
        LandingState.PASSED,
        LandingState.LAUNCHING,
    }
)
"""States of a landing that a task which is stopped leaves: it's landed anew when it goes on."""

LEADING: Final = (OrderKind.LAND, OrderKind.LAUNCH, OrderKind.DRILL)
"""Orders that an agent waits for; there's one of them at a time."""

REHEARSING: Final = (OrderKind.LAND, OrderKind.DRILL, OrderKind.REHEARSE)
"""Orders with a rehearsal in them."""

_DRILL_STATES: Final = frozenset({TaskState.READY, TaskState.ABORT})

_REHEARSED: Final[Mapping[OrderStage, LandingState]] = {
    OrderStage.ORDERED: LandingState.ORDERED,
    OrderStage.WAITING: LandingState.ORDERED,
    OrderStage.PREPARING: LandingState.PREPARING,
    OrderStage.REHEARSING: LandingState.REHEARSING,
    OrderStage.LAUNCHING: LandingState.REHEARSING,
    OrderStage.DONE: LandingState.PASSED,
    OrderStage.NOTHING_TO_BOOT: LandingState.NOTHING_TO_BOOT,
    OrderStage.FAILED: LandingState.FAILED,
}


def _acted(meanwhile: LandingState, done: LandingState, failed: LandingState) -> Mapping[OrderStage, LandingState]:
    """Return what an order that acts on a landed system makes of the landing: only its end tells something new."""
    return {
        **dict.fromkeys(_REHEARSED, meanwhile),
        OrderStage.DONE: done,
        OrderStage.NOTHING_TO_BOOT: LandingState.NOTHING_TO_BOOT,
        OrderStage.FAILED: failed,
    }


AFTER: Mapping[OrderKind, Mapping[OrderStage, LandingState]] = MappingProxyType(
    {
        OrderKind.LAND: _REHEARSED,
        OrderKind.DRILL: _REHEARSED,
        OrderKind.LAUNCH: _acted(LandingState.LAUNCHING, LandingState.LAUNCHED, LandingState.LAUNCH_FAILED),
        OrderKind.ROLL_BACK: _acted(LandingState.ROLLING_BACK, LandingState.ROLLED_BACK, LandingState.ROLL_BACK_FAILED),
    }
)
"""What a landing becomes when the receiver reports a stage of the order that it follows."""

OUTCOMES: Mapping[LandingState, LandingOutcome] = MappingProxyType(
    {
        LandingState.NONE: LandingOutcome.WAIT,
        LandingState.NOT_BOOTED: LandingOutcome.SUCCESS,
        LandingState.ORDERED: LandingOutcome.WAIT,
        LandingState.PREPARING: LandingOutcome.WAIT,
        LandingState.REHEARSING: LandingOutcome.WAIT,
        LandingState.PASSED: LandingOutcome.WAIT,
        LandingState.FAILED: LandingOutcome.FAILURE,
        LandingState.NOTHING_TO_BOOT: LandingOutcome.SUCCESS,
        LandingState.LAUNCHING: LandingOutcome.WAIT,
        LandingState.LAUNCHED: LandingOutcome.SUCCESS,
        LandingState.LAUNCH_FAILED: LandingOutcome.FAILURE,
        LandingState.ROLLING_BACK: LandingOutcome.WAIT,
        LandingState.ROLLED_BACK: LandingOutcome.FAILURE,
        LandingState.ROLL_BACK_FAILED: LandingOutcome.FAILURE,
        LandingState.WITHDRAWN: LandingOutcome.FAILURE,
    }
)
"""What each state means for an agent that waits; a rehearsal that passed is enough where no launch follows."""

ACTIONS: Mapping[LandingAction, tuple[OrderKind, LandingState, Collection[LandingState]]] = MappingProxyType(
    {
        LandingAction.LAUNCH: (
            OrderKind.LAUNCH,
            LandingState.LAUNCHING,
            (LandingState.PASSED, LandingState.LAUNCH_FAILED, LandingState.ROLLED_BACK),
        ),
        LandingAction.ROLL_BACK: (
            OrderKind.ROLL_BACK,
            LandingState.ROLLING_BACK,
            (LandingState.LAUNCHED, LandingState.LAUNCH_FAILED, LandingState.ROLL_BACK_FAILED),
        ),
    }
)
"""What a user may order: the order, what the landing becomes at once, and in which states of it."""

_CLONE: Mapping[OrderStage, CloneState] = MappingProxyType(
    {
        OrderStage.ORDERED: CloneState.PREPARING,
        OrderStage.WAITING: CloneState.PREPARING,
        OrderStage.PREPARING: CloneState.PREPARING,
        OrderStage.REHEARSING: CloneState.PREPARING,
        OrderStage.LAUNCHING: CloneState.CREATING,
        OrderStage.DONE: CloneState.FINISHED,
        OrderStage.NOTHING_TO_BOOT: CloneState.ERROR,
        OrderStage.FAILED: CloneState.ERROR,
    }
)
"""`clone_state` by the stage of the order that makes the clone."""

_ENDS_A_LANDING: Final = frozenset({Action.STOP, Action.ERROR_FOR_OVERSPEED, Action.START, Action.RESTART})
_CLEARED: Final = frozenset({SourceState.CLEARING, SourceState.CLEARED})


def boots(drivers: Collection[str]) -> bool:
    """Whether a receiver with these drivers boots what lands there."""
    return BOOTING_DRIVER in drivers


def outcome(landing: LandingRecord, task: TaskRecord) -> LandingOutcome:
    """Return what the landing means for the task's agent: wait on, report the launch as done, or fail."""
    if landing.state is LandingState.PASSED and (landing.kind == OrderKind.DRILL or not task.start_target_server):
        return LandingOutcome.SUCCESS
    return OUTCOMES[landing.state]


def check_finish(landing: LandingRecord, task: TaskRecord, *, receiver_boots: bool) -> None:
    """Raise ApiError WHERRY.5604 while the task may not be reported as done: success means booted."""
    if receiver_boots and (landing.kind == OrderKind.DRILL or outcome(landing, task) is not LandingOutcome.SUCCESS):
        raise ApiError("WHERRY.5604", f"the landing is {landing.state}", params=(task.id, landing.state))


def begin(
    source: SourceRecord,
    task: TaskRecord,
    landing: LandingRecord,
    checkpoint: int,
    *,
    receiver_boots: bool,
    request: Mapping[str, Any],
) -> list[Change]:
    """Return what the agent's word changes that *checkpoint* is consistent and proven.

    Saying it again changes nothing. A task at work is landed, one that isn't is rehearsed for its drill.

    Raises ApiError WHERRY.5605 for a drill where the receiver boots nothing, WHERRY.5601 when neither is due.
    """
    drill = task.state in _DRILL_STATES
    if not drill and (task.state not in AT_WORK or source.state is not SourceState.CUTOVERING):
        raise ApiError("WHERRY.5601", f"the source is {source.state}", params=("land", task.state))
    kind = OrderKind.DRILL if drill else OrderKind.LAND
    if not receiver_boots:
        if drill:
            raise ApiError("WHERRY.5605", params=(task.id,))
        return [SetLanding(LandingState.NOT_BOOTED, kind=kind, checkpoint=checkpoint)]
    known = landing.checkpoint == checkpoint and (landing.kind == OrderKind.DRILL) == drill
    if known and landing.state not in {LandingState.NONE, LandingState.NOT_BOOTED, LandingState.WITHDRAWN}:
        return []
    return [
        WithdrawOrders(LEADING),
        OrderLanding(kind, request, checkpoint, leads=True),
        SetLanding(LandingState.ORDERED, kind=kind, checkpoint=checkpoint),
    ]


def report(
    source: SourceRecord | None, task: TaskRecord, landing: LandingRecord, order: OrderRecord, told: OrderReport
) -> list[Change]:
    """Return what a receiver's report of an order changes. One that comes twice, or too late, changes nothing."""
    if order.stage in ENDED or told.stage is OrderStage.WITHDRAWN:
        return []
    error = told.error if told.stage is OrderStage.FAILED else None
    changes: list[Change] = [SetOrder(order.id, told.stage, told.progress, told.note, told.checkpoint, error)]
    if order.kind in AFTER and order.id == landing.order_id:
        changes.extend(_on_landing(task, order, told, error))
    elif order.kind is OrderKind.CLONE:
        changes.extend(_on_clone(source, told, error))
    elif order.kind is OrderKind.CLEAR and source is not None and source.state is SourceState.CLEARING:
        changes.extend(_on_clear(told))
    return changes


def act(
    source: SourceRecord, landing: LandingRecord, action: LandingAction, request: Mapping[str, Any]
) -> list[Change]:
    """Return what a user's *action* on a landed system changes.

    Raises ApiError WHERRY.5606 where the landing's state doesn't allow it, or what is needed for it was cleared.
    """
    kind, state, _ = ACTIONS[action]
    if action not in available(source, landing):
        gone = action is LandingAction.ROLL_BACK and source.state in _CLEARED
        why = f"the source is {source.state}" if gone else f"the landing is {landing.state}"
        raise ApiError("WHERRY.5606", why, params=(action, landing.state))
    return [OrderLanding(kind, request, landing.checkpoint, leads=True), SetLanding(state)]


def available(source: SourceRecord, landing: LandingRecord) -> list[LandingAction]:
    """Return what a user may do with the landed system now: the buttons of a console."""
    if landing.kind == OrderKind.DRILL:
        return []
    gone = {LandingAction.ROLL_BACK} if source.state in _CLEARED else set()
    return [action for action, (_, _, states) in ACTIONS.items() if landing.state in states and action not in gone]


def rehearse(
    task: TaskRecord, open_orders: Collection[OrderRecord], *, receiver_boots: bool, request: Mapping[str, Any]
) -> list[Change]:
    """Return what a user's order of a rehearsal changes.

    Raises ApiError WHERRY.5605 where the receiver boots nothing, WHERRY.5607 while one is under way.
    """
    if not receiver_boots:
        raise ApiError("WHERRY.5605", params=(task.id,))
    if any(order.kind is OrderKind.REHEARSE for order in open_orders):
        raise ApiError("WHERRY.5607", params=(task.id,))
    return [OrderLanding(OrderKind.REHEARSE, request)]


def record(
    landing: LandingRecord, open_orders: Collection[OrderRecord], *, receiver_boots: bool, request: Mapping[str, Any]
) -> list[Change]:
    """Return what a user's wish to see what the target shows changes: nothing while that is ordered already.

    Raises ApiError WHERRY.5605 where the receiver boots nothing, WHERRY.5606 while no target was launched.
    """
    if not receiver_boots:
        raise ApiError("WHERRY.5605")
    if landing.state is not LandingState.LAUNCHED:
        raise ApiError("WHERRY.5606", f"the landing is {landing.state}", params=(OrderKind.RECORD, landing.state))
    if any(order.kind is OrderKind.RECORD for order in open_orders):
        return []
    return [OrderLanding(OrderKind.RECORD, request)]


def on_action(
    action: Action, landing: LandingRecord, *, receiver_boots: bool, request: Mapping[str, Any]
) -> list[Change]:
    """Return what an action on the task, which is allowed, changes of its landing.

    A stop takes back what the receiver hasn't done yet; `clone_test` and `clear` are carried out by the receiver.
    """
    if action in _ENDS_A_LANDING and landing.state in UNDER_WAY:
        return [WithdrawOrders(LEADING), SetLanding(LandingState.WITHDRAWN)]
    if action is Action.CLONE_TEST and receiver_boots:
        return [WithdrawOrders((OrderKind.CLONE,)), OrderLanding(OrderKind.CLONE, request), SetClone(CloneState.READY)]
    if action is Action.CLEAR and receiver_boots and kept(landing):
        return [OrderLanding(OrderKind.CLEAR, request, landing.checkpoint)]
    return []


def checkpoint_wanted(open_orders: Collection[OrderRecord]) -> bool:
    """Whether an order waits for a consistent checkpoint, which the agent takes when it comes to it."""
    return any(order.stage is OrderStage.WAITING for order in open_orders)


def kept(landing: LandingRecord) -> bool:
    """Whether the receiver keeps anything of the landing that could be cleared."""
    return landing.kind == OrderKind.LAND and landing.state not in {LandingState.NONE, LandingState.NOT_BOOTED}


def _on_landing(task: TaskRecord, order: OrderRecord, told: OrderReport, error: LandingError | None) -> list[Change]:
    server = told.server_id or None
    state = AFTER[order.kind][told.stage]
    changes: list[Change] = [SetLanding(state, told.progress, told.note, error, server_id=server)]
    if server is not None and order.kind is OrderKind.LAND:
        changes.append(SetTarget(server, told.server_name))
        if any(step.name == Subtask.CREATE_CLOUD_SERVER and step.progress < 100 for step in task.subtasks):
            changes.append(SetSubtask(Subtask.CREATE_CLOUD_SERVER, 100, process_trace="made by the receiver"))
    if state is LandingState.PASSED and order.kind is OrderKind.LAND and task.start_target_server:
        if task.state not in AT_WORK:
            return changes
        changes.append(OrderLanding(OrderKind.LAUNCH, order.request, order.checkpoint, leads=True))
        changes.append(SetLanding(LandingState.LAUNCHING))
    return changes


def _on_clone(source: SourceRecord | None, told: OrderReport, error: LandingError | None) -> list[Change]:
    done = 100 if told.stage is OrderStage.DONE else min(told.progress, 99)
    changes: list[Change] = [
        SetClone(_CLONE[told.stage], told.server_id, told.server_name, error),
        SetSubtask(Subtask.CLONE_VM, done, process_trace=told.note),
    ]
    if told.stage in ENDED and source is not None and source.state is SourceState.CLONING:
        changes.append(SetSourceState(SourceState.SYNCING, MigrationCycle.SYNCING))
    return changes


def _on_clear(told: OrderReport) -> list[Change]:
    if told.stage not in ENDED:
        return []
    failed = told.stage is OrderStage.FAILED
    return [SetSourceState(SourceState.CLEAR_FAILED if failed else SourceState.CLEARED, MigrationCycle.CUTOVERED)]
