"""What strangers may send to a running `wherry serve`: sizes, times, and what isn't HTTP at all."""

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdksms import v3

from tests.system.serve_process import ServeProcess, registration, start

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    process = start(tmp_path_factory.mktemp("limits") / "data")
    yield process
    process.kill()


class Line:
    """A TLS connection on which bytes are said as they are."""

    def __init__(self, running: ServeProcess) -> None:
        port = int(running.admin["endpoint"].rpartition(":")[2])
        context = ssl.create_default_context(cafile=running.admin["ca_file"])
        self.socket = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port), 20), server_hostname="127.0.0.1"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def answer(self) -> tuple[int, dict[str, str], dict[str, str]]:
        """Return status, headers and body of the next answer."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended after {received!r}"
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers["content-length"]):
            piece = self.socket.recv(65536)
            assert piece
            body += piece
        return int(lines[0].split()[1]), headers, json.loads(body)


def refused(line: Line, status: int, code: str) -> None:
    answered, headers, body = line.answer()
    assert (answered, body["error_code"]) == (status, code), body
    assert headers["x-request-id"] == body["request_id"]
    assert headers["content-type"] == "application/json"


def resident_kib(running: ServeProcess) -> int:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1])


def test_a_body_over_12_mb_is_refused_by_its_length_alone(running: ServeProcess) -> None:
    token = running.token()
    with Line(running) as line:
        head = (
            f"POST /v3/sources HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {13 * MEGABYTE}\r\n\r\n"
        )
        line.socket.sendall(head.encode())
        refused(line, 413, "APIGW.0201")


def test_the_vendors_client_reads_that_its_body_is_too_large(running: ServeProcess) -> None:
    body = registration("large")
    body.linux_block_check = "x" * (13 * MEGABYTE)
    with pytest.raises(ClientRequestException) as refusal:
        running.client().register_server(v3.RegisterServerRequest(body=body))
    assert (refusal.value.status_code, refusal.value.error_code) == (413, "APIGW.0201")
    assert refusal.value.request_id


def test_an_endless_body_is_cut_off(running: ServeProcess) -> None:
    token = running.token()
    before = resident_kib(running)
    with Line(running) as line:
        head = f"POST /v3/sources HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        line.socket.sendall(head.encode())
        chunk = f"{MEGABYTE:x}\r\n".encode() + b"x" * MEGABYTE + b"\r\n"
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                line.socket.sendall(chunk)
        except (ConnectionError, ssl.SSLError):
            pass  # it hung up
    assert time.monotonic() < deadline, "the server takes any number of bytes"
    assert resident_kib(running) - before < 100 * 1024


def test_a_body_of_a_stranger_is_not_even_read(running: ServeProcess) -> None:
    with Line(running) as line:
        line.socket.sendall(f"POST /v3/sources HTTP/1.1\r\nHost: x\r\nContent-Length: {11 * MEGABYTE}\r\n\r\n".encode())
        refused(line, 401, "APIGW.0301")


def test_a_login_with_a_large_body_is_refused(running: ServeProcess) -> None:
    with Line(running) as line:
        line.socket.sendall(b"POST /wherry/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
        refused(line, 413, "APIGW.0201")


def test_endless_headers_are_cut_off(running: ServeProcess) -> None:
    before = resident_kib(running)
    with Line(running) as line:
        line.socket.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                line.socket.sendall(b"x" * 65536)
        except (ConnectionError, ssl.SSLError):
            pass  # it hung up
    assert time.monotonic() < deadline, "the server takes any number of bytes"
    assert resident_kib(running) - before < 50 * 1024


def test_large_headers_are_told(running: ServeProcess) -> None:
    with Line(running) as line:
        line.socket.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000)
        refused(line, 431, "APIGW.0201")


def test_a_token_of_the_largest_size_gets_through(running: ServeProcess) -> None:
    with Line(running) as line:
        line.socket.sendall(b"GET /v3/sources HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + b"x" * 16384 + b"\r\n\r\n")
        refused(line, 401, "APIGW.0301")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 this is no HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"\r\n" * 10 + b"?",
    ],
)
def test_what_is_no_http_is_told_in_our_shape(running: ServeProcess, sent: bytes) -> None:
    with Line(running) as line:
        line.socket.sendall(sent)
        refused(line, 400, "APIGW.0106")


def test_many_requests_on_one_connection_are_all_answered(running: ServeProcess) -> None:
    with Line(running) as line:
        for _ in range(20):
            line.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.answer()[0] == 200
            time.sleep(0.01)


def test_head_is_answered_like_get_without_a_body(running: ServeProcess) -> None:
    with running.http() as http:
        answer = http.head("/readyz")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["X-Request-Id"]


def test_the_control_plane_still_works_after_all_that(running: ServeProcess) -> None:
    assert running.client().list_servers(v3.ListServersRequest()).count == 0
