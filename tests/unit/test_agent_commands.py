"""The poll loop and the worker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from wherry.agent.commands import PollLoop
from wherry.agent.decisions import Answer, Deed, WorkerView
from wherry.agent.errors import FreezeExpired, NoDisk, RecordGone, StopTimedOut, WorkerFailed
from wherry.agent.migration import Signals
from wherry.agent.worker import Worker
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Stopped
from wherry.contract.commands import Command, CommandParam
from wherry.contract.enumerations import SourceState
from wherry.contract.sources import CurrentTask, SourceDetail
from wherry.errors import WherryError

UNREACHABLE = ControlPlaneUnreachable(endpoint="https://here", reason="nobody")


def command(name: str, task_id: str = "task-1") -> Command:
    return Command(command_name=name, command_param=CommandParam(task_id=task_id))


@dataclass
class Plane:
    """Hands out what the test says, then stops the loop."""

    stop: threading.Event
    script: list[Command | Exception]
    task: CurrentTask | None = None
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    lose_answers: int = 0

    def source(self, source_id: str) -> SourceDetail:
        return SourceDetail(
            id=source_id, name="n", add_date=1, os_type="LINUX", state=SourceState.WAITING, connected=True,
            current_task=self.task,
        )  # fmt: skip

    def command(self, _source_id: str, _wait_s: float) -> Command:
        found = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if isinstance(found, Exception):
            raise found
        return found

    def answer(self, _source_id: str, name: str, answer: Answer) -> None:
        if self.lose_answers:
            self.lose_answers -= 1
            raise UNREACHABLE
        self.answers.append((name, answer))


@dataclass
class Hands:
    """Notes what it's told to do."""

    task_id: str = ""
    deeds: list[str] = field(default_factory=list)
    stuck: int = 0
    glances: int = 0

    def view(self) -> WorkerView:
        return WorkerView(self.task_id)

    def start(self, task_id: str, *, drill: bool = False) -> None:
        self.deeds.append(f"{'drill' if drill else 'start'} {task_id}")
        self.task_id = task_id

    def nudge(self) -> None:
        self.deeds.append("nudge")

    def glance(self) -> None:
        self.glances += 1

    def stop(self) -> None:
        self.deeds.append("stop")
        if self.stuck:
            self.stuck -= 1
            raise StopTimedOut(task_id=self.task_id, timeout_s=1.0)
        self.task_id = ""


@dataclass
class Stage:
    script: list[Command | Exception]
    hands: Hands = field(default_factory=Hands)
    task: CurrentTask | None = None
    lose_answers: int = 0
    forgotten: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)
    refreshes: int = 0

    def run(self) -> Plane:
        stop = threading.Event()
        plane = Plane(stop, list(self.script), self.task, lose_answers=self.lose_answers)
        PollLoop(
            control=plane,
            source_id="source-1",
            worker=self.hands,
            forget=self.forgotten.append,
            give_up=self.given_up.append,
            errands={Deed.UPLOAD_LOG: self.upload_log},
            refresh=self.refresh,
            stop=stop,
            poll_wait_s=0.0,
            patience=Patience(first_s=0.0),
        ).run()
        return plane

    def upload_log(self, task_id: str) -> Answer:
        self.uploaded.append(task_id)
        return Answer("success", {"msg": "handed in"})

    def refresh(self) -> None:
        self.refreshes += 1


def test_a_start_is_carried_out_and_answered() -> None:
    stage = Stage([command("START")])
    plane = stage.run()
    assert (stage.hands.deeds, stage.given_up) == (["start task-1"], [])
    assert [(name, answer.result) for name, answer in plane.answers] == [("START", "success")]


def test_an_answer_that_got_lost_makes_the_command_come_again_and_does_no_harm() -> None:
    stage = Stage([command("START"), command("START")], lose_answers=1)
    plane = stage.run()
    assert stage.hands.deeds == ["start task-1", "nudge"]
    assert [(name, answer.result) for name, answer in plane.answers] == [("START", "success")]


def test_a_stop_is_answered_once_the_work_has_ended() -> None:
    stage = Stage([command("STOP"), command("STOP")], Hands("task-1", stuck=1))
    plane = stage.run()
    assert stage.hands.deeds == ["stop", "stop"]
    # Once the work has ended: it might hold another one before.
    assert stage.given_up == ["task-1"]
    assert [(name, answer.result) for name, answer in plane.answers] == [("STOP", "success")]


def test_a_deleted_task_is_stopped_and_forgotten() -> None:
    stage = Stage([command("DELETE")], Hands("task-1"))
    plane = stage.run()
    assert stage.hands.deeds == ["stop"]
    assert stage.forgotten == ["task-1"]
    assert plane.answers[0][1].result == "success"


def test_a_drill_is_begun_once_and_gives_its_answer_itself() -> None:
    stage = Stage([command("PREMIGRATE"), command("PREMIGRATE")])
    plane = stage.run()
    assert (stage.hands.deeds, plane.answers) == (["drill task-1"], [])


def test_the_log_is_handed_in_and_that_is_the_answer() -> None:
    stage = Stage([command("UPLOAD_LOG")], Hands("task-1"))
    plane = stage.run()
    assert (stage.uploaded, stage.hands.deeds) == (["task-1"], [])
    assert [(name, answer.detail) for name, answer in plane.answers] == [("UPLOAD_LOG", {"msg": "handed in"})]


