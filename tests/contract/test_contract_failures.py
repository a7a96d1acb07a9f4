"""A user learns from the API alone why an agent could not go on."""

import json
from typing import Any

from tests.contract.acting import act, copy_state, report
from tests.contract.documents import progress
from tests.contract.running import Raw
from wherry.agent.errors import FreezeForecast


def error_of(shown: dict[str, Any]) -> tuple[str, list[str]]:
    """Return code and parameters of an error_json, both of its layers decoded."""
    error = json.loads(shown["error_json"])
    return error["error_code"], json.loads(error["error_param"])


def fail(raw: Raw, task_id: str, source_id: str, words: str) -> None:
    """Report as the agent does: the reason as the last progress report, then the state."""
    trace = progress("MIGRATE_LINUX_BLOCK", 99, process_trace=words)
    assert raw.put(f"/v3/tasks/{task_id}/progress", trace) == {}
    copy_state(raw, source_id, "error", "replicating")


def test_a_failed_task_shows_the_agents_own_code_with_cause_and_fix(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    report(raw, source_id, "START")
    failure = FreezeForecast(seconds=9.1, limit_s=5.0)
    fail(raw, task_id, source_id, failure.explain())
    shown = raw.get(f"/v3/tasks/{task_id}")
    assert shown["state"] == "MIGRATE_FAIL"
    expected = ("WHERRY.4009", [failure.message, failure.cause, failure.fix])
    assert error_of(shown) == expected
    newest = raw.get("/v3/errors")["count"] - 1
    (listed,) = raw.signed("GET", "/v3/errors", query=f"offset={newest}").json()["migration_errors"]
    assert listed["source_id"] == source_id
    assert error_of(listed) == expected

    # Started again the task shows none, and a failure without words is shown as before.
    act(raw, task_id, "start")
    report(raw, source_id, "START")
    assert not raw.get(f"/v3/tasks/{task_id}").get("error_json")
    fail(raw, task_id, source_id, "copying /dev/vda")
    assert error_of(raw.get(f"/v3/tasks/{task_id}")) == ("SMS.0007", [])
