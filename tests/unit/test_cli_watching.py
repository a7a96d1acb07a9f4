"""Following a task: until when, how it's shown, and how it ends."""

import io
import json
from collections.abc import Sequence

import pytest
from rich.console import Console

from tests.golden.compare import assert_golden
from wherry.cli.errors import TaskFailed, TaskStopped
from wherry.cli.watch import telling
from wherry.cli.watch_view import line, picture
from wherry.cli.watching import Goal, Watched, check_end, error_code, follow
from wherry.client.errors import ControlPlaneError
from wherry.contract.enumerations import LandingOutcome, LandingState, ReplicationPhase, SourceState, TaskState
from wherry.contract.landing import Landing, LandingError
from wherry.contract.tasks import SourceInTask, SubtaskDetail, TaskDetail
from wherry.contract.wherry import ForecastFigures, PassFigures, ReplicationFigures

GIB = 1 << 30
AT = 1_769_592_600_000
ERROR = '{"error_code":"SMS.1902","error_param":"[]"}'
FIGURES = ReplicationFigures(
    phase=ReplicationPhase.SYNCING, pass_number=2, disk_bytes=20 * GIB, used_bytes=7 * GIB, sent_bytes=3 * GIB,
    remaining_bytes=GIB, rate_mbit=412.5, frozen_ms=87, bottleneck="wire",
    passes=[
        PassFigures(number=0, changed_bytes=7 * GIB, sent_bytes=3 * GIB, seconds=61.5, scan=True),
        PassFigures(number=1, changed_bytes=GIB, sent_bytes=GIB // 2, seconds=8, consistent=True),
    ],
    forecast=ForecastFigures(converges=True, seconds=12.3),
)  # fmt: skip
LANDING = Landing(
    task_id="t-1", state=LandingState.REHEARSING, outcome=LandingOutcome.WAIT, order_id="o", progress=40,
    note="the kernel has started",
)  # fmt: skip


def task(
    state: TaskState = TaskState.RUNNING, progress: int = 40, source: SourceState = SourceState.REPLICATE
) -> TaskDetail:
    steps = [
        SubtaskDetail(name="SSL_CONFIG", progress=100),
        SubtaskDetail(name="MIGRATE_LINUX_BLOCK", progress=progress),
    ]
    moved = SourceInTask(id="s-1", ip="", name="web-01\x1b[2J", os_type="LINUX", state=source)
    return TaskDetail(
        id="t-1", name="move-web-01", type="MIGRATE_BLOCK", state=state, create_date=1, sub_tasks=steps,
        source_server=moved, error_json=ERROR if state is TaskState.MIGRATE_FAIL else None,
    )  # fmt: skip


class Plane:
    """A control plane at which a task goes through states, one a look; at the last one it stays."""

    def __init__(self, *tasks: TaskDetail, figures: ReplicationFigures | None = None) -> None:
        self._tasks = list(tasks)
        self._figures = figures
        self.looks = 0

    def now(self) -> float:
        return AT / 1000

    def show_task(self, task_id: str) -> TaskDetail:
        assert task_id == "t-1"
        self.looks += 1
        return self._tasks[min(self.looks, len(self._tasks)) - 1]

    def show_replication(self, task_id: str) -> ReplicationFigures:
        assert task_id == "t-1"
        if self._figures is None:
            raise ControlPlaneError("WHERRY.5510", "no figures yet", status=404)
        return self._figures

    def show_landing(self, task_id: str) -> Landing:
        assert task_id == "t-1"
        return LANDING


def followed(plane: Plane, goal: Goal = "end") -> tuple[Sequence[Watched], Sequence[float]]:
    pauses: list[float] = []
    return list(follow(plane, "t-1", interval_s=0.5, goal=goal, pause=pauses.append)), pauses


@pytest.mark.parametrize(
    "end",
    [TaskState.MIGRATE_SUCCESS, TaskState.SYNC_SUCCESS, TaskState.MIGRATE_FAIL, TaskState.SYNC_FAIL, TaskState.ABORT],
)
def test_it_looks_until_the_end_and_rests_between(end: TaskState) -> None:
    plane = Plane(task(TaskState.READY), task(), task(), task(end))
    seen, pauses = followed(plane)
    assert [each.task.state for each in seen] == [TaskState.READY, TaskState.RUNNING, TaskState.RUNNING, end]
    assert pauses == [0.5] * 3


def test_who_waits_for_the_copy_stops_there() -> None:
    plane = Plane(task(), task(TaskState.SYNCING), task(TaskState.MIGRATE_SUCCESS))
    assert len(followed(plane, "syncing")[0]) == 2
    plane = Plane(task(), task(TaskState.SYNCING), task(TaskState.MIGRATE_SUCCESS))
    assert len(followed(plane)[0]) == 3


def test_figures_and_landing_where_there_are_any() -> None:
    first = followed(Plane(task(TaskState.ABORT)))[0][0]
    assert (first.replication, first.landing) == (None, None)
    last = followed(Plane(task(TaskState.ABORT, source=SourceState.CUTOVERING), figures=FIGURES))[0][0]
    assert (last.replication, last.landing) == (FIGURES, LANDING)


def test_how_it_ended() -> None:
    check_end(Watched(at=AT, task=task(TaskState.MIGRATE_SUCCESS)))
    check_end(Watched(at=AT, task=task(TaskState.SYNCING)))
    with pytest.raises(TaskStopped):
        check_end(Watched(at=AT, task=task(TaskState.ABORT)))
    with pytest.raises(TaskFailed, match=r"SMS\.1902") as failed:
        check_end(Watched(at=AT, task=task(TaskState.MIGRATE_FAIL)))
    assert failed.value.exit_status == 1
    assert failed.value.fix != TaskFailed.default_fix, "the fix is that of the code"
    error = LandingError(code="WHERRY.6201", message="it didn't boot", cause="no driver", fix="convert it")
    landing = Landing(task_id="t-1", state=LandingState.FAILED, outcome=LandingOutcome.FAILURE, error=error)
    with pytest.raises(TaskFailed, match=r"WHERRY\.6201 it didn't boot") as failed:
        check_end(Watched(at=AT, task=task(TaskState.MIGRATE_FAIL), landing=landing))
    assert (failed.value.cause, failed.value.fix) == ("no driver", "convert it")


@pytest.mark.parametrize(
    ("text", "code"), [(None, ""), ("", ""), ("{", ""), ("[]", ""), ("{}", ""), (ERROR, "SMS.1902")]
)
def test_codes_in_texts(text: str | None, code: str) -> None:
    assert error_code(text) == code


def everything() -> Watched:
    return Watched(at=AT, task=task(source=SourceState.CUTOVERING), replication=FIGURES, landing=LANDING)


@pytest.mark.parametrize("width", [100, 40])
def test_the_picture(width: int) -> None:
    written = io.StringIO()
    Console(file=written, width=width, force_terminal=False, highlight=False).print(picture(everything()))
    assert "\x1b" not in written.getvalue()
    assert_golden(
        f"watch/picture-{width}.txt", "".join(f"{each.rstrip()}\n" for each in written.getvalue().splitlines())
    )


def test_a_line() -> None:
    assert line(everything())[8:] == (
        "  RUNNING  MIGRATE_LINUX_BLOCK 40 %  pass 2  3.0 GiB sent  1.0 GiB remaining  412.5 Mbit/s  "
        "landing rehearsing 40 %"
    )
    assert line(Watched(at=AT, task=task(progress=100)))[8:] == "  RUNNING"


def test_a_line_for_each_change_worth_one(capsys: pytest.CaptureFixture[str]) -> None:
    plane = Plane(*(task(progress=percent) for percent in (0, 1, 9, 10, 19, 40)), task(TaskState.MIGRATE_SUCCESS))
    with telling(Console(file=io.StringIO(), force_terminal=False), json=False) as tell:
        for seen in followed(plane)[0]:
            tell(seen)
    lines = capsys.readouterr().out.splitlines()
    assert [each[10:].partition("BLOCK ")[2] for each in lines] == ["0 %", "10 %", "40 %", "40 %"]
    assert "MIGRATE_SUCCESS" in lines[-1]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    plane = Plane(task(), task(), task(TaskState.MIGRATE_SUCCESS), figures=FIGURES)
    with telling(Console(file=io.StringIO(), force_terminal=True), json=True) as tell:
        for seen in followed(plane)[0]:
            tell(seen)
    documents = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert [each["task"]["state"] for each in documents] == ["RUNNING", "MIGRATE_SUCCESS"]
    assert documents[0]["replication"]["rate_mbit"] == 412.5


def test_a_terminal_sees_a_picture_that_moves() -> None:
    written = io.StringIO()
    with telling(Console(file=written, force_terminal=True, width=80, highlight=False), json=False) as tell:
        for seen in followed(Plane(task(progress=10), task(TaskState.MIGRATE_SUCCESS)))[0]:
            tell(seen)
    assert "\x1b[" in written.getvalue()
    assert "MIGRATE_SUCCESS" in written.getvalue()
