"""Users and agents of a few sources, each of whose calls is told to a model that says what must come of it.

After each call what it touched is read back and compared.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.contract import documents
from tests.contract import model_tables as tables
from tests.contract.model import ModelSource, ModelTask
from tests.contract.quick import QuickClient

USUAL_TASK = {
    "syncing": True,
    "is_need_consistency_check": True,
    "need_migration_test": True,
    "exist_server": True,
    "auto_start": False,
}


@dataclass
class Tally:
    """What the plays of a test acknowledged: calls, refusals, sources, and the actions that were taken in a state."""

    calls: int = 0
    refused: int = 0
    sources: list[ModelSource] = field(default_factory=list)
    acted: set[tuple[str, str]] = field(default_factory=set)

    def missed(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Return the allowed actions that nobody took in that state, and the legal moves that no task made."""
        allowed = {(action, state) for action, states in tables.ACTIONS.items() for state in states}
        allowed = {(action, state) for action, state in allowed if state not in tables.UNREACHABLE}
        moves = {(old, new) for source in self.sources for entity, old, new in source.moves if entity == "task"}
        return allowed - self.acted, tables.LEGAL - moves


class Play:
    """A few sources and who acts on them. `checking`: whether what a call touched is read back at once."""

    def __init__(self, client: QuickClient, tally: Tally) -> None:
        self.checking = True
        self.client = client
        self.tally = tally
        self.sources: list[ModelSource] = []

    # ---- machines

    def register(self, *, fit: bool = True, state: str | None = None) -> ModelSource:
        """Let a new machine register."""
        answer = self.succeed("POST", "/v3/sources", _registration(fit=fit, state=state))
        judged = "waiting" if fit else "unavailable"
        stands = judged if state in {None, "waiting"} else str(state)
        source = ModelSource(answer["id"], fit, stands, "checking" if stands == "unavailable" else "setting")
        source.moves.append(("source", "", stands))
        self.sources.append(source)
        self.tally.sources.append(source)
        self.check(source)
        return source

    def register_again(self, source: ModelSource, *, fit: bool) -> None:
        """Let a machine that's known register again."""
        body = _registration(fit=fit, state=None) | {"id": source.id}
        assert self.succeed("POST", "/v3/sources", body) == {"id": source.id}
        source.registered_again(fit=fit)
        self.check(source)

    def tell_disks(self, source: ModelSource) -> None:
        """Let an agent tell its disks again."""
        assert self.succeed("PUT", f"/v3/sources/{source.id}/diskinfo", {"disks": [documents.DISK]}) == {}
        if source.task is None:
            source.judged()
        self.check(source)

    def delete(self, source: ModelSource) -> None:
        """Delete a source."""
        if self.answered("DELETE", f"/v3/sources/{source.id}", None, source.refuses_deletion()) is not None:
            source.delete()
            self.sources.remove(source)
        self.check(source)

    # ---- users

    def create_task(self, source: ModelSource, kind: Mapping[str, bool]) -> None:
        """Give a source a task."""
        body = documents.task(source.id, f"task-{uuid4()}", **kind)
        body["target_server"] = body["target_server"] | {"vm_id": str(uuid4())}
        answer = self.answered("POST", "/v3/tasks", body, source.refuses_task())
        if answer is not None:
            task = ModelTask(
                answer["id"],
                syncing=kind["syncing"],
                checked=kind["is_need_consistency_check"],
                drill=kind["need_migration_test"],
                exist_server=kind["exist_server"],
                name=body["name"],
            )
            source.got_task(task, auto_start=kind["auto_start"])
        self.check(source)

    def act(
        self, source: ModelSource, action: str, *, template: str | None = "a template", check: bool = False
    ) -> None:
        """Act on a source's task."""
        task = source.its_task
        state = task.state
        known = action in tables.ACTIONS
        refusal = source.act(action, template=bool(template), check=check) if known else "SMS.9001"
        body = {"operation": action, "template_id": template, "is_need_consistency_check": check}
        if self.answered("POST", f"/v3/tasks/{task.id}/action", body, refusal) is not None:
            self.tally.acted.add((action, state))
        self.check(source)

    def delete_task(self, source: ModelSource) -> None:
        """Delete the task of a source."""
        task_id = source.its_task.id
        if self.answered("DELETE", f"/v3/tasks/{task_id}", None, source.refuses_task_deletion()) is not None:
            source.delete_task()
            assert self.client.call("GET", f"/v3/tasks/{task_id}")[0] == 404
        self.check(source)

    def delete_tasks(self, sources: list[ModelSource]) -> None:
        """Delete the tasks of several sources: all or none."""
        refusal = next(filter(None, (source.refuses_task_deletion() for source in sources)), "")
        ids = [source.its_task.id for source in sources]
        if self.answered("POST", "/v3/tasks/delete", {"ids": ids}, refusal) is not None:
            for source in sources:
                source.delete_task()
        for source in sources:
            self.check(source)

    def write(self, source: ModelSource, what: str, number: int, text: str) -> None:
        """Write something that belongs to a task."""
        task = source.its_task
        if what == "log":
            self.succeed("POST", f"/v3/tasks/{task.id}/log", {"log_bucket": f"bucket-{number}"})
            source.collect_log(f"bucket-{number}")
        elif what == "close-log":
            path = f"/wherry/v1/tasks/{task.id}/log"
            if self.answered("DELETE", path, None, source.refuses_to_close_log(), 404) is not None:
                source.close_log()
        elif what == "name":
            task.name = f"renamed-{number}"
            self.succeed("PUT", f"/v3/tasks/{task.id}", {"name": task.name})
        elif what == "speed-limit":
            body = {"speed_limit": [{"start": "0:00", "end": "24:00", "speed": number}]}
            self.succeed("POST", f"/v3/tasks/{task.id}/speed-limit", body)
            task.kept[what] = body
        else:
            body = {"configurations": [{"config_key": "CONSISTENCY_DIR", "config_value": text}]}
            self.succeed("POST", f"/v3/tasks/{task.id}/configuration-setting", body)
            task.kept[what] = {"task_id": task.id, "migrate_type": "LINUX_MIGRATE_BLOCK", **body}
        self.check(source)

    # ---- agents

    def report(self, source: ModelSource, name: str, result: str, detail: Any) -> None:
        """Report the result of a command."""
        body = {"command_name": name, "result": result, "result_detail": detail}
        assert self.succeed("POST", f"/v3/sources/{source.id}/command_result", body) == {}
        source.reported(name, result, detail)
        self.check(source)

    def copy_state(self, source: ModelSource, state: str, cycle: str) -> None:
        """Tell the state of the copy."""
        refusal = source.copy_state(state, cycle)
        body = {"copystate": state, "migrationcycle": cycle}
        self.answered("PUT", f"/v3/sources/{source.id}/changestate", body, refusal)
        self.check(source)

    def progress(self, source: ModelSource, subtask: str, percent: int) -> None:
        """Tell how far a subtask is."""
        self.succeed("PUT", f"/v3/tasks/{source.its_task.id}/progress", documents.progress(subtask, percent))
        source.progressed(subtask, percent)
        self.check(source)

    def go_on(self, source: ModelSource, *, result: str = "success", stop_at: str = "") -> bool:
        """Do the next thing that a well-behaved agent would do, and tell whether there was one."""
        task = source.its_task
        todo = next((name for name, done in task.subtasks.items() if done < 100), "")
        if source.waiting:
            self.report(source, source.waiting[0].name, result, {})
        elif task.state not in tables.AT_WORK or (todo and todo == stop_at):
            return False
        elif todo:
            self.progress(source, todo, 100)
        elif task.state == "RUNNING" and task.syncing:
            self.copy_state(source, "syncing", "syncing")
        else:
            return False
        return True

    # ---- calling and checking

    def succeed(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of a call that must succeed."""
        return self.answered(method, path, body, "")

    def answered(self, method: str, path: str, body: Any, refusal: str, refused_with: int = 400) -> Any:
        """Return the answer of a call that must succeed where *refusal* is empty; None of one that's refused so."""
        self.tally.calls += 1
        status, answer = self.client.call(method, path, body)
        if not refusal:
            assert status == 200, (method, path, body, status, answer)
            return answer
        assert (status, answer.get("error_code")) == (refused_with, refusal), (method, path, body, status, answer)
        self.tally.refused += 1
        return None

    def check(self, source: ModelSource) -> None:
        """Read a source and its task, and compare both with the model."""
        if self.checking:
            check_source(self.client, source)


def check_source(client: QuickClient, source: ModelSource) -> None:
    """Assert that the server shows of a source and its task what the model knows, and tells its agent so."""
    status, shown = client.call("GET", f"/v3/sources/{source.id}")
    if source.gone:
        assert (status, shown["error_code"]) == (404, "SMS.7602")
        return
    assert status == 200, shown
    assert (shown["state"], shown["migration_cycle"]) == (source.state, source.cycle), source
    told = client.call("GET", f"/v3/sources/{source.id}/command")[1]
    param = told["command_param"]
    assert (told["command_name"], param.get("task_id", ""), param.get("bucket", "")) == source.next_command()
    if source.task is None:
        assert shown.get("current_task") is None
        return
    assert shown["current_task"]["id"] == source.task.id
    _check_task(client, source, source.task)


def check_kept(client: QuickClient, source: ModelSource) -> None:
    """Assert that what was written beside a source's task is still there."""
    if source.task is not None:
        for name, kept in source.task.kept.items():
            assert client.call("GET", f"/v3/tasks/{source.task.id}/{name}") == (200, kept)


def _check_task(client: QuickClient, source: ModelSource, task: ModelTask) -> None:
    status, shown = client.call("GET", f"/v3/tasks/{task.id}")
    assert status == 200, shown
    found = (shown["state"], shown["name"], shown["source_server"]["state"], shown["log_collect_status"])
    assert found == (task.state, task.name, source.state, task.log)
    code = json.loads(shown["error_json"])["error_code"] if shown.get("error_json") else ""
    assert code == task.code
    assert [(each["name"], each["progress"]) for each in shown["sub_tasks"]] == list(task.subtasks.items())


def _registration(*, fit: bool, state: str | None) -> documents.Json:
    return documents.registration("random", boot_loader="GRUB" if fit else "LILO", state=state, migration_cycle=None)
