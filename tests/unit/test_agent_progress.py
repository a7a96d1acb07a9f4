"""What is reported, and how often."""

import threading
import time
from pathlib import Path

import pytest

from wherry.agent.errors import FreezeExpired
from wherry.agent.figures import FiguresBook
from wherry.agent.load import Load, LoadMeter
from wherry.agent.progress import Reporter, Stage, body_of, percentage
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast
from wherry.contract.enumerations import ReplicationPhase, Subtask
from wherry.contract.tasks import TaskProgress
from wherry.contract.wherry import PassFigures, ReplicationFigures

COPYING = ReplicationFigures(
    phase=ReplicationPhase.COPYING, used_bytes=1000, remaining_bytes=600, read_bytes=400, changed_bytes=400,
    sent_bytes=100, rate_mbit=8.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("used", "remaining", "passes", "expected"),
    [
        (0, None, 0, 0),
        (1000, None, 0, 0),
        (1000, 1000, 0, 0),
        (1000, 600, 0, 40),
        (1000, 1, 0, 99),
        (1000, 0, 0, 99),
        (1000, 5, 1, 100),
    ],
)
def test_the_copy_is_complete_only_when_it_is_committed(
    used: int, remaining: int | None, passes: int, expected: int
) -> None:
    figures = ReplicationFigures(
        phase=ReplicationPhase.COPYING,
        used_bytes=used,
        remaining_bytes=remaining,
        passes=[PassFigures(number=0)] * passes,
    )
    assert percentage(figures) == expected


def test_a_report_has_every_field_that_the_reference_requires() -> None:
    body = body_of(Stage(Subtask.MIGRATE_LINUX_BLOCK, None, "hello"), COPYING, Load(), "now")
    assert (body.progress, body.replicate_size, body.total_size) == (40, 400, 1000)
    assert body.process_trace == "copying, pass 0: hello"
    assert body.migrate_speed == 8.0
    assert body.compress_rate == 4.0
    assert body.remain_time == 0
    assert body.agent_time == "now"


@pytest.mark.parametrize(
    ("read", "sent", "rate_mbit", "expected"),
    [
        (0, 0, 80.0, 60),  # nothing is known yet
        (400_000_000, 400_000_000, 80.0, 60),
        (400_000_000, 200_000_000, 80.0, 30),  # it can be packed
        (400_000_000, 4_000_000, 0.8, 60),  # the receiver has nearly all of it
        (400_000_000, 500_000_000, 80.0, 60),  # some was sent twice
        (400_000_000, 4_000_000, 0.0, None),
    ],
)
def test_the_time_that_remains_is_that_of_what_will_have_to_be_sent(
    read: int, sent: int, rate_mbit: float, expected: int | None
) -> None:
    figures = ReplicationFigures(
        phase=ReplicationPhase.COPYING,
        used_bytes=1_000_000_000,
        remaining_bytes=600_000_000,
        read_bytes=read,
        sent_bytes=sent,
        rate_mbit=rate_mbit,
    )
    assert body_of(Stage(Subtask.MIGRATE_LINUX_BLOCK, None), figures, Load(), "now").remain_time == expected


def test_a_report_stays_within_its_limits_whatever_is_measured() -> None:
    wild = ReplicationFigures(
        phase=ReplicationPhase.SYNCING, used_bytes=10, remaining_bytes=1 << 60, changed_bytes=1 << 60, sent_bytes=1,
        rate_mbit=1e8,
    )  # fmt: skip
    body = body_of(Stage(Subtask.MIGRATE_LINUX_BLOCK, None, "x" * 5000), wild, Load(), "now")
    assert len(body.process_trace) == 2048
    assert body.migrate_speed == 10_000
    assert body.compress_rate == 10_000
    assert body.replicate_size == 0
    quiet = body_of(
        Stage(Subtask.MIGRATE_LINUX_BLOCK, 100), ReplicationFigures(phase=ReplicationPhase.DONE), Load(), ""
    )
    assert quiet.remain_time is None
    assert quiet.compress_rate is None


