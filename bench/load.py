"""The load generator: one process with many connections, each sends its requests one after the other.

Run as `python -m bench.load JOB` by `run_load`. The requests are ready to send (signed before), so that the generator
costs little; what it costs is in the result. It connects, says that it's ready, and starts when it's told to, so that
the server's CPU can be read right before and right after.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
LIMIT_S = 300.0


class Job(msgspec.Struct, frozen=True):
    """What to send where: for each connection its requests, in their order. `keep`: the answers are wanted."""

    host: str
    port: int
    requests: Sequence[Sequence[bytes]]
    keep: bool = False


class Load(msgspec.Struct, frozen=True):
    """What came of it. Times in seconds; `statuses` counts the answers by status, `answers` are in the job's order."""

    requests: int
    wall_s: float
    cpu_s: float
    median_s: float
    worst_percent_s: float
    statuses: dict[str, int]
    answers: Sequence[Sequence[bytes]] = ()


def run_load(job: Job, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None) -> Load:
    """Run *job* in a process of its own; *before* and *after* are called right around the sending."""
    with tempfile.NamedTemporaryFile(prefix="wherry-bench-", suffix=".job") as file:
        file.write(msgspec.msgpack.encode(job))
        file.flush()
        command = [sys.executable, "-m", __spec__.name, file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            if process.stdin is None or process.stdout is None:
                raise ChildProcessError(process.pid)
            try:
                if process.stdout.readline() != b"ready\n":
                    raise ChildProcessError("the load generator could not connect")
                before()
                process.stdin.write(b"go\n")
                process.stdin.flush()
                line = process.stdout.readline()
                after()
                return msgspec.json.decode(line, type=Load, strict=False)
            finally:
                process.kill()


class _Client:
    """Sends its requests one after the other, each when the answer to the last one is complete."""

    def __init__(self, job: Job, requests: Sequence[bytes], latencies: list[float], statuses: dict[str, int]) -> None:
        self._job = job
        self._requests = iter(requests)
        self._request: bytes | None = None
        self._latencies = latencies
        self._statuses = statuses
        self._sent = 0.0
        self._wire: _Wire | None = None
        self.answers: list[bytes] = []
        self._connecting: asyncio.Task[None] | None = None
        self.finished = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        """Connect; what is to be sent already is sent."""
        loop = asyncio.get_running_loop()
        _, self._wire = await loop.create_connection(lambda: _Wire(self), self._job.host, self._job.port)
        if self._request is not None:
            self._wire.send(self._request)

    def next(self) -> None:
        """Send the next request, or finish."""
        self._request = next(self._requests, None)
        if self._request is None:
            self.finished.set_result(None)
            return
        self._sent = time.perf_counter()
        if self._wire is not None:
            self._wire.send(self._request)

    def answered(self, status: str, body: bytes, *, last: bool) -> None:
        """Note an answer. *last*: the server hangs up after it, as servers without keep-alive do."""
        self._latencies.append(time.perf_counter() - self._sent)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._request = None
        if self._job.keep:
            self.answers.append(body)
        if last:
            self.hung_up(self._wire)
        self.next()

    def hung_up(self, wire: "_Wire | None") -> None:
        """Connect again after the end of the connection in use."""
        if wire is None or wire is not self._wire:
            return
        wire.close()
        self._wire = None
        if not self.finished.done():
            self._connecting = asyncio.create_task(self.connect())


class _Wire(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, _exception: Exception | None) -> None:
        self._client.hung_up(self)

    def send(self, request: bytes) -> None:
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        found = _LENGTH.search(head)
        if found is None or len(self._buffer) < end + 4 + int(found[1]):
            return
        body, self._buffer = self._buffer[end + 4 :], b""
        last = head.startswith(b"HTTP/1.0") or _CLOSING.search(head) is not None
        self._client.answered(head[9:12].decode(), body, last=last)


async def _generate(job: Job) -> Load:
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    clients = [_Client(job, requests, latencies, statuses) for requests in job.requests]
    await asyncio.gather(*(client.connect() for client in clients))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    start, cpu_before = time.perf_counter(), time.process_time()
    for client in clients:
        client.next()
    await asyncio.wait_for(asyncio.gather(*(client.finished for client in clients)), LIMIT_S)
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_before
    ordered = sorted(latencies)
    return Load(
        requests=len(latencies),
        wall_s=wall_s,
        cpu_s=cpu_s,
        median_s=statistics.median(ordered),
        worst_percent_s=ordered[int(len(ordered) * 0.99)],
        statuses=statuses,
        answers=[client.answers for client in clients],
    )


if __name__ == "__main__":
    work = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_generate(work))) + b"\n")
    sys.stdout.flush()
