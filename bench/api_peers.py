"""The peers of the API race: OpenStack Keystone validating a token, and moto server as a queue and as a store.

Keystone's is the call that every OpenStack service makes for its clients; token and caller come out of its cache, the
quickest that it has (memory of the process; with memcached, as in production, it takes half as much again). moto's
ReceiveMessage on an empty queue is the poll of an agent that has nothing to do, its PutParameter stores a small value,
in memory.
"""

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from bench.load import Job
from bench.loopback import free_port
from bench.services import HOST, ROOT, Process, served, spread
from bench.signed import as_bytes
from wherry.process import run

KEYSTONE_SCRIPT = ROOT / "tools" / "keystone.sh"
MOTO_VERSION = "5.2.5"
MOTO = ROOT / "build" / "moto"
INSTALL_S = 600.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that is asked the same thing again and again."""

    name: str
    process: Process
    calls: Mapping[str, bytes]

    @property
    def operations(self) -> Sequence[str]:
        """What it can be asked."""
        return list(self.calls)

    def job(self, operation: str, requests: int) -> Job:
        """Return *requests* times the request of an operation."""
        return Job(HOST, self.process.port, spread([self.calls[operation]] * requests))


@contextmanager
def keystone(directory: Path) -> Iterator[Peer]:
    """Serve a fresh Keystone by uWSGI, one process, from *directory*."""
    run([str(KEYSTONE_SCRIPT), "install"], timeout_s=INSTALL_S)
    port, password = free_port(), secrets.token_hex(8)
    command = [str(KEYSTONE_SCRIPT), "serve", str(directory), str(port)]
    environment = {"KEYSTONE_ADMIN_PASSWORD": password}
    with served(command, port, "/v3", directory.with_suffix(".log"), environment) as process:
        token = _log_in(port, password)
        headers = {"host": f"{HOST}:{port}", "x-auth-token": token, "x-subject-token": token}
        request = as_bytes("GET", "/v3/auth/tokens", headers)
        yield Peer("OpenStack Keystone", process, {"validate a token": request})


@contextmanager
def moto(directory: Path) -> Iterator[Peer]:
    """Serve moto server, with the web server that it comes with."""
    install_moto()
    port = free_port()
    directory.mkdir()
    command = [str(MOTO / "bin" / "moto_server"), "-H", HOST, "-p", str(port)]
    with served(command, port, "/moto-api/", directory.with_suffix(".log")) as process:
        queue = _call(port, "sqs", "AmazonSQS.CreateQueue", {"QueueName": "commands"})
        made = httpx.post(f"http://{HOST}:{port}/", content=queue.body, headers=queue.headers, trust_env=False)
        url = made.raise_for_status().json()["QueueUrl"]
        receive = _call(port, "sqs", "AmazonSQS.ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 0})
        parameter = {"Name": "result", "Value": "success", "Type": "String", "Overwrite": True}
        put = _call(port, "ssm", "AmazonSSM.PutParameter", parameter)
        calls = {"ReceiveMessage": receive, "PutParameter": put}
        yield Peer("moto server", process, {name: call.as_bytes() for name, call in calls.items()})


@dataclass(frozen=True, slots=True)
class _Call:
    headers: dict[str, str]
    body: bytes

    def as_bytes(self) -> bytes:
        return as_bytes("POST", "/", self.headers | {"content-length": str(len(self.body))}, self.body)


def _call(port: int, service: str, target: str, document: Mapping[str, object]) -> _Call:
    """Return a call of an AWS service; moto looks for the service in the signature and doesn't check it."""
    scope = f"Credential=AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "host": f"{HOST}:{port}",
        "authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": target,
    }
    return _Call(headers, msgspec.json.encode(document))


def install_moto() -> None:
    """Put moto server into build/moto."""
    mark = MOTO / f"installed-{MOTO_VERSION}"
    if mark.exists():
        return
    run([sys.executable, "-m", "venv", "--clear", str(MOTO)], timeout_s=INSTALL_S)
    python = str(MOTO / "bin" / "python")
    run([python, "-m", "pip", "install", "--quiet", f"moto[server]=={MOTO_VERSION}"], timeout_s=INSTALL_S)
    mark.touch()


def _log_in(port: int, password: str) -> str:
    user = {"name": "admin", "domain": {"name": "Default"}, "password": password}
    scope = {"project": {"name": "admin", "domain": {"name": "Default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    answer = httpx.post(f"http://{HOST}:{port}/v3/auth/tokens", json={"auth": auth}, trust_env=False, timeout=30)
    return answer.raise_for_status().headers["x-subject-token"]
