"""A service that answers requests in a race: a real process, and requests to it that are ready to be sent."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from bench.load import Job

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
CONNECTIONS = 64
_START_S = 90.0
_STOP_S = 30.0


class Service(Protocol):
    """Someone who answers."""

    @property
    def name(self) -> str:
        """How the results call it."""

    @property
    def operations(self) -> Sequence[str]:
        """What it can be asked."""

    @property
    def process(self) -> "Process":
        """Its process; children count too, and its database is counted apart."""

    def job(self, operation: str, requests: int) -> Job:
        """Return *requests* requests of *operation*, spread over `CONNECTIONS` connections."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running server; `database` is the process of the database that works for it alone, if there's one."""

    pid: int
    port: int
    database: int | None = None


@contextmanager
def served(
    command: Sequence[str], port: int, ready: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Start *command*, wait until it answers 200 at the path *ready*, and end it by SIGTERM.

    Raises ChildProcessError with the end of its log where it doesn't come up.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}, cwd=ROOT
        )
    try:
        _wait(process, f"http://{HOST}:{port}{ready}", log)
        yield Process(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def spread(requests: Sequence[bytes], connections: int = CONNECTIONS) -> list[Sequence[bytes]]:
    """Return *requests* dealt out to connections like cards."""
    return [requests[number::connections] for number in range(connections)]


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    with httpx.Client(trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
    raise ChildProcessError(log.read_text()[-2000:])
