"""The action table: every action in every state of a task."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wherry.contract.catalogue import CATALOGUE
from wherry.contract.enumerations import Action, CommandName, MigrationCycle, SourceState, Subtask, TaskState
from wherry.contract.errors import ApiError
from wherry.contract.tasks import TaskAction
from wherry.migration import actions
from wherry.migration.records import (
    IssueCommand,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    SourceRecord,
    SubtaskRecord,
    TaskRecord,
    WithdrawCommands,
)

SOURCE = SourceRecord("s", SourceState.WAITING, MigrationCycle.SETTING, connected=True)
TASK = TaskRecord("t", "s", TaskState.READY, "MIGRATE_BLOCK", "LINUX", syncing=True, exist_server=True)
SYNCING_SOURCE = SourceRecord("s", SourceState.SYNCING, MigrationCycle.SYNCING, connected=True)

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
    type=st.sampled_from(["MIGRATE_FILE", "MIGRATE_BLOCK"]),
    os_type=st.sampled_from(["LINUX", "WINDOWS", ""]),
    syncing=st.booleans(),
    exist_server=st.booleans(),
    need_consistency_check=st.booleans(),
    need_migration_test=st.booleans(),
    subtasks=st.lists(st.builds(SubtaskRecord, st.sampled_from(Subtask), st.integers(0, 100)), max_size=4),
)
requests = st.builds(
    TaskAction,
    operation=st.sampled_from(Action),
    template_id=st.sampled_from([None, "", "template"]),
    is_need_consistency_check=st.sampled_from([None, True, False]),
)


def act(action: Action, state: TaskState, source: SourceRecord = SOURCE, **task: object) -> list[object]:
    record = structs.replace(TASK, state=state, **task)
    return list(actions.apply(source, record, TaskAction(operation=action, template_id="template")))


def test_every_pair_is_decided() -> None:
    assert set(actions.TABLE) == set(Action)
    for row in actions.TABLE.values():
        assert set(row) == set(TaskState)


def test_every_refusal_is_in_the_catalogue() -> None:
    codes = {
        outcome.code
        for row in actions.TABLE.values()
        for outcome in row.values()
        if isinstance(outcome, actions.Refused)
    }
    codes |= {condition.code for conditions in actions.CONDITIONS.values() for condition in conditions}
    assert codes <= set(CATALOGUE)


@given(source=sources, task=tasks, request=requests)
def test_an_action_is_refused_with_a_code_or_leads_to_states_that_exist(
    source: SourceRecord, task: TaskRecord, request: TaskAction
) -> None:
    try:
        changes = actions.apply(source, task, request)
    except ApiError as error:
        refusal: str | None = error.code
        changes = []
    else:
        refusal = None
    assert (refusal is None) == (
        isinstance(actions.decide(request.operation, task.state), actions.Allowed)
        and all(condition.holds(source, task, request) for condition in actions.CONDITIONS.get(request.operation, ()))
    )
    assert refusal is None or CATALOGUE[refusal].status == 400
    for change in changes:
        match change:
            case SetSourceState():
                assert change.state in set(SourceState)
                assert change.migration_cycle is None or change.migration_cycle in set(MigrationCycle)
            case SetTaskState():
                assert change.state in set(TaskState)
            case SetSubtask():
                assert change.name in set(Subtask)
                assert (change.progress, change.user_op) == (0, request.operation)
            case IssueCommand():
                assert change.name in set(CommandName)
                assert change.task_id == task.id
            case _:
                assert isinstance(change, WithdrawCommands)


@given(source=sources, task=tasks)
def test_the_available_actions_are_those_that_apply_lets_pass(source: SourceRecord, task: TaskRecord) -> None:
    passing = []
    for action in Action:
        try:
            actions.apply(source, task, TaskAction(operation=action, template_id="template"))
        except ApiError:
            continue
        passing.append(action)
    assert actions.available(source, task) == passing


@given(source=sources, task=tasks, request=requests)
def test_a_command_takes_the_place_of_what_waits(source: SourceRecord, task: TaskRecord, request: TaskAction) -> None:
    try:
        changes = actions.apply(source, task, request)
    except ApiError:
        return
    issued = [index for index, change in enumerate(changes) if isinstance(change, IssueCommand)]
    for index in issued:
        withdrawal = changes[index - 1]
        assert isinstance(withdrawal, WithdrawCommands)
        issue = changes[index]
        assert isinstance(issue, IssueCommand)
        assert issue.name in withdrawal.names


def test_start_runs_a_new_task_and_plans_its_subtasks() -> None:
    changes = act(Action.START, TaskState.READY)
    assert changes[:2] == [
        SetTaskState(TaskState.RUNNING),
        SetSourceState(SourceState.INITIALIZE, MigrationCycle.REPLICATING),
    ]
    assert [change.name for change in changes if isinstance(change, SetSubtask)] == [
        "SSL_CONFIG",
        "ATTACH_AGENT_IMAGE",
        "FORMAT_DISK_LINUX_BLOCK",
        "MIGRATE_LINUX_BLOCK",
    ]
    assert changes[-1] == IssueCommand(CommandName.START, "t")


def test_start_of_a_stopped_task_keeps_the_progress_of_its_subtasks() -> None:
    planned = [change for change in act(Action.START, TaskState.READY) if isinstance(change, SetSubtask)]
    there = [SubtaskRecord(change.name, 100) for change in planned]
    assert not [
        change for change in act(Action.START, TaskState.ABORT, subtasks=there) if isinstance(change, SetSubtask)
    ]


def test_start_may_ask_for_the_consistency_check() -> None:
    request = TaskAction(operation=Action.START, is_need_consistency_check=True)
    changes = actions.apply(SOURCE, structs.replace(TASK, syncing=False), request)
    assert [change.name for change in changes if isinstance(change, SetSubtask)] == [
        "SSL_CONFIG",
        "ATTACH_AGENT_IMAGE",
        "FORMAT_DISK_LINUX_BLOCK",
        "MIGRATE_LINUX_BLOCK",
        "CHECK_CONSISTENCY",
        "CONFIGURE_LINUX_BLOCK",
        "DETTACH_AGENT_IMAGE",
    ]


def test_a_task_to_be_created_by_file_has_its_own_subtasks() -> None:
    changes = act(Action.START, TaskState.READY, type="MIGRATE_FILE", exist_server=False, syncing=False)
    names = [change.name for change in changes if isinstance(change, SetSubtask)]
    assert names[0] == "CREATE_CLOUD_SERVER"
    assert names[3:5] == ["FORMAT_DISK_LINUX_FILE", "MIGRATE_LINUX_FILE"]
    assert names[-2:] == ["CONFIGURE_LINUX_FILE", "DETTACH_AGENT_IMAGE"]


@pytest.mark.parametrize("action", [Action.TEST, Action.CUTOVER])
def test_the_cutover_is_a_start_with_the_source_cutting_over(action: Action) -> None:
    changes = act(action, TaskState.SYNCING, SYNCING_SOURCE)
    assert SetSourceState(SourceState.CUTOVERING, MigrationCycle.CUTOVERING) in changes
    assert not [change for change in changes if isinstance(change, SetTaskState)]
    assert [change for change in changes if isinstance(change, SetSubtask)] == [
        SetSubtask("CONFIGURE_LINUX_BLOCK", 0, action),
        SetSubtask("DETTACH_AGENT_IMAGE", 0, action),
    ]
    assert changes[-1] == IssueCommand(CommandName.START, "t")


@pytest.mark.parametrize(
    ("action", "state", "source", "code"),
    [
        (Action.START, TaskState.RUNNING, SOURCE, "SMS.1039"),
        (Action.START, TaskState.ABORTING, SOURCE, "SMS.1039"),
        (Action.STOP, TaskState.READY, SOURCE, "SMS.1038"),
        (Action.STOP, TaskState.ABORT, SOURCE, "SMS.1038"),
        (Action.STOP, TaskState.ABORTING, SOURCE, "SMS.1038"),
        (Action.RESTART, TaskState.RUNNING, SOURCE, "SMS.1040"),
        (Action.CUTOVER, TaskState.RUNNING, SOURCE, "WHERRY.5601"),
        (
            Action.CUTOVER,
            TaskState.SYNCING,
            SourceRecord("s", SourceState.CUTOVERING, MigrationCycle.CUTOVERING, connected=True),
            "WHERRY.5601",
        ),
        (
            Action.START,
            TaskState.READY,
            SourceRecord("s", SourceState.UNAVAILABLE, MigrationCycle.CHECKING, connected=True),
            "SMS.6520",
        ),
        (
            Action.RESTART,
            TaskState.MIGRATE_SUCCESS,
            SourceRecord("s", SourceState.CLEARED, MigrationCycle.CUTOVERED, connected=True),
            "WHERRY.5601",
        ),
        (Action.SKIP, TaskState.RUNNING, SOURCE, "WHERRY.5601"),
        (Action.MIGRATION_TEST, TaskState.READY, SOURCE, "WHERRY.5602"),
    ],
)
def test_what_does_not_fit_is_refused(action: Action, state: TaskState, source: SourceRecord, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        act(action, state, source)
    assert caught.value.code == code


def test_a_clone_needs_a_template() -> None:
    task = structs.replace(TASK, state=TaskState.SYNCING)
    with pytest.raises(ApiError) as caught:
        actions.apply(SYNCING_SOURCE, task, TaskAction(operation=Action.CLONE_TEST))
    assert caught.value.code == "SMS.9001"
    assert SetSubtask("CLONE_VM", 0, "clone_test") in act(Action.CLONE_TEST, TaskState.SYNCING, SYNCING_SOURCE)


def test_skip_needs_the_consistency_check_to_be_at_work() -> None:
    def skip(migrated: int, checked: int) -> list[object]:
        steps = [SubtaskRecord("MIGRATE_LINUX_BLOCK", migrated), SubtaskRecord("CHECK_CONSISTENCY", checked)]
        return act(Action.SKIP, TaskState.RUNNING, subtasks=steps)

    assert SetTaskState(TaskState.SKIPPING) in skip(100, 40)
    for migrated, checked in ((99, 0), (100, 100)):
        with pytest.raises(ApiError):
            skip(migrated, checked)


def test_overspeed_stops_the_task_with_its_code() -> None:
    assert SetTaskState(TaskState.ABORTING, "SMS.9007") in act(Action.ERROR_FOR_OVERSPEED, TaskState.RUNNING)


def test_clearing_ends_at_once() -> None:
    changes = act(Action.CLEAR, TaskState.MIGRATE_SUCCESS)
    assert [change.state for change in changes if isinstance(change, SetSourceState)] == ["clearing", "cleared"]


@pytest.mark.parametrize("drill", [SourceState.DRILL_READY, SourceState.DRILL_RUNNING])
@pytest.mark.parametrize("state", [TaskState.READY, TaskState.ABORT])
def test_a_drill_can_be_stopped_and_its_task_stays_as_it_is(state: TaskState, drill: SourceState) -> None:
    source = SourceRecord("s", drill, MigrationCycle.REPLICATING, connected=True)
    changes = act(Action.STOP, state, source)
    assert not [change for change in changes if isinstance(change, SetTaskState)]
    assert SetSourceState(SourceState.STOPPING) in changes
    assert changes[-1] == IssueCommand(CommandName.STOP, "t")
    (withdrawn,) = [change for change in changes if isinstance(change, WithdrawCommands)]
    assert CommandName.PREMIGRATE in withdrawn.names
    assert Action.STOP in actions.available(source, structs.replace(TASK, state=state))


@pytest.mark.parametrize("state", [TaskState.READY, TaskState.ABORT])
def test_a_task_that_neither_runs_nor_drills_shows_no_stop(state: TaskState) -> None:
    assert Action.STOP not in actions.available(SOURCE, structs.replace(TASK, state=state))
