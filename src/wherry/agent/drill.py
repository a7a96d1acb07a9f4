"""The drill of a migration: all of it but the cutover. A copy is made or brought up to date, and rehearsed.

The task stays as it is, and what was copied counts: a later start copies only what changed since. The command
PREMIGRATE is handed out until its result arrives, so a restarted agent goes on with the drill.
"""

from wherry.agent.decisions import Answer, TaskView
from wherry.agent.migration import Work
from wherry.agent.session import Session
from wherry.client.patience import Stopped
from wherry.contract.enumerations import (
    CommandName,
    CommandResult,
    MigrationCycle,
    OrderKind,
    ReplicationPhase,
    SourceState,
    Subtask,
    TaskState,
)
from wherry.errors import WherryError

_DRILLABLE = frozenset({TaskState.READY, TaskState.ABORT})


class Drill(Work):
    """The drill of one task. One object a try."""

    _order = OrderKind.DRILL

    def _is_due(self, task: TaskView) -> bool:
        return task.state in _DRILLABLE

    def _waits(self, task: TaskView, checkpoint: int) -> bool:  # noqa: ARG002 - as in Work
        return self._is_due(task)

    def _work(self, session: Session) -> None:
        task = self._look()
        if not self._is_due(task):
            raise Stopped(f"the state of the task is {task.state}")
        self._state(SourceState.DRILL_RUNNING, MigrationCycle.REPLICATING)
        if session.checkpoint is None:
            self._copy_all(session)
            self._fruitful()
        self._proven = self._cutover.run(session, self._task_id)

    def _finish(self) -> None:
        self._book.enter(ReplicationPhase.LANDING)
        self._reporter.show(self._look().copying_subtask, 100, "the drill's rehearsal")
        words = self._await_verdict()
        self._answer(CommandResult.SUCCESS, {"msg": words, "task_id": self._task_id})

    def _show_landing(self, progress: int, words: str) -> None:
        self._reporter.show(Subtask.MIGRATE_LINUX_BLOCK, 100, f"drill at {progress} %: {words}")

    def report_failure(self, error: WherryError) -> None:
        """Answer the command with the reason. Raises Stopped and the refusals of the control plane."""
        detail = {"msg": error.message, "task_id": self._task_id, "error_code": error.code}
        self._answer(CommandResult.FAIL, detail)

    def _answer(self, result: CommandResult, detail: dict[str, str]) -> None:
        answer = Answer(result, detail)
        self._sure(lambda: self._control.answer(self._source_id, CommandName.PREMIGRATE, answer))
