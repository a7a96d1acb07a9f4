"""uvicorn as this control plane runs it: within our limits, stopped by us, not held up by idle clients at the end."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from socket import socket
from typing import Any

import uvicorn

from wherry.server import listening
from wherry.server.app import Application
from wherry.server.protocol import LimitedProtocol
from wherry.server.waiting import Waiters

DRAIN_S = 30
"""How long requests that run may take to end when the control plane stops."""

_KEEP_ALIVE_S = 75
_HANG_UP_S = 0.3


class HttpServer(uvicorn.Server):
    """uvicorn, which ends long polls first when it shuts down, and leaves signals to us."""

    def __init__(self, application: Application, context: ssl.SSLContext | None, waiters: Waiters) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="none",
                http=LimitedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=listening.BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self.config.load()
        self.config.ssl = context
        self._waiters = waiters

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would die of them again after a clean end."""
        yield

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Answer everybody who waits, then finish what runs."""
        self._waiters.close()
        hanging_up = asyncio.create_task(self._hang_up())
        try:
            await super().shutdown(sockets)
        finally:
            hanging_up.cancel()

    async def _hang_up(self) -> None:
        """Cut connections that have nothing left to say: a client that doesn't read would hold up the end of TLS."""
        quiet: set[Any] = set()
        while True:
            await asyncio.sleep(_HANG_UP_S)
            idle: set[Any] = {connection for connection in self.server_state.connections if _is_idle(connection)}
            for connection in idle & quiet:
                connection.transport.abort()
            quiet = idle


def _is_idle(connection: Any) -> bool:
    """Tell whether a connection of uvicorn's httptools protocol has no request, and nothing left to send."""
    finished = connection.cycle is None or connection.cycle.response_complete
    return bool(finished and connection.transport.get_write_buffer_size() == 0)
