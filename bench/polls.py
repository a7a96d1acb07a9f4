"""Many clients in long poll, in one process: each sends its next poll as soon as the last one is answered.

Run as `python -m bench.polls JOB` by `Crowd`. It tells what happened when it's asked to end.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.descriptors import allow_connections

_ADDRESSES = 64
"""Loopback addresses that the clients come from: one has some 28,000 ports only."""
_AT_ONCE = 128
LIMIT_S = 300.0


class PollJob(msgspec.Struct, frozen=True):
    """Whom to ask, and for each client its polls in their order."""

    host: str
    port: int
    polls: Sequence[Sequence[bytes]]


class Answers(msgspec.Struct, frozen=True):
    """What the clients got: answers by status, connections lost, the waits in seconds, and who was told to start when.

    `started` is in seconds of the clock of the day.
    """

    statuses: dict[str, int]
    lost: int
    shortest_wait_s: float
    longest_wait_s: float
    started: Sequence[float]
    cpu_s: float


class Crowd:
    """The running clients."""

    def __init__(self, process: subprocess.Popen[bytes], connecting_s: float) -> None:
        self._process = process
        self.connecting_s = connecting_s

    def end(self) -> Answers:
        """End the clients and return what they got."""
        answer, _ = self._process.communicate(b"end\n", timeout=LIMIT_S)
        return msgspec.json.decode(answer, type=Answers)


@contextmanager
def crowd(job: PollJob) -> Iterator[Crowd]:
    """Start the clients; all of them have connected and asked when this yields."""
    with tempfile.NamedTemporaryFile(prefix="wherry-bench-", suffix=".job") as file:
        file.write(msgspec.msgpack.encode(job))
        file.flush()
        command = [sys.executable, "-m", __spec__.name, file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                line = process.stdout.readline() if process.stdout else b""
                if not line.startswith(b"connected "):
                    raise ChildProcessError("the clients could not connect")
                yield Crowd(process, float(line.split()[1]))
            finally:
                process.kill()


class _Poller(asyncio.Protocol):
    """One client."""

    def __init__(self, polls: Sequence[bytes], seen: "_Seen") -> None:
        self._polls = iter(polls)
        self._seen = seen
        self._transport: Any = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, _exception: Exception | None) -> None:
        self._seen.lost += 1

    def data_received(self, data: bytes) -> None:
        # Head and body of so short an answer come in one piece or in two; the second one begins with a brace.
        if data.startswith(b"HTTP/1.1 "):
            self._seen.answered(data[9:12].decode(), time.perf_counter() - self._sent)
            self._ask()
        if b'"START"' in data:
            self._seen.started.append(time.time())

    def _ask(self) -> None:
        poll = next(self._polls, None)
        if poll is not None:
            self._sent = time.perf_counter()
            self._transport.write(poll)


class _Seen:
    """What all clients together have seen."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.lost = 0
        self.waits: list[float] = []
        self.started: list[float] = []

    def answered(self, status: str, wait_s: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.waits.append(wait_s)


async def _poll(job: PollJob) -> None:
    loop, seen, places = asyncio.get_running_loop(), _Seen(), asyncio.Semaphore(_AT_ONCE)

    async def connect(number: int, polls: Sequence[bytes]) -> None:
        source = (f"127.0.0.{2 + number % _ADDRESSES}", 0)
        async with places:
            await loop.create_connection(lambda: _Poller(polls, seen), job.host, job.port, local_addr=source)

    start = time.perf_counter()
    await asyncio.gather(*(connect(number, polls) for number, polls in enumerate(job.polls)))
    print(f"connected {time.perf_counter() - start:.2f}", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    answers = Answers(
        statuses=seen.statuses,
        lost=seen.lost,
        shortest_wait_s=min(seen.waits, default=0.0),
        longest_wait_s=max(seen.waits, default=0.0),
        started=seen.started,
        cpu_s=time.process_time(),
    )
    print(msgspec.json.encode(answers).decode(), flush=True)


if __name__ == "__main__":
    work = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=PollJob)
    allow_connections(len(work.polls))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_poll(work))
