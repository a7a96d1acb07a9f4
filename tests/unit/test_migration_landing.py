"""Landings: which orders follow from what, what reports change, and when a task may be reported as done."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wherry.contract.catalogue import CATALOGUE
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
from wherry.contract.tasks import TaskAction
from wherry.migration import actions, landing
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
    SubtaskRecord,
    TaskRecord,
    WithdrawOrders,
)

CUTTING = SourceRecord("s", SourceState.CUTOVERING, MigrationCycle.CUTOVERING, connected=True)
TASK = TaskRecord("t", "s", TaskState.SYNCING, "MIGRATE_BLOCK", "LINUX", syncing=True, exist_server=True)
REQUEST = {"server_id": "vm"}
NEVER = LandingRecord()
ERROR = LandingError(code="WHERRY.6101", message="no boot loader", cause="c", fix="f")
WAITING = [stage for stage in OrderStage if stage not in landing.ENDED]

sources = st.builds(
    SourceRecord,
    id=st.just("s"),
    state=st.sampled_from(SourceState),
    migration_cycle=st.sampled_from(MigrationCycle),
    connected=st.booleans(),
)
tasks = st.builds(
    TaskRecord,
    id=st.just("t"),
    source_id=st.just("s"),
    state=st.sampled_from(TaskState),
    type=st.just("MIGRATE_BLOCK"),
    os_type=st.just("LINUX"),
    syncing=st.booleans(),
    exist_server=st.booleans(),
    start_target_server=st.booleans(),
)
landings = st.builds(
    LandingRecord,
    state=st.sampled_from(LandingState),
    kind=st.sampled_from(["", *OrderKind]),
    checkpoint=st.none() | st.integers(0, 3),
    order_id=st.sampled_from(["", "o", "other"]),
)
orders = st.builds(
    OrderRecord,
    id=st.just("o"),
    kind=st.sampled_from(OrderKind),
    stage=st.sampled_from(OrderStage),
    checkpoint=st.none() | st.integers(0, 3),
)
told = st.builds(
    OrderReport, stage=st.sampled_from(OrderStage), progress=st.integers(0, 100), error=st.sampled_from([None, ERROR])
)


def begin(
    task: TaskRecord = TASK, known: LandingRecord = NEVER, checkpoint: int = 4, *, boots: bool = True
) -> list[Change]:
    return landing.begin(CUTTING, task, known, checkpoint, receiver_boots=boots, request=REQUEST)


def reported(
    kind: OrderKind, stage: OrderStage, task: TaskRecord = TASK, source: SourceRecord = CUTTING
) -> list[Change]:
    order = OrderRecord("o", kind, OrderStage.PREPARING, 4, REQUEST)
    word = OrderReport(stage=stage, progress=7, note="so far", server_id="vm", error=ERROR)
    return landing.report(source, task, LandingRecord(LandingState.PREPARING, kind, 4, "o"), order, word)


def refused(call: Callable[[], object]) -> str:
    """Return the code that *call* is refused with, empty when it isn't."""
    try:
        call()
    except ApiError as error:
        return error.code
    return ""


def of(changes: Sequence[Change], kind: type) -> list[Change]:
    return [change for change in changes if isinstance(change, kind)]


def test_every_state_means_something_and_every_stage_leads_somewhere() -> None:
    assert set(landing.OUTCOMES) == set(LandingState)
    stages = set(OrderStage) - {OrderStage.WITHDRAWN}
    assert all(set(row) == stages for row in landing.AFTER.values())


def test_a_proven_checkpoint_is_landed_once() -> None:
    changes = begin()
    assert of(changes, OrderLanding) == [OrderLanding(OrderKind.LAND, REQUEST, 4, leads=True)]
    assert changes[-1] == SetLanding(LandingState.ORDERED, kind=OrderKind.LAND, checkpoint=4)
    for state in LandingState:
        known = LandingRecord(state, OrderKind.LAND, 4, "o")
        again = {LandingState.NONE, LandingState.NOT_BOOTED, LandingState.WITHDRAWN}
        assert bool(begin(known=known)) == (state in again)
        assert begin(known=structs.replace(known, checkpoint=3))


def test_a_receiver_that_boots_nothing_delivers_disks() -> None:
    (change,) = begin(boots=False)
    assert change == SetLanding(LandingState.NOT_BOOTED, kind=OrderKind.LAND, checkpoint=4)


def test_a_task_that_is_not_at_work_is_rehearsed_for_its_drill() -> None:
    ready = structs.replace(TASK, state=TaskState.READY)
    assert of(begin(ready), OrderLanding) == [OrderLanding(OrderKind.DRILL, REQUEST, 4, leads=True)]
    with pytest.raises(ApiError) as caught:
        begin(ready, boots=False)
    assert caught.value.code == "WHERRY.5605"
    # The drill of a checkpoint isn't its landing.
    drilled = LandingRecord(LandingState.PASSED, OrderKind.DRILL, 4, "o")
    assert begin(ready, drilled) == []
    assert of(begin(TASK, drilled), OrderLanding)


