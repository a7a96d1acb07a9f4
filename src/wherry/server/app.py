"""The ASGI application: finds the route, reads, authenticates, calls the handler, answers, and writes the access log.

Every answer carries X-Request-Id. Nothing that a client sends ends in a stack trace: what a handler refuses is put
into the envelope, and a fault of the control plane is logged and answered with 500.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import UNSET, UnsetType

from wherry.contract.decoding import decode_id
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.iam.permissions import require
from wherry.iam.principals import Principal
from wherry.iam.signature import SignedRequest
from wherry.server.access_log import AccessLog, Line
from wherry.server.answers import Answer, EventStream, StreamedAnswer
from wherry.server.bodies import BodyTooLarge, ClientGone, Receive, read_body
from wherry.server.call import Call
from wherry.server.envelope import internal_error, refuse
from wherry.server.protocol import SHORT_WAY, ShortWay
from wherry.server.route import ErrorShape, Route
from wherry.server.routing import Found, OtherMethod, Router
from wherry.server.services import Services

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = MutableMapping[str, Any]

MAX_PATH = 32 * 1024
"""Bytes of path and query at most, as the gateway's rules have it."""

_READING = frozenset({"GET", "HEAD"})
"""Methods that change nothing, so that a request may come again."""

_PLAIN_HEAD = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
"""The headers of an answer that has no others."""

_UNAUTHENTICATED = 401

_DRAIN_S = 3.0
_DRAIN_BYTES = 64 * 1024 * 1024

log = structlog.get_logger(__name__)


class Application:
    """The control plane as an ASGI application."""

    def __init__(self, services: Services, router: Router) -> None:
        self._services = services
        self._router = router
        self._access_log = AccessLog()
        # Ids that no other request has: random for the process, counted within it.
        self._process = secrets.token_hex(8)
        self._requests = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Web sockets and lifespan messages aren't for this application."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        exchange = _Exchange(f"{self._process}{next(self._requests):016x}", scope, receive, send)
        try:
            answer = await self._answer(exchange)
        except ClientGone:
            self._access_log.note(exchange.line(started, 499, UNSET))
            return
        await exchange.send_answer(answer)
        self._access_log.note(exchange.line(started, answer.status, _size_of(answer)))

    async def _answer(self, exchange: "_Exchange") -> Answer:
        try:
            return await self._serve(exchange)
        except WherryError as error:
            if not isinstance(error, ApiError):
                log.warning("request failed", request_id=exchange.request_id, code=error.code, error=error.message)
            exchange.too_large = isinstance(error, BodyTooLarge)
            return refuse(error, exchange.request_id, self._services.refusals, exchange.shape)
        except ClientGone:
            raise
        except Exception:
            log.exception("request ended in a fault", request_id=exchange.request_id, path=exchange.path)
            return refuse(internal_error(), exchange.request_id, self._services.refusals, exchange.shape)

    async def _serve(self, exchange: "_Exchange") -> Answer:
        raw_path: bytes = exchange.raw_path
        if len(raw_path) + len(exchange.raw_query) > MAX_PATH:
            raise ApiError("APIGW.0201", "the path is longer than 32 K", status=414)
        found = self._router.find("GET" if exchange.method == "HEAD" else exchange.method, raw_path)
        if isinstance(found, OtherMethod):
            exchange.headers["allow"] = ", ".join(found.allowed)
            raise ApiError("WHERRY.5508", f"{exchange.method} {exchange.path}"[:200])
        if found is None:
            raise ApiError("APIGW.0101", f"{exchange.method} {exchange.path}"[:200])
        route = exchange.route = found.route
        exchange.shape = route.errors
        body = exchange.body_at_hand(route.max_body)
        if body is None:
            if not route.anonymous and not exchange.carries_credentials():
                await self._authenticate(exchange, b"")  # refuses, before a stranger's body is read
            body = await read_body(exchange.request_headers, exchange.receive, route.max_body)
        caller = None if route.anonymous else await self._authenticate(exchange, body)
        if caller is not None:
            if caller.source_id:  # whatever an agent's key calls is a sign of life
                await self._services.contacts.touch(caller.source_id)
            _admit(route, caller)
            for name in route.ids:
                decode_id(found.parameters[name], name)
        return await route.handler(self._call(exchange, found, body, caller))

    async def _authenticate(self, exchange: "_Exchange", body: bytes) -> Principal:
        request = SignedRequest(
            exchange.method, exchange.raw_path, exchange.raw_query, exchange.request_headers, body, exchange.peer
        )
        once = exchange.method not in _READING
        authenticator = self._services.authenticator
        caller = exchange.caller = await authenticator.authenticate(request, once=once)
        if once and caller.access_key and self._services.ledger.shared:
            exchange.use = authenticator.use_notice(request)
        return caller

    def _call(self, exchange: "_Exchange", found: Found, body: bytes, caller: Principal | None) -> Call:
        return Call(
            services=self._services,
            route=found.route,
            caller=caller,
            parameters=found.parameters,
            raw_query=exchange.raw_query,
            headers=exchange.request_headers,
            body=body,
            request_id=exchange.request_id,
            at=self._services.clock(),
            peer=exchange.peer,
            use=exchange.use,
        )