@pytest.mark.parametrize(
    ("state", "deeds"), [("RUNNING", ["start task-9"]), ("SYNCING", ["start task-9"]), ("ABORT", [])]
)
def test_a_new_agent_goes_on_with_a_task_that_runs(state: str, deeds: list[str]) -> None:
    stage = Stage([command("TASK_NOT_STARTED")], task=CurrentTask(id="task-9", state=state))
    plane = stage.run()
    assert stage.hands.deeds == deeds
    assert plane.answers == []


def test_the_loop_outlives_a_control_plane_that_is_away_busy_or_refuses() -> None:
    errors: list[Command | Exception] = [
        UNREACHABLE,
        ControlPlaneError("SMS.0001", "later", status=503),
        ControlPlaneError("SMS.9004", "not allowed", status=403),
        command("START"),
    ]
    assert len(Stage(errors).run().answers) == 1


def test_a_record_that_was_deleted_ends_the_agent_with_a_reason() -> None:
    with pytest.raises(RecordGone, match="unknown source"):
        Stage([ControlPlaneError("SMS.7602", "unknown source", status=404)]).run()


def test_the_disks_are_looked_after_between_the_polls() -> None:
    stage = Stage([command("STOP"), command("STOP")])
    stage.run()
    assert stage.refreshes == 2


class Job:
    """A work that does as the test says."""

    def __init__(self, signals: Signals, act: Callable[[Signals], None]) -> None:
        self.signals = signals
        self.act = act
        self.failures: list[WherryError] = []
        self.closed = threading.Event()

    def run(self) -> None:
        self.act(self.signals)

    def report_failure(self, error: WherryError) -> None:
        self.failures.append(error)

    def close(self) -> None:
        self.closed.set()


class Shop:
    """A worker and the jobs that it was given."""

    def __init__(self, act: Callable[[Signals], None]) -> None:
        self.act = act
        self.jobs: list[Job] = []
        self.refused: list[tuple[str, WherryError]] = []
        self.refuse_with: WherryError | None = None
        self.worker = Worker(self.make, self.refuse)

    def refuse(self, task_id: str, error: WherryError, *, drill: bool) -> None:
        assert not drill
        self.refused.append((task_id, error))

    def make(self, task_id: str, signals: Signals, *, drill: bool) -> Job:
        assert (task_id, drill) == ("task-1", False)
        if self.refuse_with is not None:
            raise self.refuse_with
        self.jobs.append(Job(signals, self.act))
        return self.jobs[-1]


def wait(signals: Signals) -> None:
    assert signals.stop.wait(10)
    raise Stopped


def test_a_worker_works_until_it_is_stopped() -> None:
    shop = Shop(wait)
    shop.worker.start("task-1")
    assert shop.worker.view() == WorkerView("task-1")
    shop.worker.stop()
    assert shop.worker.view() == WorkerView()
    assert shop.jobs[0].closed.is_set()
    assert shop.jobs[0].failures == []


def test_another_task_takes_the_place_of_the_first() -> None:
    shop = Shop(wait)
    shop.worker.start("task-1")
    shop.worker.start("task-2")
    assert shop.worker.view() == WorkerView("task-2")
    assert shop.jobs[0].closed.is_set()
    shop.worker.stop()


def test_a_nudge_wakes_without_stopping() -> None:
    woken = threading.Event()

    def act(signals: Signals) -> None:
        assert signals.wake.wait(10)
        woken.set()
        wait(signals)

    shop = Shop(act)
    shop.worker.start("task-1")
    shop.worker.nudge()
    assert woken.wait(10)
    assert shop.worker.view() == WorkerView("task-1")
    shop.worker.stop()


def test_a_work_that_does_not_end_is_told_and_not_doubled() -> None:
    release = threading.Event()

    def act(_signals: Signals) -> None:
        assert release.wait(10)

    shop = Shop(act)
    shop.worker.start("task-1")
    with pytest.raises(StopTimedOut):
        shop.worker.stop(0.01)
    assert shop.worker.view() == WorkerView("task-1")
    release.set()
    shop.worker.stop()


def raising(error: Exception) -> Callable[[Signals], None]:
    def act(_signals: Signals) -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "kind"),
    [(FreezeExpired(limit_s=5.0, attempts=3), FreezeExpired), (ZeroDivisionError("oops"), WorkerFailed)],
)
def test_whatever_ends_the_work_is_reported_with_a_code(error: Exception, kind: type[WherryError]) -> None:
    shop = Shop(raising(error))
    shop.worker.start("task-1")
    shop.worker.stop()
    assert [type(failure) for failure in shop.jobs[0].failures] == [kind]
    assert shop.jobs[0].closed.is_set()
    assert shop.worker.view() == WorkerView()


def test_a_work_that_cannot_even_be_prepared_is_reported() -> None:
    shop = Shop(wait)
    shop.refuse_with = NoDisk(reason="none")
    shop.worker.start("task-1")
    shop.worker.stop()
    assert [(task_id, type(error)) for task_id, error in shop.refused] == [("task-1", NoDisk)]
