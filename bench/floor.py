"""The floor of the API race: the same web server answering with nothing behind it, so that machines can be compared.

Run as `python -m bench.floor PORT` by `floor`.
"""

import logging
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from bench.load import Job
from bench.loopback import free_port
from bench.services import HOST, Process, served, spread
from bench.signed import Signer

NAME = "uvicorn with nothing behind it"
GET, POST = "GET", "POST"
_BODY = b'{"command_name":"TASK_NOT_STARTED","command_param":{}}'


@dataclass(frozen=True, slots=True)
class Floor:
    """uvicorn with an application that reads the body and answers 200."""

    process: Process
    name: str = NAME
    operations: Sequence[str] = (GET, POST)

    def job(self, operation: str, requests: int) -> Job:
        """Return requests of the size of ours."""
        signer = Signer(HOST, self.process.port, "A" * 20, "S" * 40)
        path = "/v3/sources/00000000-0000-0000-0000-000000000000/command"
        body = (
            None
            if operation == GET
            else {"command_name": "SYNC", "result": "success", "result_detail": {"msg": "done"}}
        )
        return Job(HOST, self.process.port, spread([signer.request(operation, path, body)] * requests))


@contextmanager
def floor(directory: Path) -> Iterator[Floor]:
    """Serve it."""
    port = free_port()
    with served([sys.executable, "-m", __spec__.name, str(port)], port, "/", directory.with_suffix(".log")) as process:
        yield Floor(process)


async def _answer(
    _scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        _answer,
        host=HOST,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level=logging.WARNING,
        server_header=False,
        proxy_headers=False,
    )
