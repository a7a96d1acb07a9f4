"""The peers of the API race: OpenStack Keystone validating a token, and moto server telling a caller who he is.

Keystone's is the call that every OpenStack service makes for its clients; both tokens come out of its cache in memory.
moto's GetCallerIdentity is about the cheapest call it has: it reads nothing and stores nothing.
"""

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.load import Job
from bench.peers import free_port
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
    request: bytes
    operations: Sequence[str]

    def job(self, _operation: str, requests: int) -> Job:
        """Return *requests* times the one request."""
        return Job(HOST, self.process.port, spread([self.request] * requests))


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
        yield Peer("OpenStack Keystone", process, request, ("validate a token",))


@contextmanager
def moto(directory: Path) -> Iterator[Peer]:
    """Serve moto server, with the web server that it comes with."""
    install_moto()
    port = free_port()
    directory.mkdir()
    command = [str(MOTO / "bin" / "moto_server"), "-H", HOST, "-p", str(port)]
    with served(command, port, "/moto-api/", directory.with_suffix(".log")) as process:
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        scope = "Credential=AKIDEXAMPLE/20260101/us-east-1/sts/aws4_request"
        headers = {
            "host": f"{HOST}:{port}",
            "authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
        }
        yield Peer("moto server", process, as_bytes("POST", "/", headers, body), ("GetCallerIdentity",))


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
