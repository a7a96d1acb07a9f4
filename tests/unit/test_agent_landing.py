"""What the agent does about landings: waits for verdicts, takes checkpoints that are wished for, drills."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agent_doubles import Journal, Receiver, Session, landing
from tests.unit.test_agent_migration import COPYING, SYNCING, Stage
from wherry.agent import verdict
from wherry.agent.drill import Drill
from wherry.agent.errors import FreezeExpired, LandingFailed
from wherry.agent.verdict import VerdictWait, shown_progress
from wherry.agent.wishes import AGAIN_S, CheckpointWishes
from wherry.client.patience import Patience, Steadfast, Stopped
from wherry.contract.enumerations import LandingState, OrderKind, OrderStage, ReplicationPhase
from wherry.contract.landing import LandingError, OrderSummary
from wherry.errors import read_explanation

CUTTING = replace(SYNCING, source_state="cutovering")
READY = replace(COPYING, state="READY", source_state="premigready")
ERROR = LandingError(code="WHERRY.6201", message="no boot loader", cause="it was not copied", fix="install one")
WISH = OrderSummary(id="o", kind=OrderKind.REHEARSE, stage=OrderStage.WAITING)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "LEAST_ROUND_S", 0.0)


def test_a_task_is_done_when_its_target_runs(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CUTTING, checkpoint=3)
    stage.plane.receiver.script = [
        landing(LandingState.ORDERED, version=1),
        landing(LandingState.REHEARSING, version=2, progress=50, note="the kernel has started"),
        landing(LandingState.LAUNCHING, version=3),
        landing(LandingState.LAUNCHED, version=4),
    ]
    stage.run()
    assert stage.journal.lines[-2:] == ["land 5", "state finished/cutovered"]
    assert stage.plane.figures[-1].phase is ReplicationPhase.DONE
    last = [body for body in stage.plane.progress if body.subtask_name == "CONFIGURE_LINUX_BLOCK"][-1]
    assert (last.progress, "target runs" in last.process_trace) == (100, True)
    assert stage.plane.receiver.failed_units == ["old.service"]


def test_a_copy_that_does_not_boot_fails_the_task_with_the_rehearsals_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CUTTING, checkpoint=3)
    stage.plane.receiver.script = [landing(LandingState.FAILED, error=ERROR)]
    with pytest.raises(LandingFailed) as caught:
        stage.run()
    stage.work.report_failure(caught.value)
    assert stage.said()[-1] == "state error/cutovering"
    told = read_explanation(stage.plane.progress[-1].process_trace)
    assert told == (ERROR.code, ERROR.message, ERROR.cause, ERROR.fix)
    assert not [body for body in stage.plane.progress if body.subtask_name == "DETTACH_AGENT_IMAGE"]
    # The next try is of another checkpoint.
    assert stage.book.half is None


def test_the_wait_outlives_a_control_plane_that_is_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CUTTING, checkpoint=3)
    stage.plane.receiver.script = [landing(LandingState.REHEARSING, version=1), landing(LandingState.LAUNCHED)]
    stage.plane.on_state = lambda _state: setattr(stage.plane, "unreachable", 3)
    assert stage.run()[-1] == "state finished/cutovered"


def test_a_stop_ends_the_wait_and_a_restarted_agent_asks_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CUTTING, checkpoint=3)
    stage.plane.receiver.script = [landing(LandingState.WITHDRAWN)]
    with pytest.raises(Stopped):
        stage.run()
    again = Stage(tmp_path, CUTTING, checkpoint=5)
    again.plane.receiver.script = [landing(LandingState.LAUNCHED)]
    again.run()
    assert again.said() == ["state cutovering/cutovering", "hand in 5", "state finished/cutovered"]


def test_an_agent_that_comes_back_to_a_landing_needs_no_session(tmp_path: Path) -> None:
    first = Stage(tmp_path, CUTTING, checkpoint=3)
    first.plane.receiver.script = [landing(LandingState.WITHDRAWN)]
    with pytest.raises(Stopped):
        first.run()
    again = Stage(tmp_path, CUTTING)
    again.plane.receiver.known = LandingState.REHEARSING
    again.plane.receiver.script = [landing(LandingState.LAUNCHED)]
    again.road.sessions = [AssertionError("the target runs on these disks")]
    assert again.run() == ["state finished/cutovered"]


def test_a_wait_that_is_stopped_raises() -> None:
    stop = threading.Event()
    receiver = Receiver(Journal(), *(landing(LandingState.REHEARSING) for _ in range(10)))
    shown: list[tuple[int, str]] = []

    def show(progress: int, words: str) -> None:
        shown.append((progress, words))
        if len(shown) == 3:
            stop.set()

    with pytest.raises(Stopped):
        VerdictWait(receiver, Steadfast(stop, Patience()), stop, show, lambda: None)("task-1", 4)
    assert shown == [(0, "the copy is rehearsing")] * 3


@pytest.mark.parametrize(
    ("state", "progress", "shown"),
    [
        (LandingState.ORDERED, 0, 0),
        (LandingState.REHEARSING, 50, 45),
        (LandingState.PASSED, 100, 90),
        (LandingState.LAUNCHING, 50, 95),
        (LandingState.LAUNCHED, 100, 99),
    ],
)
def test_progress_goes_up_from_the_rehearsal_to_the_launch(state: LandingState, progress: int, shown: int) -> None:
    assert shown_progress(landing(state, progress=progress)) == shown


def test_a_checkpoint_that_is_wished_for_is_taken_while_the_task_goes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SYNCING, checkpoint=3)
    stage.plane.receiver.wishes = [WISH]

    def look() -> None:
        if stage.session.next_pass > 7:
            stage.signals.stop.set()

    stage.session.during_pass = look
    with pytest.raises(Stopped):
        stage.run()
    commits = [line for line in stage.said() if line.startswith("commit")]
    assert [line for line in commits if "True" in line] == ["commit 6 consistent=True"]
    assert commits[-1] == "commit 7 consistent=False"


def test_a_wish_that_cannot_be_fulfilled_rests_for_a_while() -> None:
    receiver, journal = Receiver(Journal()), Journal()
    receiver.wishes = [WISH]
    now, told = [0.0], list[str]()

    def take(_session: object) -> int:
        journal("take")
        raise FreezeExpired(limit_s=5.0, attempts=4)

    wishes = CheckpointWishes(receiver, "task-1", take, told.append, lambda: now[0])
    for _ in range(3):
        wishes(Session(journal))
    assert (journal.lines, len(told)) == (["take"], 1)
    now[0] = AGAIN_S
    wishes(Session(journal))
    assert journal.lines == ["take"] * 2


def test_a_drill_copies_and_rehearses_and_leaves_the_task_as_it_is(tmp_path: Path) -> None:
    stage = Stage(tmp_path, READY, kind=Drill)
    stage.plane.receiver.script = [
        landing(LandingState.REHEARSING, kind="drill"),
        landing(LandingState.PASSED, kind="drill", passed=True),
    ]
    stage.run()
    assert stage.said() == [
        "state premiging/replicating",
        "commit 0 consistent=False",
        "commit 1 consistent=False",
        "commit 2 consistent=True",
        "hand in 2",
    ]
    assert [(name, answer.result) for name, answer in stage.plane.answers] == [("PREMIGRATE", "success")]
    assert {body.subtask_name.value for body in stage.plane.progress} <= {"MIGRATE_LINUX_BLOCK"}


def test_a_drill_that_failed_is_answered_with_the_code(tmp_path: Path) -> None:
    stage = Stage(tmp_path, READY, checkpoint=4, kind=Drill)
    stage.plane.receiver.script = [landing(LandingState.FAILED, kind="drill", error=ERROR)]
    with pytest.raises(LandingFailed) as caught:
        stage.run()
    stage.work.report_failure(caught.value)
    ((name, answer),) = stage.plane.answers
    assert (name, answer.result, answer.detail["error_code"]) == ("PREMIGRATE", "fail", ERROR.code)
    assert stage.said()[-1] == "hand in 6"


def test_a_drill_of_a_task_at_work_is_left(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        Stage(tmp_path, SYNCING, kind=Drill).run()
