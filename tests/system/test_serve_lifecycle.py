"""Starting and ending `wherry serve`: first start, later starts, refusals, draining."""

import json
import socket
import sqlite3
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huaweicloudsdksms import v3

from tests.system.serve_process import ServeProcess, launch, registration, start


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def running(data: Path) -> Iterator[ServeProcess]:
    process = start(data)
    yield process
    process.kill()


def words_of(process: ServeProcess) -> tuple[int, str]:
    """Wait for a process that refuses to start; return its status and what it wrote."""
    try:
        return process.process.wait(20), process.log.read_text()
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def test_the_first_start_makes_everything_and_later_ones_keep_it(data: Path) -> None:
    first = start(data)
    try:
        admin = first.admin
        assert sorted(admin) == sorted(
            (
                *("endpoint", "ca_file", "domain_id", "domain_name", "project_id"),
                *("user_name", "password", "access_key", "secret_key"),
            )
        )
        assert (admin["domain_name"], admin["user_name"]) == ("default", "admin")
        assert stat.S_IMODE((data / "admin.json").stat().st_mode) == 0o600
        assert first.token()
        with first.http() as http:
            assert http.get("/healthz").status_code == 200
        source_id = first.client().register_server(v3.RegisterServerRequest(body=registration("web"))).id
    finally:
        assert first.stop() == 0
    authority = (data / "ca.pem").read_bytes()
    again = start(data, listen=admin["endpoint"].removeprefix("https://"))
    try:
        assert again.admin == admin
        assert (data / "ca.pem").read_bytes() == authority
        assert again.client().show_server(v3.ShowServerRequest(source_id=source_id)).name == "web"
        assert again.token()
    finally:
        assert again.stop() == 0


def test_secrets_stand_in_admin_json_alone(running: ServeProcess) -> None:
    running.token()
    running.client().list_servers(v3.ListServersRequest())
    admin = running.admin
    assert running.stop() == 0
    for path in [*running.data.iterdir(), running.log]:
        content = path.read_bytes()
        for secret in ("password", "secret_key"):
            assert (admin[secret].encode() in content) == (path.name == "admin.json"), (secret, path.name)
    for name in ("admin.json", "ca.key", "server.key", "master.key", "proof.pem", "ledger.sqlite3"):
        assert stat.S_IMODE((running.data / name).stat().st_mode) == 0o600, name


def test_the_certificate_holds_for_all_names_of_this_machine(running: ServeProcess) -> None:
    port = running.admin["endpoint"].rpartition(":")[2]
    context = ssl.create_default_context(cafile=running.admin["ca_file"])
    for host in ("127.0.0.1", "localhost"):
        assert httpx.get(f"https://{host}:{port}/readyz", verify=context).json() == {"ready": True}


def test_a_second_server_on_the_same_directory_is_refused(running: ServeProcess) -> None:
    second = launch(running.data)
    second.log = running.data.with_suffix(".log")
    status, words = words_of(second)
    assert status != 0
    assert "WHERRY.5402" in words
    assert str(running.process.pid) in words
    assert "fix:" in words
    with running.http() as http:
        assert http.get("/readyz").status_code == 200


def test_a_port_that_is_taken_is_told(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, words = words_of(launch(data, listen=f"127.0.0.1:{port}"))
    assert status != 0
    assert "WHERRY.5403" in words
    assert str(port) in words
    assert "Traceback" not in words


def test_an_address_of_another_machine_is_told(data: Path) -> None:
    status, words = words_of(launch(data, listen="192.0.2.1:0"))
    assert status != 0
    assert "WHERRY.5403" in words


def test_a_data_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, words = words_of(launch(tmp_path / "file" / "data", log=tmp_path / "words"))
    assert status != 0
    assert "Traceback" not in words
    assert "fix:" in words


def test_a_ledger_that_is_none_is_told(data: Path) -> None:
    data.mkdir()
    (data / "ledger.sqlite3").write_bytes(b"not a database at all " * 200)
    status, words = words_of(launch(data))
    assert status != 0
    assert "WHERRY.5303" in words


def test_sigterm_answers_long_polls_at_once_and_ends_with_0(running: ServeProcess) -> None:
    source_id = running.client().register_server(v3.RegisterServerRequest(body=registration("web"))).id
    headers = {"X-Auth-Token": running.token(), "Prefer": "wait=50"}
    answers: list[tuple[int, object, float]] = []

    def poll() -> None:
        with running.http(timeout_s=60) as http:
            began = time.monotonic()
            answer = http.get(f"/v3/sources/{source_id}/command", headers=headers)
            answers.append((answer.status_code, answer.json(), time.monotonic() - began))

    polls = [threading.Thread(target=poll) for _ in range(20)]
    for thread in polls:
        thread.start()
    time.sleep(1.0)
    assert not answers
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 5
    for thread in polls:
        thread.join(10)
    assert len(answers) == 20
    for status, body, seconds in answers:
        assert (status, body) == (200, {"command_name": "TASK_NOT_STARTED", "command_param": {}})
        assert seconds < 10


def test_sigterm_finishes_requests_that_run(running: ServeProcess) -> None:
    source_id = running.client().register_server(v3.RegisterServerRequest(body=registration("web"))).id
    token = running.token()
    # The write waits for a lock that another process holds for a second.
    blocker = sqlite3.connect(running.data / "ledger.sqlite3", isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    answers: list[httpx.Response] = []

    def report() -> None:
        with running.http() as http:
            body = {"command_name": "START", "result": "success", "result_detail": {"late": True}}
            path = f"/v3/sources/{source_id}/command_result"
            answers.append(http.post(path, json=body, headers={"X-Auth-Token": token}))

    thread = threading.Thread(target=report)
    thread.start()
    time.sleep(0.5)
    release = threading.Timer(1.0, lambda: blocker.execute("ROLLBACK"))
    release.start()
    assert running.stop() == 0
    thread.join(10)
    release.join()
    blocker.close()
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {})]
    connection = sqlite3.connect(running.data / "ledger.sqlite3")
    assert connection.execute("SELECT result_detail FROM command_result").fetchall() == [('{"late":true}',)]
    connection.close()


def test_a_client_that_keeps_its_connection_open_does_not_hold_up_the_end(running: ServeProcess) -> None:
    with running.http() as http:
        assert http.get("/readyz").status_code == 200
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 5


def test_without_tls_it_speaks_plain_http(data: Path) -> None:
    process = launch(data, options=("--no-tls",))
    try:
        deadline = time.monotonic() + 20
        while '"serving"' not in process.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        admin = json.loads((data / "admin.json").read_text())
        assert admin["endpoint"].startswith("http://127.0.0.1:")
        assert admin["ca_file"] == ""
        assert httpx.get(f"{admin['endpoint']}/readyz").status_code == 200
    finally:
        assert process.stop() == 0
