"""The worker: at most one task at a time, in a thread of its own. The poll loop outlives whatever happens to it."""

import threading
from dataclasses import dataclass
from typing import Protocol

import structlog

from wherry.agent.decisions import WorkerView
from wherry.agent.errors import DisksChanged, StopTimedOut, WorkerFailed
from wherry.agent.migration import Signals
from wherry.client.patience import Stopped
from wherry.errors import WherryError
from wherry.process import release_memory

log = structlog.get_logger(__name__)

STOP_S = 60.0
"""How long a stop waits for the work to come to an extent's end, in seconds."""


class Doable(Protocol):
    """The work on one task."""

    def run(self) -> None:
        """Work until it's done. Raises Stopped and WherryError."""

    def report_failure(self, error: WherryError) -> None:
        """Tell the control plane why it can't go on. Raises Stopped and ControlPlaneError."""

    def close(self) -> None:
        """Release what the work held."""


class MakeWork(Protocol):
    """Prepares the work on a task, or its drill. Raises WherryError when it can't be done at all."""

    def __call__(self, task_id: str, signals: Signals, *, drill: bool) -> Doable:
        """Return the work."""


class Refuse(Protocol):
    """Reports that the work on a task couldn't even be prepared; it may raise like `Doable.report_failure`."""

    def __call__(self, task_id: str, error: WherryError, *, drill: bool) -> None:
        """Report *error*."""


@dataclass(frozen=True, slots=True)
class _Run:
    task_id: str
    signals: Signals
    thread: threading.Thread


class Worker:
    """Starts, nudges and stops the work. Called by one thread, the poll loop's."""

    def __init__(self, make_work: MakeWork, refuse: Refuse) -> None:
        """Nothing is worked on yet."""
        self._make_work = make_work
        self._refuse = refuse
        self._current: _Run | None = None

    def view(self) -> WorkerView:
        """Return which task is worked on now."""
        current = self._current
        if current is None or not current.thread.is_alive():
            return WorkerView()
        return WorkerView(current.task_id)

    def start(self, task_id: str, *, drill: bool = False) -> None:
        """Begin the work on *task_id*, or its drill; what is worked on is stopped before.

        Raises StopTimedOut when that doesn't end.
        """
        self.stop()
        signals = Signals(stop=threading.Event(), wake=threading.Event(), look=threading.Event())
        thread = threading.Thread(target=self._run, args=(task_id, signals, drill), name=f"task-{task_id}", daemon=True)
        self._current = _Run(task_id, signals, thread)
        thread.start()

    def nudge(self) -> None:
        """Have the task looked at now instead of after the next pause."""
        if self._current is not None:
            self._current.signals.wake.set()

    def glance(self) -> None:
        """Have the task's limits looked at now."""
        if self._current is not None:
            self._current.signals.look.set()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the work and wait for its end. Raises StopTimedOut."""
        current = self._current
        if current is None:
            return
        current.signals.stop.set()
        current.signals.wake.set()
        current.thread.join(timeout_s)
        if current.thread.is_alive():
            raise StopTimedOut(task_id=current.task_id, timeout_s=timeout_s)

    def _run(self, task_id: str, signals: Signals, drill: bool) -> None:  # noqa: FBT001 - a thread's argument
        structlog.contextvars.bind_contextvars(task_id=task_id)
        while self._run_once(task_id, signals, drill=drill):
            pass
        # The agent waits from now on, perhaps for weeks.
        release_memory()

    def _run_once(self, task_id: str, signals: Signals, *, drill: bool) -> bool:
        """Work on the task; True when it has to begin anew, with the disks as they are now."""
        work: Doable | None = None
        try:
            work = self._make_work(task_id, signals, drill=drill)
            work.run()
        except DisksChanged as change:
            log.info("disks_changed", **change.facts)
            return True
        except Stopped as stopped:
            log.info("work_stopped", reason=str(stopped))
        except WherryError as error:
            log.warning("work_failed", **error.facts)
            self._tell(task_id, work, error, drill=drill)
        except Exception as error:
            # The outermost loop of the work: a fault of it must be told to the operator, and spare the poll loop.
            log.exception("work_failed")
            self._tell(task_id, work, WorkerFailed(reason=f"{type(error).__name__}: {error}"), drill=drill)
        finally:
            if work is not None:
                work.close()
        return False

    def _tell(self, task_id: str, work: Doable | None, failure: WherryError, *, drill: bool) -> None:
        try:
            if work is None:
                self._refuse(task_id, failure, drill=drill)
            else:
                work.report_failure(failure)
        except (Stopped, WherryError) as error:
            log.warning("failure_not_reported", code=failure.code, reason=str(error))
