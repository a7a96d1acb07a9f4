"""What an agent's reports on state and progress do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wherry.contract.enumerations import FormerCycle, MigrationCycle, SourceState, Subtask, TaskState
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.migration import copystate, progress
from wherry.migration.records import (
    Change,
    IssueCommand,
    SetSourceState,
    SetSubtask,
    SetTaskState,
    SourceRecord,
    SubtaskRecord,
    TaskRecord,
)

SOURCE = SourceRecord("s", SourceState.REPLICATE, MigrationCycle.REPLICATING, connected=True)
TASK = TaskRecord("t", "s", TaskState.RUNNING, "MIGRATE_BLOCK", "LINUX", syncing=True, exist_server=True)


def told(state: str, cycle: str, task: TaskRecord | None = TASK, source: SourceRecord = SOURCE) -> list[Change]:
    return copystate.apply(source, task, state, cycle)


@given(
    state=st.sampled_from(sorted(copystate.GUARDED)),
    word=st.text(max_size=20) | st.sampled_from(SourceState),
    cycle=st.text(max_size=20) | st.sampled_from(MigrationCycle),
    task_state=st.sampled_from(TaskState),
)
def test_a_guarded_source_takes_any_word_and_changes_nothing(
    state: SourceState, word: str, cycle: str, task_state: TaskState
) -> None:
    source = structs.replace(SOURCE, state=state)
    assert told(word, cycle, structs.replace(TASK, state=task_state), source) == []


@given(
    state=st.sampled_from(SourceState),
    word=st.sampled_from([*SourceState, "init"]),
    cycle=st.sampled_from([*MigrationCycle, *FormerCycle]),
    task_state=st.none() | st.sampled_from(TaskState),
    syncing=st.booleans(),
)
def test_reports_lead_to_states_that_exist_and_come_twice_without_harm(
    state: SourceState, word: str, cycle: str, task_state: TaskState | None, syncing: bool
) -> None:
    source = structs.replace(SOURCE, state=state)
    task = None if task_state is None else structs.replace(TASK, state=task_state, syncing=syncing)
    for change in told(word, cycle, task, source):
        match change:
            case SetSourceState():
                source = structs.replace(
                    source, state=change.state, migration_cycle=change.migration_cycle or source.migration_cycle
                )
            case SetTaskState():
                assert task is not None
                task = structs.replace(task, state=change.state)
            case _:
                assert change == IssueCommand("STOP", "t")
    assert source.migration_cycle in set(MigrationCycle)
    assert told(word, cycle, task, source) == []


def test_words_that_do_not_exist_are_refused() -> None:
    for state, cycle, field in (("testing", "syncing", "copystate"), ("syncing", "synchronizing", "migrationcycle")):
        with pytest.raises(ApiError) as caught:
            told(state, cycle)
        assert (caught.value.code, caught.value.params) == ("SMS.9001", (field,))


def test_init_and_upper_case_are_understood() -> None:
    waiting = SourceRecord("s", SourceState.WAITING, MigrationCycle.SETTING, connected=True)
    expected = [SetSourceState(SourceState.INITIALIZE, MigrationCycle.REPLICATING)]
    assert told("init", "replicating", None, waiting) == expected
    assert told("INIT", "REPLICATING", None, waiting) == expected
    assert told("initialize", "replicating", None, waiting) == expected


def test_former_cycles_leave_the_cycle_as_it_is() -> None:
    assert told("syncing", "ready_for_test", None) == [SetSourceState(SourceState.SYNCING)]


def test_syncing_makes_a_syncing_task_synchronise() -> None:
    assert told("syncing", "syncing")[-1] == SetTaskState(TaskState.SYNCING)
    other = structs.replace(TASK, syncing=False)
    assert told("syncing", "syncing", other) == [SetSourceState(SourceState.SYNCING, MigrationCycle.SYNCING)]


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.SYNCING])
def test_finished_and_cutovered_is_the_success(state: TaskState) -> None:
    task = structs.replace(TASK, state=state)
    assert told("finished", "cutovered", task)[-1] == SetTaskState(TaskState.MIGRATE_SUCCESS)


def test_a_new_task_is_not_finished_by_a_report() -> None:
    task = structs.replace(TASK, state=TaskState.READY)
    assert told("finished", "cutovered", task) == [SetSourceState(SourceState.FINISHED, MigrationCycle.CUTOVERED)]


def test_an_error_fails_the_task() -> None:
    assert told("error", "replicating")[-1] == SetTaskState(TaskState.MIGRATE_FAIL, "SMS.0007")
    syncing = structs.replace(TASK, state=TaskState.SYNCING)
    assert told("error", "syncing", syncing)[-1] == SetTaskState(TaskState.SYNC_FAIL, "SMS.0007")


def test_a_failed_task_shows_why_the_agent_could_not_go_on() -> None:
    failure = WherryError(reason="a pass takes 9.1 s", cause="It's slow.", fix="Allow more.")
    failure.code = "WHERRY.4009"
    task = structs.replace(TASK, state=TaskState.SYNCING, last_words=failure.explain())
    params = ("a pass takes 9.1 s", "It's slow.", "Allow more.")
    assert told("error", "cutovering", task)[-1] == SetTaskState(TaskState.SYNC_FAIL, "WHERRY.4009", params)


@pytest.mark.parametrize("words", ["", "copying, pass 3: WHERRY.2020: lost", "WHERRY.4009", "ERROR: 5", "syncing: 1"])
def test_other_words_are_no_failure(words: str) -> None:
    task = structs.replace(TASK, last_words=words)
    assert told("error", "replicating", task)[-1] == SetTaskState(TaskState.MIGRATE_FAIL, "SMS.0007")


def test_last_words_are_shown_of_a_failure_only() -> None:
    task = structs.replace(TASK, last_words="WHERRY.4009: too slow")
    assert told("stopped", "replicating", task)[-1] == SetTaskState(TaskState.ABORT)
    assert told("syncing", "syncing", task)[-1] == SetTaskState(TaskState.SYNCING)


@pytest.mark.parametrize("state", ["syncing", "replicate", "init", "waiting"])
def test_an_ordered_cutover_is_not_undone_by_a_late_report(state: str) -> None:
    source = SourceRecord("s", SourceState.CUTOVERING, MigrationCycle.CUTOVERING, connected=True)
    task = structs.replace(TASK, state=TaskState.SYNCING)
    assert told(state, "syncing", task, source) == []
    assert told("finished", "cutovered", task, source)[-1] == SetTaskState(TaskState.MIGRATE_SUCCESS)


def test_an_agent_that_stops_by_itself_is_asked_to_confirm() -> None:
    assert told("stopping", "replicating")[1:] == [SetTaskState(TaskState.ABORTING), IssueCommand("STOP", "t")]
    assert told("stopped", "replicating")[1:] == [SetTaskState(TaskState.ABORT)]


@given(
    state=st.sampled_from(TaskState),
    steps=st.lists(st.builds(SubtaskRecord, st.sampled_from(Subtask), st.integers(0, 100)), max_size=6),
    name=st.sampled_from(Subtask),
    done=st.integers(0, 100),
)
def test_progress_is_noted_and_only_a_launch_finishes(
    state: TaskState, steps: list[SubtaskRecord], name: Subtask, done: int
) -> None:
    changes = progress.apply(state, steps, SetSubtask(name, done))
    if state is TaskState.DELETING:
        assert changes == []
        return
    assert changes[0] == SetSubtask(name, done)
    if len(changes) > 1:
        assert state in progress.AT_WORK
        assert changes[1:] == [
            SetTaskState(TaskState.MIGRATE_SUCCESS),
            SetSourceState(SourceState.FINISHED, MigrationCycle.CUTOVERED),
        ]


@pytest.mark.parametrize(
    ("configured", "name", "done", "finishes"),
    [
        (100, Subtask.DETACH_AGENT_IMAGE, 100, True),
        (100, Subtask.DETACH_AGENT_IMAGE, 99, False),
        (40, Subtask.DETACH_AGENT_IMAGE, 100, False),
        (40, Subtask.CONFIGURE_LINUX_BLOCK, 100, False),
        (100, Subtask.MIGRATE_LINUX_BLOCK, 100, False),
    ],
)
def test_the_last_launch_subtask_finishes(configured: int, name: Subtask, done: int, finishes: bool) -> None:
    steps = [
        SubtaskRecord(Subtask.MIGRATE_LINUX_BLOCK, 100),
        SubtaskRecord(Subtask.CONFIGURE_LINUX_BLOCK, configured),
        SubtaskRecord(Subtask.DETACH_AGENT_IMAGE, 0),
    ]
    changes = progress.apply(TaskState.SYNCING, steps, SetSubtask(name, done))
    assert (SetTaskState(TaskState.MIGRATE_SUCCESS) in changes) == finishes


@pytest.mark.parametrize("name", [Subtask.SYNC_LINUX_BLOCK, Subtask.MIGRATE_LINUX_BLOCK])
def test_a_restarted_task_is_not_finished_by_the_launch_before(name: Subtask) -> None:
    steps = [
        SubtaskRecord(name, 0),
        SubtaskRecord(Subtask.CONFIGURE_LINUX_BLOCK, 100),
        SubtaskRecord(Subtask.DETACH_AGENT_IMAGE, 100),
    ]
    report = SetSubtask(name, 100)
    assert progress.apply(TaskState.SYNCING, steps, report) == [report]


def test_a_late_report_on_a_stopped_task_moves_nothing() -> None:
    report = SetSubtask(Subtask.DETACH_AGENT_IMAGE, 100)
    assert progress.apply(TaskState.ABORT, [], report) == [report]
