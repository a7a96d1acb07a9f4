"""The work on a task against a control plane and a receiver that do as the test says."""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent_doubles import DISK, ROOT, Disks, Freeze, Journal, Receiver, Session
from wherry.agent.channel import Stagehand
from wherry.agent.cutover import CutoverSettings
from wherry.agent.decisions import Answer, TaskView
from wherry.agent.figures import FiguresBook
from wherry.agent.hooks import Hooks, HookSettings
from wherry.agent.migration import FRUITLESS_TRIES, Signals, Work, WorkSettings
from wherry.agent.tracking import Tracking
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast, Stopped
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.landing import Landing
from wherry.contract.tasks import TaskProgress
from wherry.contract.wherry import Proof, ProofHalf, ReplicationFigures
from wherry.errors import read_explanation
from wherry.receiver.errors import MediumFailed
from wherry.replication.errors import (
    ConnectionLost,
    IdentityRefused,
    PeerRefused,
    ReplicaBusy,
    StorageFailed,
    StorageFull,
)

COPYING = TaskView("task-1", "RUNNING", "initialize", syncing=True)
SYNCING = replace(COPYING, state="SYNCING", source_state="syncing")
GONE = ControlPlaneError("SMS.7703", "no such task", status=404)


class Plane:
    """A control plane with one task. It keeps what it's told, and turns to the next view when a pass is committed."""

    def __init__(self, journal: Journal, view: TaskView) -> None:
        self.journal = journal
        self.view = view
        self.figures: list[ReplicationFigures] = []
        self.progress: list[TaskProgress] = []
        self.unreachable = 0
        self.gone = False
        self.on_state: Callable[[str], None] = lambda _state: None
        self.receiver = Receiver(journal)
        self.answers: list[tuple[str, Answer]] = []

    def begin_landing(self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None) -> Landing:
        self._answer()
        return self.receiver.begin_landing(task_id, checkpoint, failed_units)

    def landing(self, task_id: str, known: int | None, wait_s: float) -> Landing:
        self._answer()
        return self.receiver.landing(task_id, known, wait_s)

    def answer(self, source_id: str, command: str, answer: Answer) -> None:
        self.answers.append((command, answer))

    def _answer(self) -> None:
        if self.unreachable:
            self.unreachable -= 1
            raise ControlPlaneUnreachable(endpoint="https://here", reason="nobody")
        if self.gone:
            raise GONE

    def task(self, task_id: str) -> TaskView:
        self._answer()
        return self.view

    def report_state(self, source_id: str, copy_state: str, cycle: str) -> None:
        self._answer()
        self.journal(f"state {copy_state}/{cycle}")
        if copy_state == "syncing":
            self.view = SYNCING
        self.on_state(copy_state)

    def report_progress(self, task_id: str, body: TaskProgress) -> None:
        self._answer()
        self.progress.append(body)

    def report_figures(self, task_id: str, figures: ReplicationFigures) -> None:
        self._answer()
        self.figures.append(figures)

    def hand_in(self, task_id: str, half: ProofHalf) -> None:
        self.journal(f"hand in {half.checkpoint}")

    def proof(self, task_id: str, checkpoint: int) -> Proof | None:
        return Proof(
            task_id=task_id, source_id="s", source_name="n", checkpoint=checkpoint, taken_at=1, disks=[ROOT],
            signed_at=2, key_id="k", certificate="c", signature="s",
        )  # fmt: skip


class Road:
    """Opens the sessions of a test one after the other; an exception in the list is raised instead."""

    def __init__(self, sessions: Sequence[Session | Exception]) -> None:
        self.sessions = list(sessions)

    @contextmanager
    def session(self) -> Iterator[Session]:
        found = self.sessions.pop(0) if len(self.sessions) > 1 else self.sessions[0]
        if isinstance(found, Exception):
            raise found
        yield found

    def close(self) -> None:
        self.closed = True