def _size_of(answer: Answer) -> int:
    return answer.size if isinstance(answer, StreamedAnswer) else len(answer.body)


async def _first(coming: Awaitable[bytes], gone: asyncio.Future[None]) -> bytes | None:
    """Return what is *coming*, or None when *gone* is done first."""
    waiting: asyncio.Future[bytes] = asyncio.ensure_future(coming)
    both: set[asyncio.Future[Any]] = {waiting, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})
    return None if waiting.cancelled() else waiting.result()


def _admit(route: Route, caller: Principal) -> None:
    """Refuse a kind of caller that may never call the operation, before its body is looked at."""
    if caller.kind not in route.callers:
        require(caller, route.operation)


class _Exchange:
    """A request and the answer to it, as far as both are known."""

    def __init__(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.raw_path: bytes = scope["raw_path"]
        self.raw_query: bytes = scope["query_string"]
        self.request_headers: list[tuple[bytes, bytes]] = scope["headers"]
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        self.receive = receive
        self.request_id = request_id
        self.headers: dict[str, str] = {}
        self.route: Route | None = None
        self.caller: Principal | None = None
        self.use = ""
        self.shape = ErrorShape.KEYSTONE if self.path.startswith("/v3/auth/") else ErrorShape.SMS
        self.too_large = False
        self._send = send
        # Taken out, or the scope would hold who holds it, for the garbage collector to find.
        self._short_way: ShortWay | None = scope.get("extensions", {}).pop(SHORT_WAY, None)

    def carries_credentials(self) -> bool:
        """Tell whether a token or a signature came with the request."""
        return any(name in {b"x-auth-token", b"authorization"} for name, _ in self.request_headers)

    def body_at_hand(self, limit: int) -> bytes | None:
        """Return the whole body if it has come already and isn't larger than *limit*."""
        body = None if self._short_way is None else self._short_way.body_at_hand()
        return body if body is None or len(body) <= limit else None

    async def send_answer(self, answer: Answer) -> None:
        """Send *answer*, and what is left to be read of a body that was too large."""
        if answer.status == _UNAUTHENTICATED and self._short_way is not None:
            self._short_way.tell_time()  # by which the client may find that its clock is wrong
        plain = not (self.headers or answer.headers or self.too_large or isinstance(answer, EventStream))
        if plain and self._short_way is not None:
            parts = (answer.content_type.encode(), len(answer.body), self.request_id.encode())
            if self._short_way.answer(answer.status, _PLAIN_HEAD % parts, answer.body):
                return
        headers = [
            (b"content-type", answer.content_type.encode()),
            *(() if isinstance(answer, EventStream) else ((b"content-length", b"%d" % _size_of(answer)),)),
            (b"x-request-id", self.request_id.encode()),
            *((name.encode(), value.encode()) for name, value in {**self.headers, **answer.headers}.items()),
        ]
        if self.too_large:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if self.too_large:
            await self._send({"type": "http.response.body", "body": answer.body, "more_body": True})
            await self._drain()
            await self._send({"type": "http.response.body", "body": b""})
        elif isinstance(answer, StreamedAnswer) and self.method != "HEAD":
            async for piece in answer.pieces():
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        elif isinstance(answer, EventStream) and self.method != "HEAD":
            await self._stream(answer)
        else:
            await self._send({"type": "http.response.body", "body": answer.body})

    async def _stream(self, answer: EventStream) -> None:
        """Send pieces as they come, until there are no more or the client has gone."""
        pieces = answer.pieces()
        gone = asyncio.ensure_future(self._gone())
        try:
            while (piece := await _first(anext(pieces, b""), gone)) is not None and piece:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            gone.cancel()
            await pieces.aclose()
        await self._send({"type": "http.response.body", "body": b""})

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _drain(self) -> None:
        """Throw some of what the client still sends away, so that it comes to read the answer before the end."""
        await asyncio.sleep(0)  # timeouts need a task (see `wherry.server.eager`)
        deadline, size = time.perf_counter() + _DRAIN_S, 0
        while size < _DRAIN_BYTES and time.perf_counter() < deadline:
            try:
                async with asyncio.timeout(_DRAIN_S):
                    message = await self.receive()
            except TimeoutError:
                return
            if message["type"] != "http.request" or not message.get("more_body", False):
                return
            size += len(message.get("body", b""))

    def line(self, started: float, status: int, size: int | UnsetType) -> Line:
        """Return what the access log says of the request: no query, no headers, hence no secrets."""
        caller = self.caller
        return Line(
            status,
            self.request_id,
            self.method,
            self.path,
            "" if self.route is None else self.route.operation,
            round((time.perf_counter() - started) * 1000, 2),
            datetime.now(UTC),
            size,
            self.peer or UNSET,
            UNSET if caller is None else caller.access_key or caller.user_name,
            UNSET if caller is None else caller.kind,
        )
