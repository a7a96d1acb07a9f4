"""What the agent does about each command, whatever was carried out before."""

import pytest

from wherry.agent.decisions import (
    MAX_EXTRA_PASSES,
    SETTLED_BYTES,
    Decision,
    Deed,
    Step,
    TaskView,
    WorkerView,
    decide,
    next_step,
    resumable,
    settled,
    small_enough,
)

IDLE = WorkerView()
BUSY = WorkerView("task-1")


@pytest.mark.parametrize("command", ["START", "SYNC"])
def test_a_start_begins_the_task_and_is_answered(command: str) -> None:
    decision = decide(command, "task-1", IDLE)
    assert decision.deed is Deed.START
    assert decision.task_id == "task-1"
    assert decision.answer is not None
    assert decision.answer.result == "success"
    assert decision.answer.detail["task_id"] == "task-1"


def test_a_start_that_is_handed_out_again_only_makes_the_worker_look() -> None:
    decision = decide("START", "task-1", BUSY)
    assert decision.deed is Deed.NUDGE
    assert decision.answer is not None
    assert decision.answer.result == "success"


def test_a_start_of_another_task_replaces_the_worker() -> None:
    decision = decide("START", "task-2", BUSY)
    assert (decision.deed, decision.task_id) == (Deed.START, "task-2")


def test_a_start_without_a_task_fails() -> None:
    decision = decide("START", "", IDLE)
    assert decision.deed is Deed.NOTHING
    assert decision.answer is not None
    assert decision.answer.result == "fail"


@pytest.mark.parametrize("worker", [IDLE, BUSY])
def test_a_stop_succeeds_whether_or_not_something_runs(worker: WorkerView) -> None:
    decision = decide("STOP", "task-1", worker)
    assert decision.deed is Deed.STOP
    assert decision.answer is not None
    assert decision.answer.result == "success"


@pytest.mark.parametrize("worker", [IDLE, BUSY])
def test_a_delete_forgets_the_task(worker: WorkerView) -> None:
    decision = decide("DELETE", "task-1", worker)
    assert (decision.deed, decision.task_id) == (Deed.FORGET, "task-1")
    assert decision.answer is not None
    assert decision.answer.result == "success"


def test_a_skip_frees_the_task_from_skipping() -> None:
    decision = decide("SKIP", "task-1", BUSY)
    assert decision.deed is Deed.NOTHING
    assert decision.answer is not None
    assert decision.answer.result == "success"


@pytest.mark.parametrize(("command", "task_id"), [("PREMIGRATE", ""), ("DANCE", "task-1")])
def test_what_cannot_be_done_is_answered_honestly(command: str, task_id: str) -> None:
    decision = decide(command, task_id, IDLE)
    assert decision.deed is Deed.NOTHING
    assert decision.answer is not None
    assert decision.answer.result == "fail"
    assert decision.answer.detail["msg"]
    assert decision.answer.detail["error_code"] == "WHERRY.4010"


@pytest.mark.parametrize("worker", [IDLE, BUSY])
def test_a_log_is_asked_for_by_a_task_and_closed_without_any_work(worker: WorkerView) -> None:
    assert decide("UPLOAD_LOG", "task-9", worker) == Decision(Deed.UPLOAD_LOG, "task-9")
    assert decide("NETWORK_CHECK", "task-9", worker) == Decision(Deed.CHECK_NETWORK, "task-9")
    nameless, closing = decide("UPLOAD_LOG", "", worker), decide("RSET_LOG_ACL", "task-9", worker)
    assert {nameless.deed, closing.deed} == {Deed.NOTHING}
    assert nameless.answer is not None
    assert closing.answer is not None
    assert (nameless.answer.result, closing.answer.result) == ("fail", "success")


@pytest.mark.parametrize("command", ["", "TASK_NOT_STARTED", "TASK_HAS_FINISHED"])
@pytest.mark.parametrize("worker", [IDLE, BUSY])
def test_idle_names_disturb_nobody(command: str, worker: WorkerView) -> None:
    decision = decide(command, "", worker)
    assert decision.deed is Deed.NOTHING
    assert decision.answer is None


def test_a_worker_of_a_stopped_task_is_stopped_without_another_answer() -> None:
    decision = decide("TASK_HAS_STOPPED", "", BUSY)
    assert (decision.deed, decision.task_id, decision.answer) == (Deed.STOP, "task-1", None)
    assert decide("TASK_HAS_STOPPED", "", IDLE).deed is Deed.NOTHING


def task(*, state: str = "RUNNING", source_state: str = "replicate", syncing: bool = True) -> TaskView:
    return TaskView("task-1", state, source_state, syncing)


@pytest.mark.parametrize("state", ["ABORTING", "ABORT", "DELETING", "MIGRATE_FAIL", "MIGRATE_SUCCESS", "READY"])
def test_only_running_tasks_are_worked_on(state: str) -> None:
    assert next_step(task(state=state), None) is Step.LEAVE
    assert next_step(task(state=state), 3) is Step.LEAVE
    assert not resumable(state)


def test_the_full_copy_comes_first_even_when_the_cutover_is_wanted() -> None:
    assert next_step(task(), None) is Step.FULL_COPY
    assert next_step(task(source_state="cutovering", syncing=False), None) is Step.FULL_COPY


def test_a_synchronising_task_goes_on_until_it_is_cut_over() -> None:
    assert next_step(task(state="SYNCING", source_state="syncing"), 0) is Step.SYNCHRONISE
    assert next_step(task(state="SYNCING", source_state="cutovering"), 0) is Step.CUT_OVER
    assert resumable("SYNCING")
    assert resumable("RUNNING")


def test_a_task_without_synchronisation_cuts_over_by_itself() -> None:
    assert next_step(task(syncing=False), 0) is Step.CUT_OVER


def test_a_freeze_waits_for_a_small_pass() -> None:
    assert not settled([])
    assert not settled([SETTLED_BYTES + 1])
    assert settled([SETTLED_BYTES])
    assert settled([100 * SETTLED_BYTES, 0])


def test_a_freeze_does_not_wait_for_passes_that_no_longer_shrink() -> None:
    big = 100 * SETTLED_BYTES
    assert not settled([big, big // 2])
    assert settled([big, big // 2, big // 2])
    assert settled([big, 2 * big])


def test_what_counts_as_small_depends_on_a_limited_rate() -> None:
    assert small_enough(0, 5.0) == SETTLED_BYTES
    assert small_enough(1000, 5.0) == SETTLED_BYTES
    assert small_enough(8, 2.0) == 1_000_000
    assert not settled([SETTLED_BYTES], small_enough(8, 2.0))


def test_a_freeze_comes_at_last_even_when_every_pass_shrinks_a_little() -> None:
    passes = [SETTLED_BYTES * 4 ** (9 - number) for number in range(MAX_EXTRA_PASSES)]
    assert not settled(passes[:-1])
    assert settled(passes)
