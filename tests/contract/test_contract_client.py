"""Wherry's client against a server that misbehaves: drops connections, is busy, answers nonsense."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wherry.client.control_plane import ControlPlane
from wherry.client.errors import AnswerUnreadable, ControlPlaneError, ControlPlaneUnreachable
from wherry.client.retrying import RetryPolicy
from wherry.contract.tasks import TaskCreation

DROP = "drop"
Script = list[str | tuple[int, bytes]]


class Misbehaving(ThreadingHTTPServer):
    """Answers from a script, one entry a request; the last one for ever. Notes what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: Script = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: dropped connections are what the tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Misbehaving

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        script = self.server.script
        step = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(step, str):
            self.close_connection = True
            self.connection.close()
            return
        status, content = step
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 (the library's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Keep the output of the tests clean."""


@pytest.fixture
def peer() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Connect = Callable[..., ControlPlane]


@pytest.fixture
def connect(peer: Misbehaving) -> Iterator[Connect]:
    made: list[ControlPlane] = []

    def connecting(budget_s: float = 5.0, stop: threading.Event | None = None) -> ControlPlane:
        policy = RetryPolicy(budget_s=budget_s, first_wait_s=0.01, stop=stop or threading.Event())
        made.append(ControlPlane(peer.endpoint + "/", "AK", "SK", policy=policy))
        return made[-1]

    yield connecting
    for client in made:
        client.close()


TASK = TaskCreation(name="t", type="MIGRATE_BLOCK", region_name="r", region_id="r", project_name="p", project_id="p")
LIST = b'{"count": 0, "source_servers": []}'


def test_an_idempotent_call_survives_lost_answers_and_a_busy_server(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [DROP, (503, b"{}"), (429, b"{}"), DROP, (200, LIST)]
    assert connect().list_servers().count == 0
    assert len(peer.seen) == 5


def test_a_report_is_repeated_until_it_is_answered(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [DROP, DROP, (200, b"{}")]
    connect().update_command_result("s1", "START", "success", {"msg": "ok"})
    assert [body for _, _, _, body in peer.seen] == [
        b'{"command_name":"START","result":"success","result_detail":{"msg":"ok"}}'
    ] * 3
    assert {path for _, path, _, _ in peer.seen} == {"/v3/sources/s1/command_result"}


def test_a_creation_that_may_have_arrived_is_not_repeated(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [DROP, (200, b'{"id": "t1"}')]
    with pytest.raises(ControlPlaneUnreachable):
        connect().create_task(TASK)
    assert len(peer.seen) == 1


def test_a_creation_that_was_throttled_is_repeated(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(429, b"{}"), (200, b'{"id": "t1"}')]
    assert connect().create_task(TASK) == "t1"


def test_the_budget_ends_the_trying(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [DROP]
    started = time.monotonic()
    with pytest.raises(ControlPlaneUnreachable):
        connect(budget_s=0.3).list_servers()
    assert time.monotonic() - started < 3
    assert len(peer.seen) > 2


def test_a_stop_ends_the_trying_at_once(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [DROP]
    stop = threading.Event()
    stop.set()
    with pytest.raises(ControlPlaneUnreachable):
        connect(budget_s=60, stop=stop).list_servers()
    assert len(peer.seen) == 1


def test_a_refusal_is_final_and_explained(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(404, b'{"error_code": "SMS.7602", "error_msg": "gone", "cause": "c", "fix": "f"}')]
    with pytest.raises(ControlPlaneError) as caught:
        connect().show_server("a/b?c")
    assert caught.value.explain() == "SMS.7602: gone\n  cause: c\n  fix:   f"
    assert peer.seen[0][1] == "/v3/sources/a%2Fb%3Fc"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"count": "x"}', b"\xff"])
def test_nonsense_is_named(peer: Misbehaving, connect: Connect, content: bytes) -> None:
    peer.script = [(200, content)]
    with pytest.raises(AnswerUnreadable, match="ListServers"):
        connect().list_servers()


def test_a_redirect_is_not_followed(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(302, b"")]
    with pytest.raises(ControlPlaneError) as caught:
        connect().list_servers()
    assert caught.value.status == 302
    assert len(peer.seen) == 1


def test_what_is_sent(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(200, b'{"command_name": "START", "command_param": {"task_id": "t1"}}')]
    connect().show_command("s1", wait_s=30)
    method, path, headers, _ = peer.seen[0]
    assert (method, path, headers["prefer"]) == ("GET", "/v3/sources/s1/command", "wait=30")
    assert headers["authorization"].startswith("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=")
    assert "prefer" not in headers["authorization"]


def test_parameters_are_text_and_absent_ones_stay_out(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(200, LIST)]
    connect().list_servers(connected=True, name="a b/ü", ip=None, limit=5)
    assert peer.seen[0][1] == "/v3/sources?connected=true&name=a%20b%2F%C3%BC&limit=5"


def test_a_plain_server_cannot_set_the_clock(peer: Misbehaving, connect: Connect) -> None:
    peer.script = [(401, b'{"error_code": "APIGW.0301", "error_msg": "clock"}')]
    with pytest.raises(ControlPlaneError):
        connect().list_servers()
    assert len(peer.seen) == 1


def test_the_secret_is_not_shown(connect: Connect) -> None:
    assert "SK" not in repr(connect()._transport._credentials)
