"""What tests do to a task over and over: act on it, report as its agent, read its states."""

from tests.contract.running import Raw


def act(raw: Raw, task_id: str, operation: str) -> None:
    assert raw.post(f"/v3/tasks/{task_id}/action", {"operation": operation}) == {}


def states(raw: Raw, task_id: str) -> tuple[str, str]:
    """Return the states of a task and of its source."""
    shown = raw.get(f"/v3/tasks/{task_id}")
    return shown["state"], shown["source_server"]["state"]


def report(raw: Raw, source_id: str, name: str, result: str = "success") -> None:
    body = {"command_name": name, "result": result, "result_detail": {"msg": "done"}}
    assert raw.post(f"/v3/sources/{source_id}/command_result", body) == {}


def copy_state(raw: Raw, source_id: str, state: str, cycle: str) -> None:
    body = {"copystate": state, "migrationcycle": cycle}
    assert raw.put(f"/v3/sources/{source_id}/changestate", body) == {}