class Desk:
    """Keeps reports, or refuses them."""

    def __init__(self) -> None:
        self.progress: list[TaskProgress] = []
        self.figures: list[ReplicationFigures] = []
        self.errors: list[Exception] = []

    def report_progress(self, _task_id: str, body: TaskProgress) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.progress.append(body)

    def report_figures(self, _task_id: str, figures: ReplicationFigures) -> None:
        self.figures.append(figures)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def reporter(desk: Desk, tmp_path: Path) -> Reporter:
    return Reporter(desk, "task-1", FiguresBook(tmp_path, "task-1"), Load)


SURE = Steadfast(threading.Event(), Patience(first_s=0.0))


def test_what_has_not_changed_is_not_reported_again(desk: Desk, reporter: Reporter) -> None:
    reporter.flush()
    assert desk.progress == []
    reporter.show(Subtask.SSL_CONFIG, 50)
    reporter.flush()
    reporter.flush()
    assert [body.progress for body in desk.progress] == [50]
    assert len(desk.figures) == 1


def test_a_text_for_people_leaves_the_subtask_as_it_is(desk: Desk, reporter: Reporter) -> None:
    reporter.trace("nobody reads this yet")
    reporter.show(Subtask.SSL_CONFIG, 50, "one")
    reporter.trace("two")
    reporter.flush()
    assert desk.progress[0].subtask_name is Subtask.SSL_CONFIG
    assert desk.progress[0].process_trace.endswith("two")


def test_a_refused_report_does_not_stop_the_work(desk: Desk, reporter: Reporter) -> None:
    desk.errors = [ControlPlaneError("SMS.9001", "no", status=400)]
    reporter.show(Subtask.SSL_CONFIG, 50)
    reporter.deliver(SURE)


def test_a_report_to_a_task_that_is_gone_does(desk: Desk, reporter: Reporter) -> None:
    desk.errors = [ControlPlaneError("SMS.7703", "gone", status=404)]
    reporter.show(Subtask.SSL_CONFIG, 50)
    with pytest.raises(ControlPlaneError):
        reporter.deliver(SURE)


def test_a_failure_is_never_reported_at_a_hundred_per_cent(desk: Desk, reporter: Reporter) -> None:
    reporter.show(Subtask.MIGRATE_LINUX_BLOCK, 100)
    failure = FreezeExpired(limit_s=5.0, attempts=3)
    reporter.fail(failure, SURE)
    assert desk.progress[-1].progress == 99
    assert desk.progress[-1].process_trace == failure.explain()


def test_the_thread_outlives_whatever_a_report_meets(desk: Desk, tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    reporter = Reporter(desk, "task-1", book, Load, every_s=0.01)
    desk.errors = [
        ControlPlaneUnreachable(endpoint="x", reason="y"),
        ControlPlaneError("SMS.9001", "no", status=400),
        ZeroDivisionError("a fault of ours"),
    ]
    reporter.show(Subtask.SSL_CONFIG, 0)
    reporter.start()
    deadline = time.monotonic() + 10
    while not desk.progress and time.monotonic() < deadline:
        time.sleep(0.01)
    reporter.stop()
    assert desk.progress


def test_the_load_is_a_share_between_two_looks(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  100 0 100 800 0 0 0 0 0 0\n")
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
    meter = LoadMeter(tmp_path)
    (tmp_path / "stat").write_text("cpu  150 0 150 900 0 0 0 0 0 0\n")
    load = meter()
    assert load.total_cpu == 50.0
    assert load.total_memory_mb == 1.0
    assert load.agent_memory_mb is None


def test_a_kernel_that_tells_nothing_gives_no_load(tmp_path: Path) -> None:
    load = LoadMeter(tmp_path)()
    assert (load.total_cpu, load.total_memory_mb, load.agent_memory_mb) == (None, None, None)
    real = LoadMeter()()
    assert real.agent_memory_mb is not None
    assert real.agent_memory_mb > 1
