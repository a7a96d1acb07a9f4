"""What a control plane should hold after a number of calls: sources, their tasks, commands, results and history.

Told of each call, it answers with the error code that the server must refuse it with, or "" where it must succeed.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.contract import model_tables as tables
from tests.contract.model_tables import Move

UNKNOWN_FAILURE = "WHERRY.5603"
AGENT_ERROR = "SMS.0007"


@dataclass
class ModelCommand:
    """A command that waits for its result."""

    name: str
    task_id: str
    bucket: str = ""


@dataclass
class ModelTask:
    """A task. `subtasks` in their order, with their progress in per cent."""

    id: str
    syncing: bool
    checked: bool
    drill: bool
    exist_server: bool
    state: str = "READY"
    code: str = ""
    log: str = "INIT"
    bucket: str = ""
    name: str = ""
    subtasks: dict[str, int] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass
class ModelSource:
    """A source with everything that was acknowledged about it. `moves`: (entity, from, to), as they happened."""

    id: str
    fit: bool
    state: str
    cycle: str
    task: ModelTask | None = None
    waiting: list[ModelCommand] = field(default_factory=list)
    results: list[tuple[str, str, Any]] = field(default_factory=list)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    gone: bool = False

    @property
    def its_task(self) -> ModelTask:
        """The task, of a source that has one."""
        assert self.task is not None
        return self.task

    # ---- calls

    def registered_again(self, *, fit: bool) -> None:
        """Take a new registration, or new disk facts, that leaves state and cycle to the service."""
        self.fit = fit
        self.judged()

    def judged(self) -> None:
        """Judge the source anew where nothing was begun."""
        if self.state not in {"unavailable", "waiting"}:
            return
        state = "waiting" if self.fit else "unavailable"
        if state != self.state:
            self._source(state, "setting" if self.fit else "checking")

    def got_task(self, task: ModelTask, *, auto_start: bool) -> None:
        """Take a new task; `refuses_task` said that it's allowed."""
        self.task = task
        self.moves.append(("task", "", "READY"))
        if auto_start:
            self._command("START")

    def refuses_task(self) -> str:
        """Return why the source gets no task."""
        if self.state == "unavailable":
            return "SMS.6520"
        return "SMS.7605" if self.task is not None else ""

    def act(self, action: str, *, template: bool, check: bool) -> str:
        """Act on the task."""
        task = self.its_task
        move = tables.ACTIONS[action].get(task.state)
        if move is None:
            return tables.REFUSALS.get(action, tables.OTHER_REFUSAL)
        if refusal := self._unmet(action, task, template=template):
            return refusal
        former = task.state
        if move.task is not None:
            self._task(move.task, move.code)
        if action == "clear":
            self._source("clearing", move.cycle)
        if move.source is not None:
            self._source(move.source, move.cycle)
        self._new_subtasks(action, former, check=check)
        if move.command is not None:
            self._command(move.command, overtaking=True)
        return ""

    def next_command(self) -> tuple[str, str, str]:
        """Return what a poll is answered with: name, task, bucket."""
        if self.waiting:
            oldest = self.waiting[0]
            return oldest.name, oldest.task_id, oldest.bucket
        if self.task is None:
            return "TASK_NOT_STARTED", "", ""
        if self.task.state in {"ABORTING", "ABORT", *tables.FAILED}:
            return "TASK_HAS_STOPPED", self.task.id, ""
        return ("TASK_HAS_FINISHED" if self.task.state in tables.DONE else "TASK_NOT_STARTED"), self.task.id, ""

    def reported(self, name: str, result: str, detail: Any) -> None:
        """Take the result of a command, known or not."""
        self.results.append((name, result, detail))
        if not self.waiting or self.waiting[0].name != name or result not in {"success", "fail"}:
            return
        answered = self.waiting.pop(0)
        task = self.task
        if task is None or answered.task_id != task.id:
            return
        if name == "UPLOAD_LOG":
            task.log = "UPLOADED" if result == "success" else "UPLOAD_FAIL"
        elif name == "RSET_LOG_ACL":
            task.log = "INIT" if result == "success" else task.log
        elif name == "SKIP":
            if task.state == "SKIPPING":
                self._back_from_skipping(task)
        elif move := tables.RESULTS.get((name, result), {}).get(task.state):
            self._after_result(task, move, detail)

    def copy_state(self, state: str, cycle: str) -> str:
        """Take an agent's word on the source's state."""
        if self.state in tables.GUARDED:
            return ""
        state = {"init": "initialize"}.get(state, state)
        if state not in tables.SOURCE_STATES or cycle not in {*tables.CYCLES, *tables.FORMER_CYCLES}:
            return "SMS.9001"
        task = self.task
        ordered = self.state == "cutovering" and task is not None and task.state == "SYNCING"
        if ordered and state in tables.BEFORE_CUTOVER:
            return ""
        self._source(state, cycle if cycle in tables.CYCLES else None)
        if task is not None:
            self._task_follows(task, state, cycle)
        return ""

    def progressed(self, subtask: str, progress: int) -> None:
        """Take how far the agent is with a subtask."""
        task = self.its_task
        task.subtasks[subtask] = progress
        launch = [done for name, done in task.subtasks.items() if name in tables.LAUNCH_NAMES]
        launched = subtask in tables.LAUNCH_NAMES and "DETTACH_AGENT_IMAGE" in task.subtasks and min(launch) >= 100
        if task.state in tables.AT_WORK and launched:
            self._task("MIGRATE_SUCCESS")
            self._source("finished", "cutovered")

    def collect_log(self, bucket: str) -> None:
        """Order the agent's log."""
        self.its_task.log = "UPLOADING"
        self.its_task.bucket = bucket
        self._command("UPLOAD_LOG", bucket=bucket, overtaking=True)

    def refuses_to_close_log(self) -> str:
        """Return why there's no log to close."""
        return "WHERRY.5521" if self.its_task.log == "INIT" else ""

    def close_log(self) -> None:
        """End the sharing of the agent's log."""
        self._command("RSET_LOG_ACL", bucket=self.its_task.bucket, overtaking=True)

    def refuses_task_deletion(self) -> str:
        """Return why the task can't be deleted."""
        return "SMS.7719" if self.state in tables.BUSY else ""

    def delete_task(self) -> None:
        """Delete the task."""
        self.task = None
        self.waiting.clear()
        if self.state != "unavailable":
            self._source("waiting", "setting")

    def refuses_deletion(self) -> str:
        """Return why the source can't be deleted."""
        return "SMS.2015" if self.task is not None and self.state in tables.BUSY else ""

    def delete(self) -> None:
        """Delete the source, with its task."""
        if self.task is not None:
            self.delete_task()
        self.gone = True

    # ---- what follows

    def _source(self, state: str, cycle: str | None) -> None:
        if state != self.state:
            self.moves.append(("source", self.state, state))
            self.state = state
        if cycle is not None:
            self.cycle = cycle

    def _task(self, state: str, code: str = "") -> None:
        task = self.its_task
        if state != task.state:
            self.moves.append(("task", task.state, state))
            task.state = state
        task.code = code

    def _command(self, name: str, *, bucket: str = "", overtaking: bool = False) -> None:
        if overtaking:
            pointless = tables.OVERTAKEN[name]
            self.waiting = [command for command in self.waiting if command.name not in pointless]
        self.waiting.append(ModelCommand(name, self.its_task.id, bucket))

    def _unmet(self, action: str, task: ModelTask, *, template: bool) -> str:
        if action == "start" and self.state == "unavailable":
            return "SMS.6520"
        if action == "stop" and task.state in {"READY", "ABORT"} and self.state not in {"premigready", "premiging"}:
            return "SMS.1038"
        if action == "restart" and self.state in {"clearing", "cleared", "clearfailed"}:
            return tables.OTHER_REFUSAL
        if action == "clone_test" and not template:
            return "SMS.9001"
        if action in {"test", "cutover", "clone_test"} and self.state == "cutovering":
            return tables.OTHER_REFUSAL
        if action == "skip" and not _is_checking(task):
            return tables.OTHER_REFUSAL
        return "WHERRY.5602" if action == "migration_test" and not task.drill else ""

    def _new_subtasks(self, action: str, former: str, *, check: bool) -> None:
        task = self.its_task
        if action == "start":
            self._missing_subtasks(task, check=check)
        elif action == "restart" and former in tables.DONE:
            task.subtasks["SYNC_LINUX_BLOCK"] = 0
            task.subtasks.update({} if task.syncing else dict.fromkeys(tables.LAUNCH, 0))
        elif action in {"test", "cutover"}:
            task.subtasks.update(dict.fromkeys(tables.LAUNCH, 0))
        elif action == "clone_test":
            task.subtasks["CLONE_VM"] = 0

    def _missing_subtasks(self, task: ModelTask, *, check: bool) -> None:
        names = [] if task.exist_server else ["CREATE_CLOUD_SERVER"]
        names += ["SSL_CONFIG", "ATTACH_AGENT_IMAGE", "FORMAT_DISK_LINUX_BLOCK", "MIGRATE_LINUX_BLOCK"]
        names += ["CHECK_CONSISTENCY"] if task.checked or check else []
        names += [] if task.syncing else tables.LAUNCH
        for name in names:
            task.subtasks.setdefault(name, 0)

    def _after_result(self, task: ModelTask, move: Move, detail: Any) -> None:
        if task.state == "READY" and move.task == "RUNNING":
            self._missing_subtasks(task, check=False)
        if move.task in tables.FAILED:
            code = detail.get("error_code", UNKNOWN_FAILURE) if isinstance(detail, dict) else UNKNOWN_FAILURE
            self._task(move.task, code)
        elif move.task is not None:
            self._task(move.task, task.code if move.task == "ABORT" else "")
        if move.source is not None:
            self._source(move.source, move.cycle)

    def _back_from_skipping(self, task: ModelTask) -> None:
        if self.cycle == "syncing":
            self._task("SYNCING")
            self._source("syncing", None)
        elif self.cycle == "cutovering":
            self._task("SYNCING" if task.syncing else "RUNNING")
            self._source("cutovering", None)
        else:
            self._task("RUNNING")
            self._source("replicate", None)

    def _task_follows(self, task: ModelTask, state: str, cycle: str) -> None:
        if state == "syncing" and cycle == "syncing" and task.syncing and task.state == "RUNNING":
            self._task("SYNCING")
        elif task.state not in tables.AT_WORK:
            return
        elif state == "finished" and cycle == "cutovered":
            self._task("MIGRATE_SUCCESS")
        elif state == "error":
            self._task("SYNC_FAIL" if task.state == "SYNCING" else "MIGRATE_FAIL", AGENT_ERROR)
        elif state == "stopping":
            self._task("ABORTING")
            self._command("STOP")
        elif state == "stopped":
            self._task("ABORT")


def _is_checking(task: ModelTask) -> bool:
    """Tell whether the consistency check is what the agent is at: everything before it is done, itself is not."""
    for name, done in task.subtasks.items():
        if name == "CHECK_CONSISTENCY":
            return done < 100
        if done < 100:
            return False
    return False
