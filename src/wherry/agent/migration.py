"""The work on one task, from START to its end: connect, copy, synchronise, cut over; again after each lost connection.

What comes next is decided by `wherry.agent.decisions.next_step` from the task as the control plane has it and from the
checkpoint that the receiver has. So a restarted agent, or one whose task was stopped and started, goes on where it was
without any memory of its own.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from wherry.agent.channel import Stagehand
from wherry.agent.cutover import Cutover, CutoverSettings
from wherry.agent.decisions import SpeedWindows, Step, TaskView, next_step, resumable
from wherry.agent.desks import TaskDesk
from wherry.agent.errors import LandingFailed, TargetOutgrown
from wherry.agent.figures import FiguresBook
from wherry.agent.frozen import FrozenPass, MakeFreeze
from wherry.agent.hooks import Hooks
from wherry.agent.load import LoadMeter
from wherry.agent.outlook import Outlook
from wherry.agent.passes import Passes
from wherry.agent.progress import Reporter
from wherry.agent.session import Opener, Session
from wherry.agent.survey import Disks
from wherry.agent.taskwatch import TaskWatch
from wherry.agent.tracking import Tracking
from wherry.agent.verdict import VerdictWait
from wherry.agent.wishes import CheckpointWishes
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Patience, Steadfast, Stopped
from wherry.contract.enumerations import LandingState, MigrationCycle, OrderKind, ReplicationPhase, SourceState, Subtask
from wherry.errors import WherryError
from wherry.replication.errors import (
    ConnectionLost,
    IdentityRefused,
    PatchesUnfit,
    PeerRefused,
    ProtocolViolated,
    ReplicaBusy,
    ScheduleRefused,
    StorageFailed,
    StorageFull,
    TargetTooSmall,
)
from wherry.replication.guarding import LatencyGuard
from wherry.replication.pacing import Pace, schedule

log = structlog.get_logger(__name__)

GUARD_LOOK_S = 0.3
"""How often the guard looks at the disks between passes, in seconds."""

FRUITLESS_TRIES = 12
"""How often in a row the receiver may refuse in a way that usually passes before the task fails."""

_CYCLES = {
    ReplicationPhase.SYNCING: MigrationCycle.SYNCING,
    ReplicationPhase.FREEZING: MigrationCycle.CUTOVERING,
    ReplicationPhase.PROVING: MigrationCycle.CUTOVERING,
    ReplicationPhase.LANDING: MigrationCycle.CUTOVERING,
}
"""The stage that a failure belongs to; all else is the first copy."""

_ANEW = frozenset({LandingState.NONE, LandingState.NOT_BOOTED, LandingState.WITHDRAWN})
"""What is landed anew."""

_RECEIVER_ENDING = "WHERRY.3004"  # of the receiver, whose inside the agent doesn't know
_MEDIUM_FAILED = "WHERRY.3005"  # likewise
_TOO_MANY_CONNECTIONS = "WHERRY.3006"
_PASSING_REFUSALS = frozenset(
    {
        ReplicaBusy.code,
        ProtocolViolated.code,
        PatchesUnfit.code,
        StorageFailed.code,
        StorageFull.code,
        _RECEIVER_ENDING,
        _MEDIUM_FAILED,
        _TOO_MANY_CONNECTIONS,
    }
)
"""What a receiver refuses with for a while only."""
_ENDURED = frozenset({ConnectionLost.code, StorageFull.code})
"""What is waited for however long it takes: an operator makes room, and then the task goes on by itself."""


@dataclass(frozen=True, slots=True)
class Signals:
    """How the poll loop speaks to the work.

    *wake* is set with *stop*, and alone to end a pause. *look* is set to have the task looked at.
    """

    stop: threading.Event
    wake: threading.Event
    look: threading.Event


@dataclass(frozen=True, slots=True)
class WorkSettings:
    """*sync_interval_s*: pause between two synchronising passes."""

    sync_interval_s: float
    cutover: CutoverSettings


OpenChannel = Callable[[Steadfast, Stagehand], Opener]
"""Prepares the way to the receiver, which repeats its calls and reports its steps by what it's given."""


