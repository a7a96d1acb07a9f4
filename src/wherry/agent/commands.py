"""The poll loop: asks for commands, has them carried out, posts the results.

A command is handed out until its result has arrived, so everything here may happen twice.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from wherry.agent.decisions import Answer, Decision, Deed, WorkerView, decide, resumable
from wherry.agent.desks import CommandDesk
from wherry.agent.errors import RecordGone, StopTimedOut
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import ANSWERLESS, Patience, passing
from wherry.errors import WherryError

log = structlog.get_logger(__name__)

LEAST_ROUND_S = 1.0
"""A control plane that doesn't know long polls answers at once; it's asked about so often, in seconds."""


Errands = Mapping[Deed, Callable[[str], Answer]]
"""Deeds for a task that give the command's answer themselves."""


class Hands(Protocol):
    """What the loop needs of a worker."""

    def view(self) -> WorkerView:
        """Return which task is worked on now."""

    def start(self, task_id: str, *, drill: bool = False) -> None:
        """Begin the work on a task, or its drill. Raises StopTimedOut when another one's doesn't end."""

    def nudge(self) -> None:
        """Have the task looked at now."""

    def glance(self) -> None:
        """Have the task's limits looked at now."""

    def stop(self) -> None:
        """Stop the work and wait for its end. Raises StopTimedOut."""


class PollLoop:
    """Polls for one source until it's told to stop."""

    def __init__(
        self,
        *,
        control: CommandDesk,
        source_id: str,
        worker: Hands,
        forget: Callable[[str], None],
        give_up: Callable[[str], None],
        errands: Errands,
        refresh: Callable[[], None],
        stop: threading.Event,
        poll_wait_s: float,
        patience: Patience,
    ) -> None:
        """*forget* drops what is noted of a task, *give_up* the checkpoint that its cutover has come to.

        *errands*: deeds for a task that give the answer themselves. *refresh* is called between two polls: it looks
        after the disks.
        """
        self._control = control
        self._source_id = source_id
        self._worker = worker
        self._forget = forget
        self._give_up = give_up
        self._errands = errands
        self._refresh = refresh
        self._stop = stop
        self._poll_wait_s = poll_wait_s
        self._patience = patience
        self._resumed = False

    def run(self) -> None:
        """Poll until stopped. Raises RecordGone when the source was deleted."""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if not self._resumed:
                    self._resume()
                answered = self._round()
            except ANSWERLESS as error:
                self._weigh(error)
                self._patience.wait(self._stop)
                continue
            except StopTimedOut as error:
                # Not answered, so the command comes again; meanwhile the work comes to its end.
                log.warning("stop_timed_out", **error.facts)
                continue
            self._patience.reset()
            if not answered:
                rest = LEAST_ROUND_S - (time.monotonic() - began)
                self._stop.wait(max(0.0, rest) * random.uniform(0.6, 1.0))  # noqa: S311 - no secret

    @staticmethod
    def _weigh(error: WherryError) -> None:
        """Say what is wrong. An agent that is refused asks again all the same: a person may lift the refusal."""
        if isinstance(error, ControlPlaneError) and error.status == 404:
            raise RecordGone(reason=error.message) from error
        if passing(error):
            log.warning("control_plane_unreachable", **error.facts)
        else:
            log.warning("refused", **error.facts)

    def _resume(self) -> None:
        """Go on with the task that an earlier agent worked on; its START was answered and doesn't come again."""
        task = self._control.source(self._source_id).current_task
        if task is not None and resumable(str(task.state or "")) and not self._worker.view().task_id:
            log.info("resuming", task_id=task.id, state=str(task.state))
            self._worker.start(task.id)
        self._resumed = True

    def _round(self) -> bool:
        """Ask once and do what is due; tell whether there was a command to answer."""
        self._refresh()
        # No two agents that were started together keep asking together.
        wait_s = self._poll_wait_s * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
        # For what changed while nobody asked, and then for what made the poll come back: the control plane ends it when
        # anything happens to the source or its task.
        self._worker.glance()
        command = self._control.command(self._source_id, wait_s)
        self._worker.glance()
        decision = decide(command.command_name, command.command_param.task_id or "", self._worker.view())
        answer = self._carry_out(decision)
        if answer is None:
            return False
        log.info(
            "command",
            name=command.command_name,
            task_id=decision.task_id,
            deed=decision.deed.value,
            result=answer.result,
        )
        self._control.answer(self._source_id, command.command_name, answer)
        return True

    def _carry_out(self, decision: Decision) -> Answer | None:
        """Do it, and return what the command is answered with."""
        if decision.deed is Deed.START:
            self._worker.start(decision.task_id)
        elif decision.deed is Deed.DRILL:
            self._worker.start(decision.task_id, drill=True)
        elif decision.deed is Deed.NUDGE:
            self._worker.nudge()
        elif decision.deed in {Deed.STOP, Deed.FORGET}:
            self._worker.stop()
        if decision.deed is Deed.STOP and decision.task_id:
            # The server goes on: what was consistent by then isn't what the next try is about.
            self._give_up(decision.task_id)
        if decision.deed is Deed.FORGET:
            self._forget(decision.task_id)
        errand = self._errands.get(decision.deed)
        return decision.answer if errand is None else errand(decision.task_id)
