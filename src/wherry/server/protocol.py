"""The HTTP/1.1 protocol of uvicorn with the limits that strangers need, and with our shape of what it refuses itself.

uvicorn's httptools protocol reads a head of any size, for any time, and answers what it can't parse in plain text.
ASGI hands bodies over in messages, and head and body are written apart; `ShortWay` is for those that are complete.
"""

import asyncio
import time
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from wherry.contract.decoding import encode
from wherry.contract.envelope import ErrorEnvelope
from wherry.contract.errors import ApiError
from wherry.server.eager import start_eagerly

MAX_HEAD = 96 * 1024
"""Bytes of request line and headers at most: a token takes 16 K, the path 32 K."""

HEAD_TIME_S = 30.0
"""How long a connection may take to send a complete head."""

_CLOSE_S = 3.0
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}

SHORT_WAY = "wherry.short_way"
"""The ASGI extension under which the application finds the request's `ShortWay`."""

log = structlog.get_logger(__name__)


class ShortWay(RequestResponseCycle):
    """A request and its answer, with ways past ASGI's messages where the body or the answer is complete."""

    def body_at_hand(self) -> bytes | None:
        """Return the whole body; None where it isn't there yet, or never will be: receive tells."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        return bytes(self.body)

    def tell_time(self) -> None:
        """Say the time of this moment in the answer. Otherwise it may be a second old, and by a clock since set."""
        date = formatdate(time.time(), usegmt=True).encode()
        self.default_headers = [(name, date if name == b"date" else value) for name, value in self.default_headers]

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Send a whole answer in one write. False: nothing was done, since the client must read first; send waits.

        *head*: lines of headers, each with its end, made of nothing that a client sent. Content-Length is among them,
        and Connection isn't.
        """
        if self.flow.write_paused:
            return False
        if self.disconnected:
            return True
        pieces = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            pieces += (name, b": ", value, b"\r\n")
        pieces += (head, b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        if self.scope["method"] != "HEAD":
            pieces.append(body)
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.transport.write(b"".join(pieces))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


class LimitedProtocol(HttpToolsProtocol):
    """One connection. A request that has come whole is answered at once, without a task where it needn't wait."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_open = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._arriving: ShortWay | None = None
        self._quiet_since = 0.0
        self._quiet_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client some time to say what it wants."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers."""
        self._stop_timer()
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()
            self._quiet_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse *data*; end the connection when the head gets too large."""
        super().data_received(data)
        if self._arriving is not None:
            arriving, self._arriving = self._arriving, None
            if not self.transport.is_closing():
                self._start_asgi_task(arriving, self.app)
        if not self._head_open:
            return
        if self._head_timer is None and not self.transport.is_closing():
            self._await_head()
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(ApiError("APIGW.0201", f"the headers are larger than {MAX_HEAD} bytes", status=431))

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_open, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """The head is complete; the application's limits hold from here on."""
        self._head_open = False
        self._stop_timer()
        before: RequestResponseCycle | None = self.cycle
        parser = self.parser
        version = parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path
        path = raw_path.decode("ascii")
        extensions: dict[str, Any] = {}
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "state": {},
            "extensions": extensions,
        }
        cycle = self.cycle = extensions[SHORT_WAY] = ShortWay(
            scope,  # type: ignore[arg-type] # plain dicts, as uvicorn's own are
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._arriving = cycle
        else:  # its turn comes when the one before is answered
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_message_complete(self) -> None:
        """The body is complete."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.more_body = False
        cycle.message_event.set()
        arriving, self._arriving = self._arriving, None
        # Behind the answer that ends the connection nothing counts any more.
        if arriving is not None and not self.transport.is_closing():
            task = start_eagerly(self.loop, arriving.run_asgi(self.app))
            if task is not None:
                task.add_done_callback(self.tasks.discard)
                self.tasks.add(task)

    def on_response_complete(self) -> None:
        """An answer is out. A connection that was to end by it really ends: closing TLS waits for the other side."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_S, self.transport.abort)
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._quiet_since = self.loop.time()
        if self._quiet_timer is None:
            self._quiet_timer = self.loop.call_later(self.timeout_keep_alive, self._end_when_quiet)

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP."""
        self._refuse(ApiError("APIGW.0106", msg.rstrip(".")))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIME_S, self._give_up)

    def _stop_timer(self) -> None:
        timer, self._head_timer = self._head_timer, None
        if timer is not None:
            timer.cancel()

    def _end_when_quiet(self) -> None:
        """End a connection without requests; look again when one may be. Cheaper than a timer for each answer."""
        self._quiet_timer = None
        if self.transport.is_closing():
            return
        busy = self._head_timer is not None or not self.cycle.response_complete
        left_s = self.timeout_keep_alive - (0.0 if busy else self.loop.time() - self._quiet_since)
        if left_s <= 0:
            self.transport.close()
        else:
            self._quiet_timer = self.loop.call_later(left_s, self._end_when_quiet)

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
