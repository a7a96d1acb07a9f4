"""`wherry serve` over PostgreSQL: several processes and workers on one ledger, and a server that is away."""

import json
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ConnectionException, SdkException, ServiceResponseException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdksms import v3

from tests.system.postgresql_cluster import PASSWORD, Cluster
from tests.system.serve_process import (
    ServeProcess,
    launch,
    registration,
    result,
    start,
    task,
    wait_until_ready,
)
from wherry.client.control_plane import ControlPlane, join
from wherry.client.retrying import RetryPolicy

NO_RETRY = RetryPolicy(budget_s=0)
NewDatabase = Callable[[], str]


@dataclass
class Nodes:
    """Control planes that share a database, each with its copy of the data directory, as several machines would."""

    one: ServeProcess
    other: ServeProcess
    url: str
    cluster: Cluster

    def sql(self, statement: str) -> list[list[str]]:
        """Ask the database itself, with nothing of Wherry's in between."""
        return self.cluster.sql(database_of(self.url), statement)


def database_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@contextmanager
def stopped(*processes: ServeProcess) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            if process.process.poll() is None:
                process.process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.process.wait(20)
            finally:
                process.kill()


@pytest.fixture
def nodes(tmp_path: Path, new_database: NewDatabase, cluster: Cluster) -> Iterator[Nodes]:
    """Two control planes."""
    url = new_database()
    one = start(tmp_path / "one", options=["--database", url])
    with stopped(one):
        shutil.copytree(tmp_path / "one", tmp_path / "other")
        other = start(tmp_path / "other", options=["--database", url])
        with stopped(other):
            yield Nodes(one, other, url, cluster)
    for node in (one, other):
        assert "Traceback" not in node.log.read_text()