@pytest.mark.parametrize("state", [TaskState.MIGRATE_SUCCESS, TaskState.SYNC_FAIL, TaskState.DELETING])
def test_nothing_is_landed_of_a_task_that_is_done_or_has_failed(state: TaskState) -> None:
    with pytest.raises(ApiError) as caught:
        begin(structs.replace(TASK, state=state))
    assert caught.value.code == "WHERRY.5601"


def test_the_launch_follows_a_rehearsal_that_passed() -> None:
    changes = reported(OrderKind.LAND, OrderStage.DONE)
    assert of(changes, SetLanding) == [
        SetLanding(LandingState.PASSED, 7, "so far", server_id="vm"),
        SetLanding(LandingState.LAUNCHING),
    ]
    assert of(changes, OrderLanding) == [OrderLanding(OrderKind.LAUNCH, REQUEST, 4, leads=True)]
    assert of(changes, SetTarget) == [SetTarget("vm")]


def test_a_task_whose_target_is_created_has_that_step_done_then() -> None:
    step = SubtaskRecord(Subtask.CREATE_CLOUD_SERVER, 0)
    creating = structs.replace(TASK, exist_server=False, subtasks=(step,))
    (done,) = of(reported(OrderKind.LAND, OrderStage.DONE, creating), SetSubtask)
    assert isinstance(done, SetSubtask)
    assert (done.name, done.progress) == (Subtask.CREATE_CLOUD_SERVER, 100)


def test_no_launch_follows_where_the_target_is_not_to_be_started() -> None:
    task = structs.replace(TASK, start_target_server=False)
    assert of(reported(OrderKind.LAND, OrderStage.DONE, task), OrderLanding) == []
    passed = LandingRecord(LandingState.PASSED, OrderKind.LAND, 4, "o")
    assert landing.outcome(passed, task) is LandingOutcome.SUCCESS
    assert landing.outcome(passed, TASK) is LandingOutcome.WAIT


def test_no_launch_follows_for_a_task_that_was_stopped_meanwhile() -> None:
    assert (
        of(reported(OrderKind.LAND, OrderStage.DONE, structs.replace(TASK, state=TaskState.ABORT)), OrderLanding) == []
    )


def test_a_failed_rehearsal_keeps_its_code_cause_and_fix() -> None:
    (change,) = of(reported(OrderKind.LAND, OrderStage.FAILED), SetLanding)
    assert change == SetLanding(LandingState.FAILED, 7, "so far", ERROR, server_id="vm")
    assert landing.OUTCOMES[LandingState.FAILED] is LandingOutcome.FAILURE


def test_a_rehearsal_that_a_user_ordered_leaves_the_landing_alone() -> None:
    assert reported(OrderKind.REHEARSE, OrderStage.FAILED) == [
        SetOrder("o", OrderStage.FAILED, 7, "so far", None, ERROR)
    ]


def test_a_clone_is_made_while_the_task_goes_on() -> None:
    cloning = SourceRecord("s", SourceState.CLONING, MigrationCycle.SYNCING, connected=True)
    under_way = reported(OrderKind.CLONE, OrderStage.LAUNCHING, source=cloning)
    assert of(under_way, SetClone) == [SetClone(CloneState.CREATING, "vm")]
    assert of(under_way, SetSourceState) == []
    done = reported(OrderKind.CLONE, OrderStage.DONE, source=cloning)
    assert of(done, SetSubtask) == [SetSubtask(Subtask.CLONE_VM, 100, process_trace="so far")]
    assert of(done, SetSourceState) == [SetSourceState(SourceState.SYNCING, MigrationCycle.SYNCING)]
    failed = reported(OrderKind.CLONE, OrderStage.FAILED, source=cloning)
    assert of(failed, SetClone) == [SetClone(CloneState.ERROR, "vm", "", ERROR)]
    # A cutover that was ordered meanwhile isn't undone by the end of a clone.
    assert of(reported(OrderKind.CLONE, OrderStage.DONE), SetSourceState) == []


def test_clear_ends_with_what_the_receiver_says() -> None:
    clearing = SourceRecord("s", SourceState.CLEARING, MigrationCycle.CUTOVERED, connected=True)
    for stage, state in ((OrderStage.DONE, SourceState.CLEARED), (OrderStage.FAILED, SourceState.CLEAR_FAILED)):
        changes = reported(OrderKind.CLEAR, stage, source=clearing)
        assert of(changes, SetSourceState) == [SetSourceState(state, MigrationCycle.CUTOVERED)]
    assert of(reported(OrderKind.CLEAR, OrderStage.PREPARING, source=clearing), SetSourceState) == []


