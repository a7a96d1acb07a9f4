"""Reports how the work goes: UpdateTaskSpeed and the figures of the replication, at most once a second.

A thread of its own, so that a slow or missing control plane never holds up the data.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from wherry.agent.desks import ReportDesk
from wherry.agent.figures import FiguresBook
from wherry.agent.load import Load
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Steadfast, passing
from wherry.contract.enumerations import Subtask
from wherry.contract.tasks import TaskProgress
from wherry.contract.wherry import ReplicationFigures
from wherry.errors import WherryError

log = structlog.get_logger(__name__)

REPORT_EVERY_S = 1.0
"""The least time between two reports, in seconds."""

_MAX_RATE = 10_000.0
_LEAST_RATE = 0.01
_MAX_TRACE = 2048


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the work is: the subtask, its progress in per cent (None: by the bytes read), and a text for people.

    A stage that *failed* is told by its text alone, since the control plane knows a failure by the code in front.
    """

    subtask: Subtask
    progress: int | None
    trace: str = ""
    failed: bool = False


def percentage(figures: ReplicationFigures) -> int:
    """Return how much of the first copy is done, in per cent; 100 only once it's committed."""
    if figures.passes:
        return 100
    if not figures.used_bytes or figures.remaining_bytes is None:
        return 0
    return max(0, min(99, 100 - -(-100 * figures.remaining_bytes // figures.used_bytes)))


def body_of(stage: Stage, figures: ReplicationFigures, load: Load, agent_time: str) -> TaskProgress:
    """Return the body of UpdateTaskSpeed."""
    total = figures.used_bytes
    remaining = total if figures.remaining_bytes is None else min(figures.remaining_bytes, total)
    copied = total if figures.passes else total - remaining
    rate = min(_MAX_RATE, max(0.0, figures.rate_mbit))
    return TaskProgress(
        subtask_name=stage.subtask,
        progress=percentage(figures) if stage.progress is None else stage.progress,
        replicate_size=copied,
        total_size=total,
        process_trace=_trace(stage, figures)[:_MAX_TRACE],
        migrate_speed=round(rate, 2),
        compress_rate=_compress_rate(figures),
        remain_time=_remaining_s(figures, remaining, rate),
        total_cpu_usage=load.total_cpu,
        agent_cpu_usage=load.agent_cpu,
        total_mem_usage=load.total_memory_mb,
        agent_mem_usage=load.agent_memory_mb,
        agent_time=agent_time,
    )


def _remaining_s(figures: ReplicationFigures, remaining: int, rate_mbit: float) -> int | None:
    """Return how long *remaining* bytes of disk will take if as much of them has to be sent as of those before.

    That may be next to nothing: where the receiver has most of it, what is sent says little about what is read.
    """
    if rate_mbit <= _LEAST_RATE:
        return None
    share = min(1.0, figures.sent_bytes / figures.read_bytes) if figures.read_bytes else 1.0
    return int(remaining * share * 8 / (rate_mbit * 1e6))


def _trace(stage: Stage, figures: ReplicationFigures) -> str:
    if stage.failed:
        return stage.trace
    where = f"{figures.phase.value}, pass {figures.pass_number}"
    if stage.progress is None and figures.bottleneck:
        where += f", held up by {figures.bottleneck}"
    return f"{where}: {stage.trace}" if stage.trace else where


def _compress_rate(figures: ReplicationFigures) -> float | None:
    """Return how many bytes of disk one sent byte stood for."""
    if not figures.sent_bytes:
        return None
    return round(min(_MAX_RATE, figures.changed_bytes / figures.sent_bytes), 3)


class Reporter:
    """Reports for one task. `show` is cheap; `flush` waits until the control plane has what was shown last."""

    def __init__(
        self,
        control: ReportDesk,
        task_id: str,
        book: FiguresBook,
        load: Callable[[], Load],
        *,
        every_s: float = REPORT_EVERY_S,
    ) -> None:
        self._control = control
        self._task_id = task_id
        self._book = book
        self._load = load
        self._every_s = every_s
        self._stage: Stage | None = None
        self._sent: tuple[Stage, ReplicationFigures] | None = None
        self._ending = threading.Event()
        self._posting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def show(self, subtask: Subtask, progress: int | None, trace: str = "") -> None:
        """Take over what the next report says."""
        self._stage = Stage(subtask, progress, trace)

    def trace(self, text: str) -> None:
        """Take over the text for people, and leave the subtask as it is."""
        stage = self._stage
        if stage is not None:
            self._stage = Stage(stage.subtask, stage.progress, text)

    def flush(self) -> None:
        """Report now. Raises ControlPlaneUnreachable and ControlPlaneError."""
        with self._posting:
            stage, figures = self._stage, self._book.figures
            if stage is None or self._sent == (stage, figures):
                return
            agent_time = time.strftime("%Y-%m-%d %H:%M:%S")
            self._control.report_progress(self._task_id, body_of(stage, figures, self._load(), agent_time))
            self._control.report_figures(self._task_id, figures)
            self._sent = (stage, figures)

    def deliver(self, sure: Steadfast) -> None:
        """Report now, however long it takes to reach the control plane.

        A refusal is only logged: what a report says is worth less than the work. Raises Stopped, and
        ControlPlaneError with status 404 when the task is gone.
        """
        try:
            sure(self.flush)
        except ControlPlaneError as error:
            if error.status == 404:
                raise
            log.warning("report_refused", **error.facts)

    def fail(self, error: WherryError, sure: Steadfast) -> None:
        """Report *error* as the reason why the subtask under way can't go on."""
        stage = self._stage or Stage(Subtask.SSL_CONFIG, 0)
        progress = min(99, percentage(self._book.figures) if stage.progress is None else stage.progress)
        self._stage = Stage(stage.subtask, progress, error.explain(), failed=True)
        self.deliver(sure)

    def stop(self) -> None:
        """End the thread; what was shown last may be unreported, see `flush`."""
        self._ending.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ending.wait(self._every_s):
            try:
                self.flush()
            except WherryError as error:
                # The calls of the work itself tell of a control plane that is away.
                if not passing(error):
                    log.warning("report_failed", **error.facts)
            except Exception:
                # The outermost loop of this thread: a report that fails never ends the work that it's about.
                log.exception("report_failed")