class Stage:
    """A work and everything around it."""

    def __init__(self, state: Path, view: TaskView, *, checkpoint: int | None = None, kind: type[Work] = Work) -> None:
        self.journal = Journal()
        self.signals = Signals(stop=threading.Event(), wake=threading.Event(), look=threading.Event())
        self.plane = Plane(self.journal, view)
        self.book = FiguresBook(state, "task-1")
        self.session = Session(self.journal)
        self.session.checkpoint = checkpoint
        self.road = Road([self.session])
        self.work = kind(
            task_id="task-1",
            source_id="source-1",
            control=self.plane,
            disks=Disks(self.journal, ["/srv"]),
            tracking=Tracking([DISK], None, "an image"),
            book=self.book,
            signals=self.signals,
            settings=WorkSettings(0.0, CutoverSettings(5.0, 3, 0.0, proof_poll_s=0.0)),
            hooks=Hooks(HookSettings(), state),
            make_freeze=self.make_freeze,
            failed_units=lambda: ["old.service"],
            open_channel=self.open_channel,
            patience=lambda: Patience(first_s=0.0),
        )

    def open_channel(self, _sure: Steadfast, _report: Stagehand) -> Road:
        return self.road

    def make_freeze(self, *_arguments: Any) -> AbstractContextManager[Freeze]:
        return nullcontext(Freeze(self.journal))

    def run(self) -> list[str]:
        self.work.run()
        return self.said()

    def said(self) -> list[str]:
        return [line for line in self.journal.lines if line.startswith(("state", "commit", "hand"))]

    def cut_over_after(self, checkpoint: int) -> None:
        """Have a user ask for the cutover once *checkpoint* is reached."""

        def watch() -> None:
            if self.session.next_pass > checkpoint:
                self.plane.view = replace(SYNCING, source_state="cutovering")

        self.session.during_pass = watch


def test_a_task_copies_synchronises_and_cuts_over_when_it_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, COPYING)
    stage.cut_over_after(1)
    assert stage.run() == [
        "state replicate/replicating",
        "commit 0 consistent=False",
        "state syncing/syncing",
        "commit 1 consistent=False",
        "commit 2 consistent=False",
        "state cutovering/cutovering",
        "commit 3 consistent=False",
        "commit 4 consistent=True",
        "hand in 4",
        "state finished/cutovered",
    ]
    assert stage.book.figures.phase is ReplicationPhase.DONE
    assert stage.plane.figures[-1].phase is ReplicationPhase.DONE
    done = {(body.subtask_name.value, body.progress) for body in stage.plane.progress}
    assert {("MIGRATE_LINUX_BLOCK", 100), ("CONFIGURE_LINUX_BLOCK", 100), ("DETTACH_AGENT_IMAGE", 100)} <= done


def test_a_task_without_synchronisation_goes_on_to_the_cutover(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    said = stage.run()
    assert said[:3] == ["state replicate/replicating", "commit 0 consistent=False", "state cutovering/cutovering"]
    assert said[-1] == "state finished/cutovered"


def test_a_restarted_agent_begins_with_what_the_receiver_has(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(SYNCING, source_state="cutovering"), checkpoint=7)
    assert stage.run()[:3] == ["state cutovering/cutovering", "commit 8 consistent=False", "commit 9 consistent=True"]


def test_a_task_that_was_stopped_while_synchronising_becomes_synchronising_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, COPYING, checkpoint=3)
    stage.cut_over_after(4)
    assert stage.run()[:2] == ["state syncing/syncing", "commit 4 consistent=False"]


def test_lost_connections_are_followed_by_new_ones(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    lost = ConnectionLost(reason="cut")
    stage.road.sessions = [*[lost] * 50, IdentityRefused(reason="not known yet"), lost, stage.session]
    assert stage.run()[-1] == "state finished/cutovered"


def test_a_pass_that_was_cut_is_done_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    cuts = [True]

    def cut() -> None:
        if cuts.pop() if cuts else False:
            raise ConnectionLost(reason="cut")

    stage.session.during_pass = cut
    said = stage.run()
    assert said[:3] == ["state replicate/replicating", "state replicate/replicating", "commit 0 consistent=False"]


def test_an_identity_that_stays_refused_fails_the_task_in_the_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, COPYING)
    stage.road.sessions = [*[IdentityRefused(reason="no")] * FRUITLESS_TRIES, IdentityRefused(reason="never")]
    with pytest.raises(IdentityRefused, match="never"):
        stage.run()


@pytest.mark.parametrize("code", [ReplicaBusy.code])
def test_a_replica_that_an_earlier_session_blocks_is_waited_for(tmp_path: Path, code: str) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    stage.road.sessions = [PeerRefused(code, "busy", "c", "f"), stage.session]
    assert stage.run()[-1] == "state finished/cutovered"


def test_a_receiver_whose_disk_is_full_is_waited_for_however_long_it_takes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    refusal = PeerRefused(StorageFull.code, "The receiver's disk is full.", "It holds too much.", "Make room.")
    stage.road.sessions = [*[refusal] * 3 * FRUITLESS_TRIES, stage.session]
    assert stage.run()[-1] == "state finished/cutovered"


@pytest.mark.parametrize("code", [StorageFailed.code, MediumFailed.code])
def test_a_medium_that_stays_broken_fails_the_task_in_its_own_words(tmp_path: Path, code: str) -> None:
    stage = Stage(tmp_path, COPYING)
    refusal = PeerRefused(code, "The storage failed.", "It reports errors.", "Repair it.")
    stage.road.sessions = [refusal]
    with pytest.raises(PeerRefused) as caught:
        stage.run()
    stage.work.report_failure(caught.value)
    assert stage.said() == ["state error/replicating"]
    told = read_explanation(stage.plane.progress[-1].process_trace)
    assert told == (code, "The storage failed.", "It reports errors.", "Repair it.")