def test_the_action_clear_waits_for_the_receiver_where_something_is_kept() -> None:
    finished = structs.replace(TASK, state=TaskState.MIGRATE_SUCCESS)
    done = SourceRecord("s", SourceState.FINISHED, MigrationCycle.CUTOVERED, connected=True)
    request = TaskAction(operation=Action.CLEAR)
    states = [
        [change.state for change in of(actions.apply(done, task, request), SetSourceState)]  # type: ignore[union-attr]
        for task in (finished, structs.replace(finished, landed=True))
    ]
    assert states == [[SourceState.CLEARING, SourceState.CLEARED], [SourceState.CLEARING]]
    launched = LandingRecord(LandingState.LAUNCHED, OrderKind.LAND, 4, "o")
    follow = landing.on_action(Action.CLEAR, launched, receiver_boots=True, request=REQUEST)
    assert follow == [OrderLanding(OrderKind.CLEAR, REQUEST, 4)]
    assert landing.on_action(Action.CLEAR, NEVER, receiver_boots=True, request=REQUEST) == []


@pytest.mark.parametrize("action", [Action.STOP, Action.START, Action.RESTART, Action.ERROR_FOR_OVERSPEED])
def test_a_stop_takes_back_what_is_under_way(action: Action) -> None:
    for state in LandingState:
        known = LandingRecord(state, OrderKind.LAND, 4, "o")
        changes = landing.on_action(action, known, receiver_boots=True, request=REQUEST)
        taken_back = [WithdrawOrders(landing.LEADING), SetLanding(LandingState.WITHDRAWN)]
        assert changes == (taken_back if state in landing.UNDER_WAY else [])


def test_a_bad_launch_is_rolled_back_and_launched_again() -> None:
    launched = LandingRecord(LandingState.LAUNCHED, OrderKind.LAND, 4, "o")
    back = landing.act(CUTTING, launched, LandingAction.ROLL_BACK, REQUEST)
    assert back == [OrderLanding(OrderKind.ROLL_BACK, REQUEST, 4, leads=True), SetLanding(LandingState.ROLLING_BACK)]
    rolled = structs.replace(launched, state=LandingState.ROLLED_BACK)
    assert landing.act(CUTTING, rolled, LandingAction.LAUNCH, REQUEST)[-1] == SetLanding(LandingState.LAUNCHING)
    cleared = SourceRecord("s", SourceState.CLEARED, MigrationCycle.CUTOVERED, connected=True)
    with pytest.raises(ApiError) as caught:
        landing.act(cleared, launched, LandingAction.ROLL_BACK, REQUEST)
    assert caught.value.code == "WHERRY.5606"


def test_one_ordered_rehearsal_at_a_time() -> None:
    assert landing.rehearse(TASK, [], receiver_boots=True, request={}) == [OrderLanding(OrderKind.REHEARSE, {})]
    waiting = OrderRecord("o", OrderKind.REHEARSE, OrderStage.WAITING)
    for open_orders, boots, code in (([waiting], True, "WHERRY.5607"), ([], False, "WHERRY.5605")):
        with pytest.raises(ApiError) as caught:
            landing.rehearse(TASK, open_orders, receiver_boots=boots, request={})
        assert caught.value.code == code
    assert landing.checkpoint_wanted([waiting])
    assert not landing.checkpoint_wanted([structs.replace(waiting, stage=OrderStage.REHEARSING)])


@given(task=tasks, known=landings, boots=st.booleans())
def test_success_means_booted(task: TaskRecord, known: LandingRecord, boots: bool) -> None:
    refusal = refused(lambda: landing.check_finish(known, task, receiver_boots=boots))
    fine = {LandingState.LAUNCHED, LandingState.NOTHING_TO_BOOT, LandingState.NOT_BOOTED}
    passed = known.state is LandingState.PASSED and not task.start_target_server
    may = not boots or (known.kind != OrderKind.DRILL and (known.state in fine or passed))
    assert refusal == ("" if may else "WHERRY.5604")


@given(source=st.none() | sources, task=tasks, known=landings, order=orders, word=told)
def test_a_report_moves_only_what_its_order_is_about(
    source: SourceRecord | None, task: TaskRecord, known: LandingRecord, order: OrderRecord, word: OrderReport
) -> None:
    changes = landing.report(source, task, known, order, word)
    if order.stage in landing.ENDED or word.stage is OrderStage.WITHDRAWN:
        assert changes == []
        return
    assert isinstance(changes[0], SetOrder)
    assert bool(of(changes, SetLanding)) == (order.kind in landing.AFTER and known.order_id == order.id)
    assert bool(of(changes, SetClone)) == (order.kind is OrderKind.CLONE)
    for follower in of(changes, OrderLanding):
        assert isinstance(follower, OrderLanding)
        assert (follower.kind, word.stage, order.kind) == (OrderKind.LAUNCH, OrderStage.DONE, OrderKind.LAND)


@given(source=sources, known=landings, action=st.sampled_from(LandingAction))
def test_a_users_order_is_refused_with_a_code_or_moves_the_landing(
    source: SourceRecord, known: LandingRecord, action: LandingAction
) -> None:
    refusal = refused(lambda: landing.act(source, known, action, REQUEST))
    if refusal:
        assert CATALOGUE[refusal].status == 400
        return
    assert known.state in landing.ACTIONS[action][2]
    kinds = [type(change) for change in landing.act(source, known, action, REQUEST)]
    assert kinds == [OrderLanding, SetLanding]
