"""What agents are told, and what their results do."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wherry.contract.commands import CommandReport
from wherry.contract.enumerations import IDLE_COMMANDS, CommandName, MigrationCycle, SourceState, Subtask, TaskState
from wherry.migration import commands
from wherry.migration.records import (
    AnswerCommand,
    Change,
    CommandRecord,
    IssueCommand,
    SetLogCollectStatus,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    SourceRecord,
    TaskRecord,
)

SOURCE = SourceRecord("s", SourceState.INITIALIZE, MigrationCycle.REPLICATING, connected=True)
TASK = TaskRecord("t", "s", TaskState.RUNNING, "MIGRATE_BLOCK", "LINUX", syncing=True, exist_server=True)

sources = st.builds(
    SourceRecord,
    id=st.just("s"),
    state=st.sampled_from(SourceState),
    migration_cycle=st.sampled_from(MigrationCycle),
    connected=st.booleans(),
)
tasks = st.none() | st.builds(
    TaskRecord,
    id=st.sampled_from(["t", "other"]),
    source_id=st.just("s"),
    state=st.sampled_from(TaskState),
    type=st.just("MIGRATE_BLOCK"),
    os_type=st.just("LINUX"),
    syncing=st.booleans(),
    exist_server=st.booleans(),
)
names = st.sampled_from([*CommandName, "SOMETHING"])
pendings = st.none() | st.builds(CommandRecord, id=st.just("c"), name=names, task_id=st.just("t"))
details = st.binary(max_size=30) | st.sampled_from([b"{}", b'"x"', b'{"error_code":"SMS.0807"}'])
reports = st.builds(
    CommandReport,
    command_name=names,
    result=st.sampled_from(["success", "fail", "", "maybe"]),
    result_detail=details.filter(lambda detail: detail != b"null").map(msgspec.Raw),
)


def report(name: str, result: str = "success", detail: bytes = b"{}") -> CommandReport:
    return CommandReport(command_name=name, result=result, result_detail=msgspec.Raw(detail))


def answered(
    name: str, state: TaskState, result: str = "success", detail: bytes = b"{}", **task: object
) -> list[Change]:
    record = structs.replace(TASK, state=state, **task)
    changes = commands.apply_result(SOURCE, record, CommandRecord("c", name, "t"), report(name, result, detail))
    assert changes[0] == AnswerCommand("c")
    return changes[1:]


@given(source=sources, task=tasks, pending=pendings, told=reports)
def test_only_the_result_of_the_waiting_command_takes_effect(
    source: SourceRecord, task: TaskRecord | None, pending: CommandRecord | None, told: CommandReport
) -> None:
    changes = commands.apply_result(source, task, pending, told)
    matches = pending is not None and pending.name == told.command_name and told.result in {"success", "fail"}
    assert bool(changes) == matches
    if matches:
        assert changes[0] == AnswerCommand("c")
    # Once answered, the same result again finds nothing that waits.
    assert commands.apply_result(source, task, None, told) == []
    for change in changes:
        if isinstance(change, SetTaskState):
            assert change.state in set(TaskState)
        elif isinstance(change, SetSourceState):
            assert change.state in set(SourceState)


@given(source=sources, task=tasks, pending=pendings)
def test_a_poll_always_names_a_command(
    source: SourceRecord, task: TaskRecord | None, pending: CommandRecord | None
) -> None:
    told = commands.next_command(source, task, pending)
    assert told.name
    if pending is not None:
        assert told == (pending.name, pending.task_id, pending.bucket)
    else:
        assert told.name in IDLE_COMMANDS
        assert told.task_id == ("" if task is None else task.id)


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (None, "TASK_NOT_STARTED"),
        (TaskState.READY, "TASK_NOT_STARTED"),
        (TaskState.RUNNING, "TASK_NOT_STARTED"),
        (TaskState.ABORT, "TASK_HAS_STOPPED"),
        (TaskState.MIGRATE_FAIL, "TASK_HAS_STOPPED"),
        (TaskState.MIGRATE_SUCCESS, "TASK_HAS_FINISHED"),
    ],
)
def test_an_idle_poll_tells_why(state: TaskState | None, name: str) -> None:
    task = None if state is None else structs.replace(TASK, state=state)
    assert commands.next_command(SOURCE, task, None).name == name


def test_start_of_a_running_task_changes_no_state() -> None:
    assert answered("START", TaskState.RUNNING) == []


def test_auto_start_runs_the_task_when_the_agent_has_begun() -> None:
    task = structs.replace(TASK, state=TaskState.READY)
    assert commands.auto_start(task) == [IssueCommand("START", "t")]
    changes = answered("START", TaskState.READY)
    assert changes[0] == SetTaskState(TaskState.RUNNING)
    assert SetSubtask(Subtask.MIGRATE_LINUX_BLOCK, 0, "start") in changes
    assert changes[-1] == SetSourceState(SourceState.INITIALIZE, MigrationCycle.REPLICATING)


def test_a_failed_start_fails_the_task_with_the_agents_code() -> None:
    detail = b'{"error_code": "SMS.0807", "error_param": "[\\"eth0\\"]", "msg": "network"}'
    assert answered("START", TaskState.RUNNING, "fail", detail) == [
        SetTaskState(TaskState.MIGRATE_FAIL, "SMS.0807", ("eth0",)),
        SetSourceState(SourceState.ERROR),
    ]


def test_a_failed_cutover_fails_the_synchronisation() -> None:
    assert answered("START", TaskState.SYNCING, "fail")[0] == SetTaskState(TaskState.SYNC_FAIL, "WHERRY.5603")


def test_stop_ends_in_abort_and_keeps_the_reason() -> None:
    assert answered("STOP", TaskState.ABORTING, error_code="SMS.9007") == [
        SetTaskState(TaskState.ABORT, "SMS.9007"),
        SetSourceState(SourceState.STOPPED),
    ]


def test_a_late_start_after_a_stop_does_nothing() -> None:
    task = structs.replace(TASK, state=TaskState.ABORTING)
    assert commands.apply_result(SOURCE, task, CommandRecord("c", "STOP", "t"), report("START")) == []


@pytest.mark.parametrize("result", ["success", "fail"])
@pytest.mark.parametrize(
    ("cycle", "task_state", "source_state"),
    [
        (MigrationCycle.REPLICATING, TaskState.RUNNING, SourceState.REPLICATE),
        (MigrationCycle.SYNCING, TaskState.SYNCING, SourceState.SYNCING),
        (MigrationCycle.CUTOVERING, TaskState.SYNCING, SourceState.CUTOVERING),
    ],
)
def test_a_skip_returns_to_what_was_going_on(
    result: str, cycle: MigrationCycle, task_state: TaskState, source_state: SourceState
) -> None:
    source = SourceRecord("s", SourceState.SKIPPING, cycle, connected=True)
    task = structs.replace(TASK, state=TaskState.SKIPPING)
    changes = commands.apply_result(source, task, CommandRecord("c", "SKIP", "t"), report("SKIP", result))
    assert changes[1:] == [SetTaskState(task_state), SetSourceState(source_state)]


def test_logs_and_drills() -> None:
    assert answered("UPLOAD_LOG", TaskState.ABORT) == [SetLogCollectStatus("UPLOADED")]
    assert answered("UPLOAD_LOG", TaskState.RUNNING, "fail") == [SetLogCollectStatus("UPLOAD_FAIL")]
    assert answered("RSET_LOG_ACL", TaskState.RUNNING) == [SetLogCollectStatus("INIT")]
    assert answered("RSET_LOG_ACL", TaskState.RUNNING, "fail") == []
    assert answered("PREMIGRATE", TaskState.READY) == [SetSourceState(SourceState.DRILL_DONE)]
    assert answered("PREMIGRATE", TaskState.READY, "fail") == [SetSourceState(SourceState.DRILL_FAILED)]


def test_a_command_of_a_deleted_task_is_only_answered() -> None:
    pending = CommandRecord("c", "START", "gone")
    assert commands.apply_result(SOURCE, TASK, pending, report("START", "fail")) == [AnswerCommand("c")]
    assert commands.apply_result(SOURCE, None, pending, report("START")) == [AnswerCommand("c")]


def test_a_drill_that_was_stopped_leaves_the_source_as_it_was_before() -> None:
    assert answered("STOP", TaskState.READY) == [SetSourceState(SourceState.WAITING)]
    assert answered("STOP", TaskState.ABORT) == [SetSourceState(SourceState.STOPPED)]
    assert answered("STOP", TaskState.READY, "fail") == [SetSourceState(SourceState.DRILL_FAILED)]
