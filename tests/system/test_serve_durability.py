"""What `wherry serve` has acknowledged is in the database, whatever kills the process right afterwards."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ConnectionException, SdkException
from huaweicloudsdksms import v3

from tests.system.serve_process import ServeProcess, registration, result, start, task

ROUNDS = 24


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def stored_details(data: Path, source_id: str) -> list[object]:
    """Read the results of a source from the database file, with nothing of Wherry's in between."""
    connection = sqlite3.connect(data / "ledger.sqlite3")
    try:
        query = "SELECT result_detail FROM command_result WHERE source_id = ? ORDER BY sequence"
        return [json.loads(text) for (text,) in connection.execute(query, (source_id,))]
    finally:
        connection.close()


def test_a_command_result_survives_kill_9_right_after_the_200(data: Path) -> None:
    reported: list[object] = []
    source_id = ""
    for number in range(ROUNDS):
        running = start(data)
        try:
            client = running.client()
            source_id = source_id or client.register_server(v3.RegisterServerRequest(body=registration("web"))).id
            detail = {"round": number, "text": "ü " * number}
            request = v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", detail))
            client.update_command_result(request)
        finally:
            running.kill()
        reported.append(detail)
        assert stored_details(data, source_id) == reported


def test_what_many_agents_were_told_is_stored_survives_a_kill_in_the_middle(data: Path) -> None:
    running = start(data)
    client = running.client()
    sources = [
        client.register_server(v3.RegisterServerRequest(body=registration(f"web-{number}"))).id for number in range(8)
    ]
    acknowledged: dict[str, list[object]] = {source: [] for source in sources}
    enough = threading.Event()

    def report(source_id: str) -> None:
        own = running.client()
        for number in range(10_000):
            detail = {"number": number}
            request = v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", detail))
            try:
                own.update_command_result(request)
            except (ConnectionException, SdkException):
                return  # the kill
            acknowledged[source_id].append(detail)
            if number == 25:
                enough.set()

    agents = [threading.Thread(target=report, args=(source_id,)) for source_id in sources]
    for agent in agents:
        agent.start()
    assert enough.wait(60)
    running.kill()
    for agent in agents:
        agent.join(60)
    for source_id in sources:
        stored = stored_details(data, source_id)
        known = len(acknowledged[source_id])
        assert stored[:known] == acknowledged[source_id]
        assert len(stored) - known <= 1, "only what was under way may be there without having been acknowledged"


def test_the_whole_state_survives_a_kill(data: Path) -> None:
    running = start(data)
    try:
        client = running.client()
        source_id = client.register_server(v3.RegisterServerRequest(body=registration("web"))).id
        task_id = client.create_task(v3.CreateTaskRequest(body=task(source_id))).id
        start_body = v3.UpdateTaskStatusReq(operation="start")
        client.update_task_status(v3.UpdateTaskStatusRequest(task_id=task_id, body=start_body))
    finally:
        running.kill()
    before = running.admin
    running = start(data)
    try:
        client = running.client()
        told = client.show_command(v3.ShowCommandRequest(server_id=source_id))
        assert (told.command_name, told.command_param.task_id) == ("START", task_id)
        assert client.show_task(v3.ShowTaskRequest(task_id=task_id)).state == "RUNNING"
        shown = client.show_server(v3.ShowServerRequest(source_id=source_id))
        assert (shown.state, shown.connected) == ("initialize", True)
        kept = {name: value for name, value in running.admin.items() if name != "endpoint"}
        assert kept == {name: value for name, value in before.items() if name != "endpoint"}
    finally:
        running.kill()


@pytest.fixture
def running(data: Path) -> Iterator[ServeProcess]:
    process = start(data)
    yield process
    process.kill()


def test_a_result_that_could_not_be_stored_is_not_acknowledged(running: ServeProcess) -> None:
    client = running.client()
    source_id = client.register_server(v3.RegisterServerRequest(body=registration("web"))).id
    # Another process holds the write lock for longer than the ledger waits for it: the commit can't happen.
    blocker = sqlite3.connect(running.data / "ledger.sqlite3", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    request = v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", {"lost": True}))
    with pytest.raises(SdkException) as refusal:
        client.update_command_result(request)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (refusal.value.status_code, refusal.value.error_code) == (500, "WHERRY.5301")
    assert refusal.value.request_id
    client.update_command_result(
        v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", {"kept": True}))
    )
    assert stored_details(running.data, source_id) == [{"kept": True}]