def register(client: v3.SmsClient, name: str = "web") -> str:
    source_id: str = client.register_server(v3.RegisterServerRequest(body=registration(name))).id
    return source_id


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all of *calls* at the same moment; return results and refusals."""
    ready = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        ready.wait(30)
        try:
            return call()
        except SdkException as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_nodes_that_start_together_on_an_empty_database_agree(
    tmp_path: Path, new_database: NewDatabase, cluster: Cluster
) -> None:
    first = start(tmp_path / "first", options=["--database", new_database()])
    assert first.stop() == 0
    url, copies = new_database(), [tmp_path / f"copy-{number}" for number in range(3)]
    for copy in copies:
        shutil.copytree(tmp_path / "first", copy)
    starting = [launch(copy, options=["--database", url]) for copy in copies]
    with stopped(*starting):
        for process in starting:
            wait_until_ready(process)
            assert process.token()
    assert cluster.sql(database_of(url), "SELECT count(*), min(name) FROM account") == [["1", "default"]]
    assert cluster.sql(database_of(url), "SELECT count(*) FROM migproject") == [["1"]]


def test_one_of_two_tasks_for_a_source_wins_whoever_is_asked(nodes: Nodes) -> None:
    clients = [nodes.one.client(), nodes.other.client()]
    for turn in range(6):
        source_id = register(clients[0], f"web-{turn}")
        request = v3.CreateTaskRequest(body=task(source_id))
        answers = at_once([partial(client.create_task, request) for client in clients * 2])
        refusals = [answer for answer in answers if isinstance(answer, SdkException)]
        assert len(refusals) == len(answers) - 1
        assert {refusal.error_code for refusal in refusals} == {"SMS.7605"}
    assert nodes.sql("SELECT count(*), count(DISTINCT source_id) FROM task") == [["6", "6"]]


def test_two_results_for_one_command_are_both_kept_and_one_answers(nodes: Nodes) -> None:
    clients = [nodes.one.client(), nodes.other.client()]
    for turn in range(6):
        source_id = register(clients[0], f"web-{turn}")
        task_id = clients[1].create_task(v3.CreateTaskRequest(body=task(source_id))).id
        body = v3.UpdateTaskStatusReq(operation="start")
        clients[0].update_task_status(v3.UpdateTaskStatusRequest(task_id=task_id, body=body))
        request = v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", {"turn": turn}))
        answers = at_once([partial(client.update_command_result, request) for client in clients * 2])
        assert not any(isinstance(answer, SdkException) for answer in answers)
        answered = f"SELECT count(*), count(command_id) FROM command_result WHERE source_id = '{source_id}'"
        assert nodes.sql(answered) == [["4", "1"]]
        waiting = f"SELECT count(*) FROM command WHERE source_id = '{source_id}' AND answered_at IS NULL"
        assert nodes.sql(waiting) == [["0"]]


def test_a_join_token_works_once_whoever_is_asked(nodes: Nodes) -> None:
    admin = nodes.one.admin
    with ControlPlane(admin["endpoint"], admin["access_key"], admin["secret_key"], Path(admin["ca_file"])) as client:
        token = client.create_join_token("agent").token

    def use(node: ServeProcess) -> int:
        with node.http() as http:
            return http.post("/wherry/v1/join", json={"token": token, "name": "host"}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(use, [nodes.one, nodes.other] * 4))
    assert Counter(statuses) == {200: 1, 401: 7}


def test_a_long_poll_at_one_node_wakes_when_the_other_issues_a_command(nodes: Nodes) -> None:
    client = nodes.one.client()
    source_id = register(client)
    task_id = client.create_task(v3.CreateTaskRequest(body=task(source_id))).id
    token = nodes.one.token()
    answers: list[tuple[float, str]] = []

    def poll() -> None:
        with nodes.one.http(timeout_s=60) as http:
            headers = {"X-Auth-Token": token, "Prefer": "wait=30"}
            answer = http.get(f"/v3/sources/{source_id}/command", headers=headers)
            answers.append((time.monotonic(), answer.json()["command_name"]))

    waiting = threading.Thread(target=poll)
    waiting.start()
    time.sleep(1)
    assert not answers
    started = time.monotonic()
    body = v3.UpdateTaskStatusReq(operation="start")
    nodes.other.client().update_task_status(v3.UpdateTaskStatusRequest(task_id=task_id, body=body))
    waiting.join(40)
    [(at, name)] = answers
    assert name == "START"
    assert at - started < 3


def test_a_key_that_is_bound_at_one_node_is_bound_at_the_other_at_once(nodes: Nodes) -> None:
    admin = nodes.one.admin
    with ControlPlane(admin["endpoint"], admin["access_key"], admin["secret_key"], Path(admin["ca_file"])) as client:
        token = client.create_join_token("agent").token
    joined = join(admin["endpoint"], Path(admin["ca_file"]), token, "host", policy=NO_RETRY)

    def client_of(node: ServeProcess) -> v3.SmsClient:
        config = HttpConfig.get_default_config()
        config.ssl_ca_cert = node.admin["ca_file"]
        credentials = BasicCredentials(joined.access_key, joined.secret_key, joined.project_id)
        builder = v3.SmsClient.new_builder().with_http_config(config).with_credentials(credentials)
        return builder.with_endpoint(node.admin["endpoint"]).build()

    one, other = client_of(nodes.one), client_of(nodes.other)
    other.show_privacy_agreements(v3.ShowPrivacyAgreementsRequest())  # the unbound key is known there now
    source_id = register(one)
    told: list[str] = []

    def is_let_in() -> bool:
        try:
            told.append(other.show_command(v3.ShowCommandRequest(server_id=source_id)).command_name)
        except ServiceResponseException as error:
            return bool(error.status_code != 403)
        return True

    wait_for(is_let_in, within_s=1)  # a fifth of what a look-up is remembered for
    assert told == ["TASK_NOT_STARTED"]


def test_the_ledger_survives_a_restart_of_everything(
    tmp_path: Path, new_database: NewDatabase, cluster: Cluster
) -> None:
    data, options = tmp_path / "data", ["--database", new_database()]
    running = start(data, options=options)
    with stopped(running):
        source_id = register(running.client())
        task_id = running.client().create_task(v3.CreateTaskRequest(body=task(source_id))).id
    cluster.stop()
    cluster.start()
    running = start(data, options=options)
    with stopped(running):
        shown = running.client().show_task(v3.ShowTaskRequest(task_id=task_id))
        assert (shown.state, shown.source_server.id) == ("READY", source_id)
    assert not (data / "ledger.sqlite3").exists()


def stored_details(cluster: Cluster, url: str, source_id: str) -> list[object]:
    query = f"SELECT result_detail FROM command_result WHERE source_id = '{source_id}' ORDER BY sequence"
    return [json.loads(text) for (text,) in cluster.sql(database_of(url), query)]


def test_a_command_result_survives_kill_9_right_after_the_200(
    tmp_path: Path, new_database: NewDatabase, cluster: Cluster
) -> None:
    url, reported, source_id = new_database(), [], ""
    for number in range(8):
        running = start(tmp_path / "data", options=["--database", url])
        try:
            client = running.client()
            source_id = source_id or register(client)
            detail = {"round": number, "text": "ü " * number}
            client.update_command_result(
                v3.UpdateCommandResultRequest(server_id=source_id, body=result("START", detail))
            )
        finally:
            running.kill()
        reported.append(detail)
        assert stored_details(cluster, url, source_id) == reported


def workers_of(process: ServeProcess) -> list[int]:
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def wait_for(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_many_agents_were_told_is_stored_survives_kill_9_of_all_workers(
    tmp_path: Path, new_database: NewDatabase, cluster: Cluster
) -> None:
    url = new_database()
    running = start(tmp_path / "data", options=["--database", url, "--workers", "2"])
    with stopped(running):
        client = running.client()
        sources = [register(client, f"web-{number}") for number in range(8)]
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
        workers = workers_of(running)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        for agent in agents:
            agent.join(60)
        for source_id in sources:
            stored, known = stored_details(cluster, url, source_id), len(acknowledged[source_id])
            assert stored[:known] == acknowledged[source_id]
        # They are replaced, and go on where the others were.
        wait_for(lambda: len(workers_of(running)) == 2 and not set(workers) & set(workers_of(running)))
        wait_for(lambda: is_answering(running))
        request = v3.UpdateCommandResultRequest(server_id=sources[0], body=result("START", {"after": True}))
        running.client().update_command_result(request)
        assert stored_details(cluster, url, sources[0])[-1] == {"after": True}


def is_answering(process: ServeProcess) -> bool:
    try:
        with process.http(timeout_s=2) as http:
            return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_workers_share_the_work_and_one_sigterm_drains_them_all(tmp_path: Path, new_database: NewDatabase) -> None:
    running = start(tmp_path / "data", options=["--database", new_database(), "--workers", "3"])
    with stopped(running):
        wait_for(lambda: len(re.findall(r'"event": "serving"', running.log.read_text())) >= 3)
        client = running.client()
        source_id = register(client)
        token, statuses = running.token(), []

        def poll() -> None:
            with running.http(timeout_s=60) as http:
                headers = {"X-Auth-Token": token, "Prefer": "wait=40"}
                statuses.append(http.get(f"/v3/sources/{source_id}/command", headers=headers).status_code)

        waiting = [threading.Thread(target=poll) for _ in range(24)]
        for thread in waiting:
            thread.start()
        time.sleep(2)
        workers = workers_of(running)
        assert len(workers) == 3
        # A worker's share of the polls is the sockets that it holds beyond what an idle one does.
        busy = [len(list(Path(f"/proc/{worker}/fd").iterdir())) for worker in workers]
        started = time.monotonic()
        assert running.stop(within_s=20) == 0
        for thread in waiting:
            thread.join(20)
        assert time.monotonic() - started < 15
        assert statuses == [200] * 24
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
        assert max(busy) - min(busy) < 24, f"one worker had all connections: {busy}"
        prefixes = set(re.findall(r'"request_id": ?"([0-9a-f]{16})[0-9a-f]{16}"', running.log.read_text()))
        assert len(prefixes) >= 2, "request ids must tell the workers apart"


def test_workers_end_when_their_parent_is_killed_and_the_directory_is_free_again(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    options = ["--database", new_database(), "--workers", "2"]
    running = start(tmp_path / "data", options=options)
    workers = workers_of(running)
    running.kill()
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    again = start(tmp_path / "data", options=options)
    assert again.stop() == 0


def test_a_database_that_is_away_is_a_503_in_words_and_found_again(nodes: Nodes) -> None:
    token, client = nodes.one.token(), nodes.one.client()
    source_id = register(client)
    path, headers = f"/v3/sources/{source_id}/command", {"X-Auth-Token": token}
    body = {"command_name": "START", "result": "success", "result_detail": {}}
    with nodes.one.http() as http:
        assert http.get("/readyz").status_code == 200
        nodes.cluster.stop()
        try:
            for answer in (
                http.get(path, headers=headers),
                http.post(f"{path}_result", headers=headers, json=body),
                http.get("/readyz"),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.json()["error_code"] == "WHERRY.5305"
                assert answer.json()["cause"]
                assert answer.json()["fix"]
                assert int(answer.headers["retry-after"]) > 0
                assert answer.headers["x-request-id"]
            assert http.get("/healthz").status_code == 200
            assert nodes.one.process.poll() is None
        finally:
            nodes.cluster.start()
        wait_for(lambda: http.get("/readyz").status_code == 200)
        assert http.post(f"{path}_result", headers=headers, json=body).status_code == 200
        assert http.get(path, headers=headers).status_code == 200


def refused(process: ServeProcess) -> str:
    """Wait for a process that refuses to start, and return what it wrote."""
    try:
        assert process.process.wait(30) == 1
    finally:
        process.kill()
    return process.log.read_text()


def test_workers_on_sqlite_are_refused_in_words(tmp_path: Path) -> None:
    written = refused(launch(tmp_path / "data", options=["--workers", "2"]))
    assert "WHERRY.5406" in written
    assert "--database" in written
    assert not (tmp_path / "data").exists()


def test_a_password_is_taken_from_a_file_or_the_environment_and_refused_in_the_arguments(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create("secret")
    url = cluster.loopback_url("secret")
    written = refused(launch(tmp_path / "data", options=["--database", url]))
    assert "WHERRY.5407" in written
    assert PASSWORD not in written
    file = tmp_path / "database"
    file.write_text(f"{url}\n")
    running = start(tmp_path / "data", options=["--database-file", str(file)])
    with stopped(running):
        source_id = register(running.client())
        assert PASSWORD not in Path(f"/proc/{running.process.pid}/cmdline").read_text()
    monkeypatch.setenv("WHERRY_DATABASE", url)
    running = start(tmp_path / "data")
    with stopped(running):
        assert running.client().show_server(v3.ShowServerRequest(source_id=source_id)).name == "web"
    assert PASSWORD not in running.log.read_text()
    file.write_text("one\ntwo\n")
    assert "WHERRY.5409" in refused(launch(tmp_path / "data", options=["--database-file", str(file)]))
    both = ["--database-file", str(file), "--database", "postgresql://host/name"]
    assert "WHERRY.5408" in refused(launch(tmp_path / "data", options=both))


def test_a_database_of_another_installation_is_refused(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database()
    assert start(tmp_path / "one", options=["--database", url]).stop() == 0
    written = refused(launch(tmp_path / "stranger", options=["--database", url]))
    assert "WHERRY.5104" in written
    assert "master key" in written


def test_what_the_database_cannot_store_is_refused_as_the_clients_fault(nodes: Nodes) -> None:
    token = nodes.one.token()
    with nodes.one.http() as http:
        document = {
            "name": "nul\0",
            "ip": "192.0.2.1",
            "os_type": "LINUX",
            "os_version": "DEBIAN_12_64BIT",
            "agent_version": "1.0",
            "cpu_quantity": 1,
            "memory": 1024,
        }
        answer = http.post("/v3/sources", headers={"X-Auth-Token": token}, json=document)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error_code"] == "SMS.9001"
        listed = http.get("/v3/sources?name=%00", headers={"X-Auth-Token": token})
        assert listed.status_code in {200, 400}, listed.text