def test_a_failure_while_synchronising_belongs_to_that_stage(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SYNCING, checkpoint=1)
    refusal = PeerRefused("WHERRY.2021", "damaged", "c", "f")

    def fail() -> None:
        raise refusal

    stage.session.during_pass = fail
    with pytest.raises(PeerRefused):
        stage.run()
    stage.work.report_failure(refusal)
    assert stage.said() == ["state error/syncing"]


def test_a_stop_ends_the_work_without_a_commit(tmp_path: Path) -> None:
    stage = Stage(tmp_path, COPYING)
    stage.session.during_pass = stage.signals.stop.set
    with pytest.raises(Stopped):
        stage.run()
    assert stage.said() == ["state replicate/replicating"]


@pytest.mark.parametrize("state", ["ABORTING", "ABORT", "MIGRATE_SUCCESS", "DELETING"])
def test_a_task_that_is_not_to_be_worked_on_is_left(tmp_path: Path, state: str) -> None:
    stage = Stage(tmp_path, replace(COPYING, state=state))
    stage.book.enter(ReplicationPhase.DONE)
    with pytest.raises(Stopped):
        stage.run()
    assert stage.said() == []
    assert stage.book.figures.phase is ReplicationPhase.DONE


def test_a_task_that_was_deleted_is_left(tmp_path: Path) -> None:
    stage = Stage(tmp_path, COPYING)
    stage.session.during_pass = lambda: setattr(stage.plane, "gone", True)
    with pytest.raises(Stopped):
        stage.run()


def test_the_work_outlives_a_control_plane_that_is_away(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, syncing=False))
    stage.plane.unreachable = 5
    stage.session.during_pass = lambda: setattr(stage.plane, "unreachable", 3)
    assert stage.run()[-1] == "state finished/cutovered"


def test_the_speed_limit_of_the_task_is_obeyed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, speed_limit_mbit=80))
    stage.session.during_pass = stage.signals.stop.set
    with pytest.raises(Stopped):
        stage.run()
    assert stage.session.rates == [80.0]


def test_a_window_of_the_day_takes_the_place_of_the_limit_and_one_that_makes_no_sense_changes_nothing(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, replace(COPYING, speed_limit_mbit=80, speed_windows=(("0:00", "24:00", 16.0),)))
    rates = stage.session.rates

    def go_on() -> None:
        if len(rates) == 1:
            stage.plane.view = replace(SYNCING, speed_limit_mbit=80, speed_windows=(("soon", "24:00", 4.0),))
        elif len(rates) == 2:
            stage.plane.view = replace(SYNCING, speed_limit_mbit=80)
        else:
            stage.signals.stop.set()

    stage.session.during_pass = go_on
    with pytest.raises(Stopped):
        stage.run()
    assert rates == [16.0, 16.0, 80.0]


def test_a_glance_at_the_task_changes_the_rate_of_a_pass_that_runs(tmp_path: Path) -> None:
    stage = Stage(tmp_path, replace(COPYING, speed_limit_mbit=80))
    seen: list[float] = []

    def change() -> None:
        stage.plane.view = replace(COPYING, speed_limit_mbit=40)
        stage.signals.look.set()
        deadline = time.monotonic() + 10
        while stage.session.paces[-1].rate_mbit != 40 and time.monotonic() < deadline:
            time.sleep(0.005)
        seen.append(stage.session.paces[-1].rate_mbit)
        stage.signals.stop.set()

    stage.session.during_pass = change
    with pytest.raises(Stopped):
        stage.run()
    assert seen == [40.0]


def test_why_a_pass_reads_everything_is_told_to_the_operator(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SYNCING, checkpoint=3)

    def report() -> None:
        stage.work._reporter.flush()
        stage.signals.stop.set()

    stage.session.during_pass = report
    with pytest.raises(Stopped):
        stage.run()
    assert stage.plane.progress[-1].process_trace == "syncing, pass 4: all that is in use is read: an image"


def test_a_finished_task_that_is_run_again_reports_its_own_subtask(tmp_path: Path) -> None:
    again = replace(COPYING, syncing=False, subtasks=frozenset({"SYNC_LINUX_BLOCK", "MIGRATE_LINUX_BLOCK"}))
    stage = Stage(tmp_path, again, checkpoint=4)
    stage.run()
    assert ("SYNC_LINUX_BLOCK", 100) in {(body.subtask_name.value, body.progress) for body in stage.plane.progress}
