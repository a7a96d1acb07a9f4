"""A real `wherry serve` process for the contract tests, and a plain HTTP client that signs as it's told."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.contract.database import environment_of, workers
from wherry.client.control_plane import ControlPlane
from wherry.client.retrying import RetryPolicy
from wherry.client.signing import sdk_date, sign
from wherry.contract.installation import AdminFile, read_admin_file

START_S: Final = 60.0
STOP_S: Final = 30.0
NO_RETRY: Final = RetryPolicy(budget_s=0)
JoinAs = Callable[[str, str], tuple[str, str, str]]
"""Joins in a role under a name; returns access key, secret key and receiver id."""
NO_WEBHOOKS: Final = ("--webhook-deny", "0.0.0.0/0", "--webhook-deny", "::/0")
"""Whatever URL a test makes up, nothing is sent there. --webhook-allow counts more."""
USUAL_HEADERS: Final = ("content-type", "host", "x-sdk-date")


@dataclass(frozen=True)
class Server:
    """A running control plane."""

    process: subprocess.Popen[bytes]
    data: Path
    admin: AdminFile
    log: Path

    @property
    def endpoint(self) -> str:
        return self.admin.endpoint

    @property
    def ca_file(self) -> Path:
        return Path(self.admin.ca_file)

    def control_plane(self) -> ControlPlane:
        """Return a client of the administrator's key that never tries twice."""
        return ControlPlane(self.endpoint, self.admin.access_key, self.admin.secret_key, self.ca_file, policy=NO_RETRY)


@contextmanager
def running_server(
    data: Path, *, listen: str = "127.0.0.1:0", tls: bool = True, options: Sequence[str] = ()
) -> Iterator[Server]:
    """Start `wherry serve` on *data* and end it by SIGTERM, which must give exit status 0."""
    server = start(data, listen=listen, tls=tls, options=options)
    try:
        yield server
    finally:
        stop(server)


@contextmanager
def faultless_server(data: Path) -> Iterator[Server]:
    """Run a server that must neither fault nor write a secret into its log, whatever is sent to it."""
    with running_server(data) as running:
        yield running
    log = running.log.read_text()
    assert "Traceback" not in log, "a request ended in a fault of the server"
    assert running.admin.secret_key not in log
    assert running.admin.password not in log


def start(data: Path, *, listen: str = "127.0.0.1:0", tls: bool = True, options: Sequence[str] = ()) -> Server:
    """Start `wherry serve` with further *options* and wait until it says that it's ready."""
    log = data.with_name(f"{data.name}.log")
    switch = "--tls" if tls else "--no-tls"
    arguments = ["serve", "--data", str(data), "--listen", listen, switch, *NO_WEBHOOKS, *workers(), *options]
    with log.open("ab") as output:
        program = "from wherry.cli.main import main; main()"
        command = [sys.executable, "-c", program, *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment_of(data))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        admin = _admin_of(data / "admin.json")
        if admin is not None and _ready(admin):
            return Server(process, data, admin, log)
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not become ready:\n{log.read_text()}")


def stop(server: Server) -> None:
    """End the server as an operator would."""
    if server.process.poll() is None:
        os.kill(server.process.pid, signal.SIGTERM)
    try:
        status = server.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        raise AssertionError(f"the server did not end on SIGTERM:\n{server.log.read_text()[-5000:]}") from None
    assert status == 0, server.log.read_text()[-5000:]


def _admin_of(path: Path) -> AdminFile | None:
    try:
        return read_admin_file(path)
    except FileNotFoundError:
        return None


def _ready(admin: AdminFile) -> bool:
    try:
        with httpx.Client(verify=_trust(admin), trust_env=False) as client:
            return client.get(f"{admin.endpoint}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _trust(admin: AdminFile) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=admin.ca_file) if admin.endpoint.startswith("https") else False


class Raw:
    """HTTP without a library's opinions: sends what it's told, signed or with a token or bare."""

    def __init__(self, server: Server, *, local_address: str | None = None) -> None:
        self._admin = server.admin
        transport = httpx.HTTPTransport(verify=_trust(server.admin), trust_env=False, local_address=local_address)
        self._client = httpx.Client(base_url=server.endpoint, transport=transport, timeout=60)

    def close(self) -> None:
        self._client.close()

    def bare(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request without any authentication."""
        return self._client.request(method, path, **arguments)

    def by_token(self, token: str, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send a request with X-Auth-Token."""
        headers = {"X-Auth-Token": token, **arguments.pop("headers", {})}
        return self._client.request(method, path, headers=headers, **arguments)

    def signed(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        content: bytes | None = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        signed_headers: Sequence[str] = USUAL_HEADERS,
        key: tuple[str, str] | None = None,
        skew_s: float = 0.0,
    ) -> httpx.Response:
        """Send a request signed with a key (the administrator's by default) over *signed_headers*.

        *query* goes out as it stands. *body* is sent as JSON, *content* as bytes.
        """
        access_key, secret_key = key or (self._admin.access_key, self._admin.secret_key)
        if content is None:
            content = b"" if body is None else json.dumps(body).encode()
        request = self._client.build_request(
            method,
            f"{path}?{query}" if query else path,
            content=content or None,
            headers={
                "content-type": "application/json",
                "x-sdk-date": sdk_date(time.time() + skew_s),
                **(headers or {}),
            },
        )
        request.headers["authorization"] = sign(
            method=method,
            path=path,
            query=query,
            headers={name: request.headers[name] for name in signed_headers},
            body=content,
            access_key=access_key,
            secret_key=secret_key,
        )
        return self._client.send(request)

    def signed_in_chunks(self, method: str, path: str) -> httpx.Response:
        """Send a signed request whose empty body comes in chunks, as clients in Go do."""
        date = sdk_date(time.time())
        authorization = sign(
            method=method,
            path=path,
            query="",
            headers={"x-sdk-date": date},
            body=b"",
            access_key=self._admin.access_key,
            secret_key=self._admin.secret_key,
        )
        headers = {"x-sdk-date": date, "authorization": authorization}
        answer = self.bare(method, path, content=iter([b""]), headers=headers)
        assert answer.request.headers["transfer-encoding"] == "chunked"
        return answer

    def get(self, path: str) -> Any:
        """Return the JSON of a signed GET that must succeed."""
        answer = self.signed("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        """Return the JSON of a signed POST that must succeed."""
        answer = self.signed("POST", path, body=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, body: object) -> Any:
        """Return the JSON of a signed PUT that must succeed."""
        answer = self.signed("PUT", path, body=body)
        assert answer.status_code == 200, answer.text
        return answer.json()
