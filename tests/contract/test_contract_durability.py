"""What was answered with 200 is there after a kill -9; and how the server starts and ends."""

import json
import os
import signal
import stat
import threading
import time
from pathlib import Path

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdksms import v3

from tests.contract import documents
from tests.contract.database import rows
from tests.contract.running import Raw, Server, running_server, start, stop
from tests.contract.vendor import vendor_client

ODD_DETAILS = [b'"plain text"', b"1.0", b"1e3", b'{"b":1,   "a":[2.50]}', b'{"a":1,"a":2}', b'"\\u00fc"']


def kill(server: Server) -> None:
    """End all processes of the server as a power cut would: workers that drain would go on answering on its port."""
    main = server.process.pid
    workers = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    for process in (main, *workers):
        os.kill(process, signal.SIGKILL)
    server.process.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.01)


def test_a_result_is_in_the_database_after_a_kill_right_behind_the_200(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = start(data)
    try:
        raw = Raw(server)
        source_id = raw.post("/v3/sources", documents.registration("durable"))["id"]
        task_id = raw.post("/v3/tasks", documents.task(source_id))["id"]
        raw.post(f"/v3/tasks/{task_id}/action", {"operation": "start"})
        for detail_text in ODD_DETAILS:
            content = b'{"command_name": "SYNC", "result": "success", "result_detail": ' + detail_text + b"}"
            assert raw.signed("POST", f"/v3/sources/{source_id}/command_result", content=content).status_code == 200
        raw.close()
        client = vendor_client(server, BasicCredentials(server.admin.access_key, server.admin.secret_key))
        detail = {"msg": "started", "mark": "right before the kill", "deep": {"list": [1, 2.5, None, "ü"]}}
        body = v3.CommandBody(command_name="START", result="success", result_detail=detail)
        client.update_command_result(v3.UpdateCommandResultRequest(server_id=source_id, body=body))
    finally:
        kill(server)
    stored = stored_details(data)
    assert detail in [json.loads(text) for text in stored]
    assert set(ODD_DETAILS) <= {text.encode() for text in stored}
    with running_server(data, listen=server.endpoint.removeprefix("https://")) as again:
        assert again.admin == server.admin
        raw = Raw(again)
        assert raw.get(f"/v3/sources/{source_id}/command")["command_name"] != "START"
        assert raw.get(f"/v3/tasks/{task_id}")["state"] == "RUNNING"
        raw.close()


def stored_details(data: Path) -> list[str]:
    """Return the text of every `result_detail` in the database, read without Wherry."""
    return [text for (text,) in rows(data, "SELECT result_detail FROM command_result")]


def test_the_first_start_leaves_an_admin_file_for_its_owner(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        path = server.data / "admin.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        document = json.loads(path.read_text())
        assert set(document) == {
            *("endpoint", "ca_file", "domain_id", "domain_name", "project_id"),
            *("user_name", "password", "access_key", "secret_key"),
        }
        assert (document["domain_name"], document["user_name"]) == ("default", "admin")
        for secret in (document["password"], document["secret_key"]):
            assert secret not in server.log.read_text()


def test_plain_http_works_where_it_is_asked_for(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", tls=False) as server:
        assert server.endpoint.startswith("http://")
        client = vendor_client(server, BasicCredentials(server.admin.access_key, server.admin.secret_key))
        assert client.list_servers(v3.ListServersRequest()).count == 0


def test_sigterm_during_a_long_poll_ends_it_cleanly(tmp_path: Path) -> None:
    server = start(tmp_path / "data")
    raw = Raw(server)
    statuses: list[int] = []
    try:
        source_id = raw.post("/v3/sources", documents.registration("draining"))["id"]

        def poll() -> None:
            answer = raw.signed("GET", f"/v3/sources/{source_id}/command", headers={"Prefer": "wait=50"})
            statuses.append(answer.status_code)

        waiter = threading.Thread(target=poll)
        waiter.start()
        waiter.join(0.7)
        assert waiter.is_alive(), "the poll did not wait"
    finally:
        stop(server)
    waiter.join(10)
    raw.close()
    assert statuses in ([200], [503])