class Work:
    """The work on one task. `run` returns when the task is done; one object a try, which owns *disks*."""

    _order = OrderKind.LAND

    def __init__(
        self,
        *,
        task_id: str,
        source_id: str,
        control: TaskDesk,
        disks: Disks,
        tracking: Tracking,
        book: FiguresBook,
        signals: Signals,
        settings: WorkSettings,
        hooks: Hooks,
        guard: LatencyGuard | None = None,
        make_freeze: MakeFreeze,
        failed_units: Callable[[], Sequence[str] | None],
        open_channel: OpenChannel,
        patience: Callable[[], Patience] = Patience,
    ) -> None:
        """*failed_units* tells which units of systemd have failed on this server, None where nobody knows."""
        self._task_id = task_id
        self._source_id = source_id
        self._control = control
        self._disks = disks
        self._tracking = tracking
        self._book = book
        self._signals = signals
        self._settings = settings
        self._failed_units = failed_units
        self._patience = patience()
        self._sure = Steadfast(signals.stop, patience())
        self._pace = Pace()
        self._windows: SpeedWindows = ()
        self._reporter = Reporter(control, task_id, book, LoadMeter())
        self._watch = TaskWatch(self._look_again, signals.look)
        self._channel = open_channel(self._sure, self._reporter)
        self._guard = guard
        self._passes = Passes(
            disks=disks,
            tracking=tracking,
            book=book,
            pace=self._pace,
            outlook=Outlook(settings.cutover.max_freeze_s),
            stop=signals.stop,
            guard=guard,
        )
        self._passes.on_progress = self._fruitful
        self._passes.on_scan = lambda reason: self._reporter.trace(f"all that is in use is read: {reason}")
        self._cutover = Cutover(
            settings=settings.cutover,
            frozen=FrozenPass(
                limit_s=settings.cutover.max_freeze_s,
                hooks=hooks,
                make_freeze=make_freeze,
                disks=disks,
                passes=self._passes,
                tracking=tracking,
                book=book,
                trace=self._reporter.trace,
            ),
            passes=self._passes,
            book=book,
            control=control,
            sure=self._sure,
            stop=signals.stop,
            trace=self._reporter.trace,
        )
        self._fruitless = 0
        self._proven = 0
        self._wishes = CheckpointWishes(self._control, task_id, self._cutover.take_checkpoint, self._reporter.trace)

    def _is_due(self, task: TaskView) -> bool:
        return resumable(task.state)

    def _lands_already(self, task: TaskView) -> bool:
        """Whether an earlier agent has come as far as the landing: then nothing is asked of the receiver any more.

        Its target may run by now on the very disks that a session would be about.
        """
        half = self._book.half
        if half is None or not self._waits(task, half.checkpoint):
            return False
        landing = self._sure(lambda: self._control.landing(self._task_id, None, 0.0))
        self._proven = half.checkpoint
        return landing.kind == self._order and landing.checkpoint == half.checkpoint and landing.state not in _ANEW

    def _waits(self, task: TaskView, checkpoint: int) -> bool:
        return next_step(task, checkpoint) is Step.CUT_OVER

    def run(self) -> None:
        """Work until the task is done.

        Raises Stopped when it's stopped or its task is gone, and the WherryError that it can't get over.
        """
        task = self._look()
        if not self._is_due(task):
            # A START that is handed out again after the end must not turn the figures back.
            raise Stopped("the task isn't to be worked on")
        self._book.enter(ReplicationPhase.CONNECTING)
        self._reporter.start()
        self._watch.start()
        try:
            while not (self._lands_already(task) or self._connected_once()):
                if not self._patience.wait(self._signals.stop):
                    raise Stopped
            self._finish()
        finally:
            self._watch.stop()
            self._reporter.stop()
            self._book.save()

    def _connected_once(self) -> bool:
        """Work over one connection; True when the task is done, False when the connection was lost."""
        try:
            with self._channel.session() as session:
                self._work(session)
        except (ConnectionLost, IdentityRefused, ProtocolViolated, PeerRefused) as error:
            self._weigh(error)
            return False
        except ControlPlaneError as error:
            _unless_gone(error)
            raise
        return True

    def _weigh(self, error: WherryError) -> None:
        """Decide whether a trouble with the receiver passes by itself; raise it when it doesn't.

        A lost connection always does, and so does a full disk. A refused identity does right after the start, as the
        receiver has to hear of the task first. Of what the receiver says by an ERROR frame, an I/O error may pass, and
        a session that an earlier one still blocks does; the rest doesn't.
        """
        passes = not isinstance(error, PeerRefused) or error.code in _PASSING_REFUSALS
        if error.code not in _ENDURED:
            self._fruitless += 1
        if error.code == TargetTooSmall.code:
            raise TargetOutgrown(error.message) from error
        if not passes or self._fruitless > FRUITLESS_TRIES:
            raise error
        log.warning("receiver_lost", task_id=self._task_id, **error.facts)
        self._reporter.trace(f"trying again after {error.explain()}")

    def _fruitful(self) -> None:
        self._fruitless = 0
        self._patience.reset()

    def _work(self, session: Session) -> None:
        while True:
            task = self._look()
            step = next_step(task, session.checkpoint)
            if step is Step.LEAVE:
                raise Stopped(f"the state of the task is {task.state}")
            if step is Step.CUT_OVER:
                self._cut_over(session, task)
                return
            if step is Step.FULL_COPY:
                self._full_copy(session)
            else:
                self._synchronise(session, task)
            self._fruitful()

    def _full_copy(self, session: Session) -> None:
        self._state(SourceState.REPLICATE, MigrationCycle.REPLICATING)
        self._copy_all(session)

    def _copy_all(self, session: Session) -> None:
        self._book.enter(ReplicationPhase.COPYING)
        self._reporter.show(Subtask.MIGRATE_LINUX_BLOCK, None)
        self._passes.run(session)
        self._report(Subtask.MIGRATE_LINUX_BLOCK, 100, "full copy committed")

    def _synchronise(self, session: Session, task: TaskView) -> None:
        if not task.synchronises:
            self._state(SourceState.SYNCING, MigrationCycle.SYNCING)
        self._book.enter(ReplicationPhase.SYNCING)
        self._reporter.show(task.copying_subtask, 100, "synchronising")
        self._passes.run(session)
        self._wishes(session)
        self._pause(self._settings.sync_interval_s)
        if self._signals.stop.is_set():
            raise Stopped

    def _pause(self, seconds: float) -> None:
        """Wait until somebody wakes us; meanwhile the guard learns how fast the disks are when they aren't read."""
        until = time.monotonic() + seconds
        while not self._signals.wake.wait(min(GUARD_LOOK_S, max(0.0, until - time.monotonic()))):
            if self._guard is not None:
                self._guard.look(0)
            if time.monotonic() >= until:
                break
        self._signals.wake.clear()

    def _cut_over(self, session: Session, task: TaskView) -> None:
        self._state(SourceState.CUTOVERING, MigrationCycle.CUTOVERING)
        self._report(task.copying_subtask, 100, "the last passes follow")
        self._report(Subtask.CONFIGURE_LINUX_BLOCK, 0, "last passes")
        self._proven = self._cutover.run(session, self._task_id)

    def _finish(self) -> None:
        """Wait until what landed runs, or is delivered as disks, and report the task as done.

        The receiver's connection isn't needed any more. The disks are still tracked, so that a task whose copy doesn't
        boot goes on without a scan.
        """
        self._book.enter(ReplicationPhase.LANDING)
        words = self._await_verdict()
        self._book.enter(ReplicationPhase.DONE)
        self._report(Subtask.CONFIGURE_LINUX_BLOCK, 100, words)
        # From the next report on the task is done; a half that was still held would spoil its next run.
        self._book.hold(None)
        self._report(Subtask.DETACH_AGENT_IMAGE, 100, "done")
        self._state(SourceState.FINISHED, MigrationCycle.CUTOVERED)
        self._tracking.discard()
        log.info("finished", task_id=self._task_id, checkpoint=self._proven)

    def _await_verdict(self) -> str:
        wait = VerdictWait(self._control, self._sure, self._signals.stop, self._show_landing, self._failed_units)
        try:
            return wait(self._task_id, self._proven)
        except LandingFailed:
            self._book.hold(None)  # another try is of a new checkpoint
            raise
        except ControlPlaneError as error:
            _unless_gone(error)
            raise

    def _show_landing(self, progress: int, words: str) -> None:
        self._reporter.show(Subtask.CONFIGURE_LINUX_BLOCK, progress, words)

    def report_failure(self, error: WherryError) -> None:
        """Tell the control plane why the task can't go on. Raises Stopped and the refusals of the control plane."""
        phase = self._book.figures.phase
        cycle = _CYCLES.get(phase, MigrationCycle.REPLICATING)
        self._reporter.fail(error, self._sure)
        self._state(SourceState.ERROR, cycle)

    def close(self) -> None:
        """Release the disks. Their changes are tracked on, so that the next try needs no scan."""
        self._tracking.close()
        self._disks.close()
        self._channel.close()

    def _look(self) -> TaskView:
        try:
            task = self._sure(lambda: self._control.task(self._task_id))
        except ControlPlaneError as error:
            _unless_gone(error)
            raise
        self._keep_to(task)
        return task

    def _look_again(self) -> None:
        """Look at the task while it's worked on: its limits may have been changed, or it may be gone."""
        try:
            task = self._control.task(self._task_id)
        except ControlPlaneError as error:
            if error.status != 404:
                raise
            self._signals.stop.set()
            self._signals.wake.set()
        else:
            self._keep_to(task)

    def _keep_to(self, task: TaskView) -> None:
        """Follow the speed limits of the task; a window that makes no sense leaves those that held."""
        self._pace.set_rate(task.speed_limit_mbit)
        if task.speed_windows == self._windows:
            return
        self._windows = task.speed_windows
        try:
            self._pace.set_schedule(schedule(task.speed_windows))
        except ScheduleRefused as error:
            log.warning("speed_windows_refused", **error.facts)
            self._reporter.trace(f"{error.code}: {error.message}")
        else:
            log.info("speed_windows", windows=task.speed_windows)

    def _state(self, state: SourceState, cycle: MigrationCycle) -> None:
        self._sure(lambda: self._control.report_state(self._source_id, state.value, cycle.value))

    def _report(self, subtask: Subtask, progress: int, trace: str) -> None:
        self._reporter.show(subtask, progress, trace)
        self._reporter.deliver(self._sure)


def _unless_gone(error: ControlPlaneError) -> None:
    """Raise Stopped for a refusal that says that the task is gone."""
    if error.status == 404:
        raise Stopped(error.message) from error
