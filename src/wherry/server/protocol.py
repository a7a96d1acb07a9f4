"""The HTTP/1.1 protocol of uvicorn with the limits that strangers need, and with our shape of what it refuses itself.

uvicorn's httptools protocol reads a head of any size, for any time, and answers what it can't parse in plain text.
ASGI hands bodies over in messages, and head and body are written apart; `ShortWay` is for those that are complete.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from wherry.contract.decoding import encode
from wherry.contract.envelope import ErrorEnvelope
from wherry.contract.errors import ApiError

MAX_HEAD = 96 * 1024
"""Bytes of request line and headers at most: a token takes 16 K, the path 32 K."""

HEAD_TIME_S = 30.0
"""How long a connection may take to send a complete head."""

_CLOSE_S = 3.0

SHORT_WAY = "wherry.short_way"
"""The ASGI extension under which the application finds the request's `ShortWay`."""

log = structlog.get_logger(__name__)


class ShortWay:
    """The way past ASGI's messages, for a body that is there and an answer that is complete."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def body(self) -> bytes | None:
        """Return the whole body; None where it isn't there yet, or never will be: receive tells."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        return bytes(cycle.body)

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole answer in one write. False: nothing was done, since the client must read first; send waits.

        Content-Length is among the *headers*, and Connection isn't.
        """
        cycle = self._cycle
        if cycle.flow.write_paused:
            return False
        if cycle.disconnected:
            return True
        pieces = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            if b"\r" in value or b"\n" in value:
                raise ValueError(f"the header {name!r} has several lines")
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if cycle.scope["method"] != "HEAD":
            pieces.append(body)
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        cycle.transport.write(b"".join(pieces))
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_open = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client some time to say what it wants."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse *data*; end the connection when the head gets too large."""
        super().data_received(data)
        if not self._head_open:
            return
        if self._head_timer is None and not self.transport.is_closing():
            self._await_head()
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(ApiError("APIGW.0201", f"the headers are larger than {MAX_HEAD} bytes", status=431))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_open, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """The head is complete; the application's limits hold from here on."""
        self._head_open = False
        self._stop_timer()
        super().on_headers_complete()
        self.scope["extensions"] = {SHORT_WAY: ShortWay(self.cycle)}  # type: ignore[dict-item] # its task starts later

    def on_response_complete(self) -> None:
        """An answer is out. A connection that was to end by it really ends: closing TLS waits for the other side."""
        super().on_response_complete()
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP."""
        self._refuse(ApiError("APIGW.0106", msg.rstrip(".")))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIME_S, self._give_up)

    def _stop_timer(self) -> None:
        timer, self._head_timer = self._head_timer, None
        if timer is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.abort()

    def _refuse(self, error: ApiError) -> None:
        self._stop_timer()
        request_id = uuid4().hex
        log.warning("request refused", request_id=request_id, code=error.code, error=error.message)
        envelope = ErrorEnvelope(
            error_code=error.code, error_msg=error.message, request_id=request_id, cause=error.cause, fix=error.fix
        )
        body = encode(envelope)
        head = (
            f"HTTP/1.1 {error.status} Refused\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self.loop.call_later(_CLOSE_S, self.transport.abort)
