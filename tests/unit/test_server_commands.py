"""ShowCommand and UpdateCommandResult from the inside: order, long poll, what is stored."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.ledger import commands


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def stored(harness: Harness, source_id: str) -> list[commands.CommandResult]:
    return list(await harness.services.ledger.read(lambda connection: commands.results_of(connection, source_id)))


@pytest.mark.parametrize(
    "detail",
    [
        '{"a": 1.50,  "b":[ ]}',
        '"just text"',
        "[]",
        "1e3",
        '{"a":1,"a":2}',
        '{"\\u0000": "ü"}',
        "123456789012345678901234567890",
    ],
)
def test_a_detail_is_stored_byte_for_byte(data: Path, detail: str) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        body = f'{{"result_detail": {detail} , "command_name":"START","result":"success"}}'.encode()
        answer = await admin.post(f"/v3/sources/{source}/command_result", content=body)
        assert (answer.status_code, answer.content) == (200, b"{}")
        assert [result.result_detail.decode() for result in await stored(harness, source)] == [detail]

    run(data, check)


@pytest.mark.parametrize(
    "body",
    [
        {"result": "success", "result_detail": {}},
        {"command_name": "START", "result_detail": {}},
        {"command_name": "START", "result": "success"},
        {"command_name": "START", "result": "success", "result_detail": None},
        {"command_name": "x" * 256, "result": "success", "result_detail": {}},
        {"command_name": "START", "result": "x" * 256, "result_detail": {}},
        {"command_name": None, "result": "success", "result_detail": {}},
        {"command_name": 5, "result": ["success"], "result_detail": {}},
        [],
        "text",
    ],
)
def test_a_report_with_a_fault_is_refused_and_not_stored(data: Path, body: Any) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        answer = await admin.post(f"/v3/sources/{source}/command_result", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
        assert await stored(harness, source) == []

    run(data, check)


def test_a_report_answers_the_oldest_command_alone(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        task_id = await created(admin, "/v3/tasks", task(source))
        await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})
        await admin.post(f"/v3/tasks/{task_id}/log", json={"log_bucket": "bucket"})
        path = f"/v3/sources/{source}/command"
        told = (await admin.get(path)).json()
        assert told == {"command_name": "START", "command_param": {"task_id": task_id}}
        # A result of something else is kept, and START keeps waiting.
        for name in ("UPLOAD_LOG", "STOP", "NONSENSE"):
            body: dict[str, Any] = {"command_name": name, "result": "success", "result_detail": {}}
            assert (await admin.post(f"{path}_result", json=body)).json() == {}
            assert (await admin.get(path)).json() == told
        body = {"command_name": "START", "result": "success", "result_detail": {}}
        assert (await admin.post(f"{path}_result", json=body)).json() == {}
        uploading = {"command_name": "UPLOAD_LOG", "command_param": {"task_id": task_id, "bucket": "bucket"}}
        assert (await admin.get(path)).json() == uploading
        answered = [(result.command_name, result.command_id is not None) for result in await stored(harness, source)]
        assert answered == [("UPLOAD_LOG", False), ("STOP", False), ("NONSENSE", False), ("START", True)]

    run(data, check)


def test_a_poll_that_was_answered_before_tells_of_each_change_at_once(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        other = await created(admin, "/v3/sources", registration("other"))

        async def told(of: str = source) -> tuple[str, str]:
            answer = (await admin.get(f"/v3/sources/{of}/command")).json()
            return answer["command_name"], answer["command_param"].get("task_id", "")

        async def report(name: str) -> None:
            body = {"command_name": name, "result": "success", "result_detail": {}}
            assert (await admin.post(f"/v3/sources/{source}/command_result", json=body)).status_code == 200

        assert await told() == await told(other) == ("TASK_NOT_STARTED", "")
        task_id = await created(admin, "/v3/tasks", task(source))
        assert await told() == ("TASK_NOT_STARTED", task_id)
        await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})
        assert await told() == ("START", task_id)
        await report("START")
        assert await told() == ("TASK_NOT_STARTED", task_id)
        await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "stop"})
        assert await told() == ("STOP", task_id)
        await report("STOP")
        assert await told() == ("TASK_HAS_STOPPED", task_id)
        await admin.delete(f"/v3/tasks/{task_id}")
        assert await told() != ("TASK_HAS_STOPPED", task_id)
        assert await told(other) == ("TASK_NOT_STARTED", "")

    run(data, check)


def test_what_is_remembered_of_a_source_is_nothing_to_another_account(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        assert (await admin.get(f"/v3/sources/{source}/command")).status_code == 200
        account = {"name": "strangers", "password": "long enough, and more"}
        answer = await admin.post("/wherry/v1/accounts", json=account)
        assert answer.status_code in {200, 201}, answer.text
        stranger = await harness.user("admin", "strangers")
        assert (await admin.get(f"/v3/sources/{source}/command")).status_code == 200
        refused = await stranger.get(f"/v3/sources/{source}/command")
        assert (refused.status_code, refused.json()["error_code"]) == (404, "SMS.7602")

    run(data, check)


def test_a_long_poll_wakes_at_once_when_a_command_is_issued(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        task_id = await created(admin, "/v3/tasks", task(source))
        polls = [
            asyncio.create_task(admin.get(f"/v3/sources/{source}/command", headers={"Prefer": "wait=50"}))
            for _ in range(50)
        ]
        await asyncio.sleep(0.1)
        assert not any(poll.done() for poll in polls)
        began = time.monotonic()
        await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})
        answers = await asyncio.gather(*polls)
        assert time.monotonic() - began < 2
        assert {answer.json()["command_name"] for answer in answers} == {"START"}
        assert harness.services.waiters.count() == 0

    run(data, check)


def test_progress_does_not_wake_a_long_poll(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        task_id = await created(admin, "/v3/tasks", task(source))
        await admin.post(f"/v3/tasks/{task_id}/action", json={"operation": "start"})
        body = {"command_name": "START", "result": "success", "result_detail": {}}
        await admin.post(f"/v3/sources/{source}/command_result", json=body)
        poll = asyncio.create_task(admin.get(f"/v3/sources/{source}/command", headers={"Prefer": "wait=1"}))
        await asyncio.sleep(0.1)
        progress = {
            "subtask_name": "MIGRATE_LINUX_BLOCK",
            "progress": 10,
            "replicatesize": 1,
            "totalsize": 10,
            "process_trace": "",
        }
        assert (await admin.put(f"/v3/tasks/{task_id}/progress", json=progress)).json() == {}
        await asyncio.sleep(0.3)
        assert not poll.done()
        assert (await poll).json()["command_name"]

    run(data, check)


def test_a_poll_of_a_source_that_is_deleted_meanwhile_ends_with_404(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        poll = asyncio.create_task(admin.get(f"/v3/sources/{source}/command", headers={"Prefer": "wait=50"}))
        await asyncio.sleep(0.1)
        assert (await admin.delete(f"/v3/sources/{source}")).status_code == 200
        answer = await asyncio.wait_for(poll, 5)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "SMS.7602")

    run(data, check)


def test_a_poll_costs_no_durable_write(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        before = (data / "ledger.sqlite3-wal").stat().st_size
        for _ in range(50):
            assert (await admin.get(f"/v3/sources/{source}/command")).status_code == 200
        assert (data / "ledger.sqlite3-wal").stat().st_size == before

    run(data, check)


def test_ten_thousand_agents_can_wait(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration())
        waiters = harness.services.waiters

        async def wait() -> bool:
            with waiters.expect(f"source:{source}") as expectation:
                return await expectation.wait(60)

        waiting = [asyncio.create_task(wait()) for _ in range(10_000)]
        await asyncio.sleep(0.1)
        assert waiters.count() == 10_000
        began = time.monotonic()
        waiters.publish({f"source:{source}"})
        assert all(await asyncio.gather(*waiting))
        assert time.monotonic() - began < 5

    run(data, check)
