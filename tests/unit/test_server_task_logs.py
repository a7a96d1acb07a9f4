"""An agent's log in the control plane: taken when it was asked for, kept for its time, and gone after it."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.contract.task_log import LOG_VALID_S, MAX_LOG_BYTES
from wherry.ledger import task_logs as stored_logs
from wherry.ledger import tasks
from wherry.server import task_views
from wherry.server.task_logs import sweep_once

CONTENT = gzip.compress(b'{"event": "a line"}\n')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def handed_in(content: bytes = CONTENT) -> dict[str, Any]:
    return {"taken_at": 1, "content": base64.b64encode(content).decode()}


async def asked_for(harness: Harness) -> tuple[Any, str, str]:
    """Return a client, a task whose agent was asked for its log, and where that goes."""
    admin = await harness.admin()
    source = await created(admin, "/v3/sources", registration())
    task_id = await created(admin, "/v3/tasks", task(source))
    assert (await admin.post(f"/v3/tasks/{task_id}/log", json={"log_bucket": "b"})).json() == {}
    return admin, task_id, f"/wherry/v1/tasks/{task_id}/log"


def test_a_log_is_given_back_as_it_came(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin, task_id, path = await asked_for(harness)
        for content in (b"\x1f\x8b not what counts", CONTENT):  # the last word counts
            assert (await admin.put(path, json=handed_in(content))).json() == {}
        answer = await admin.get(path)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "application/gzip"
        assert f"wherry-agent-{task_id}.log.gz" in answer.headers["content-disposition"]
        # Asked for anew, the old one is gone at once.
        await admin.post(f"/v3/tasks/{task_id}/log", json={"log_bucket": "b"})
        assert (await admin.get(path)).json()["error_code"] == "WHERRY.5521"

    run(data, check)


def test_what_nobody_waits_for_and_what_is_no_log_is_refused(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin, _, path = await asked_for(harness)
        for body in (handed_in(b"plain"), handed_in(b""), {"taken_at": 1, "content": "%"}, {"content": "aGVsbG8="}):
            assert (await admin.put(path, json=body)).json()["error_code"] == "SMS.9001"
        large = await admin.put(path, json=handed_in(CONTENT + bytes(MAX_LOG_BYTES)))
        assert large.json()["error_code"] == "SMS.9001"
        other = await created(admin, "/v3/sources", registration("other"))
        idle = await created(admin, "/v3/tasks", task(other))
        unasked = await admin.put(f"/wherry/v1/tasks/{idle}/log", json=handed_in())
        assert (unasked.status_code, unasked.json()["error_code"]) == (409, "WHERRY.5522")
        assert (await admin.delete(f"/wherry/v1/tasks/{idle}/log")).json()["error_code"] == "WHERRY.5521"
        assert (await admin.get("/wherry/v1/tasks/none/log")).json()["error_code"] == "SMS.7703"

    run(data, check)


def test_a_log_goes_with_its_time_and_with_its_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin, task_id, path = await asked_for(harness)
        await admin.put(path, json=handed_in())
        ledger, now = harness.services.ledger, harness.services.clock()
        account = json.loads((data / "admin.json").read_text())["domain_id"]
        over = now + LOG_VALID_S * 1000 + 1
        row = await ledger.read(lambda connection: tasks.find(connection, account, task_id))
        assert row is not None
        fields = {moment: task_views.log_fields(row, "https://here", moment) for moment in (now, over)}
        assert fields[now] == {"log_bucket": "b", "log_expire": LOG_VALID_S, "log_share_url": f"https://here{path}"}
        assert fields[over] == {"log_bucket": "b"}
        assert await ledger.read(lambda connection: stored_logs.find(connection, task_id, at=over)) is None
        await sweep_once(ledger, now)
        assert (await admin.get(path)).status_code == 200
        await sweep_once(ledger, over)
        assert (await admin.get(path)).status_code == 404

        await admin.put(path, json=handed_in())
        await admin.delete(f"/v3/tasks/{task_id}")
        assert not await ledger.read(lambda connection: stored_logs.any_expired(connection, at=over))

    run(data, check)
