"""Answers that go on until somebody has enough of them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.unit.server_harness import Harness, control_plane
from wherry.server.answers import Answer, EventStream
from wherry.server.app import Application
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.routing import Router

LIMIT_S = 60.0


class Client:
    """A client of the application, message by message. It goes when `gone` is set."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self.asked = False

    async def receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Source:
    """Pieces that come when the test says so, and whether anybody still takes them."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            while (piece := await self.coming.get()) is not None:
                yield piece
        finally:
            self.closed.set()


def served(
    tmp_path: Path, check: Callable[[Source, Client, Callable[[str], Awaitable[None]]], Awaitable[None]]
) -> None:
    """Serve a stream of a source, and run *check* with it, a client, and what sends a request of some method."""

    async def inside() -> None:
        async with asyncio.timeout(LIMIT_S), control_plane(tmp_path / "data") as plane:
            source, client = Source(), Client()
            await check(source, client, _request(plane, source, client))

    asyncio.run(inside())


def _request(plane: Harness, source: Source, client: Client) -> Callable[[str], Awaitable[None]]:
    async def stream(_call: Call) -> Answer:
        return EventStream(b"", 200, "text/event-stream", pieces=source.pieces)

    application = Application(plane.services, Router([Route("Stream", "GET", "/stream", stream, anonymous=True)]))

    async def request(method: str) -> None:
        scope = {"type": "http", "method": method, "path": "/stream", "raw_path": b"/stream", "query_string": b""}
        await application({**scope, "headers": []}, client.receive, client.send)

    return request


def test_pieces_go_out_as_they_come_and_without_a_length(tmp_path: Path) -> None:
    async def check(source: Source, client: Client, request: Callable[[str], Awaitable[None]]) -> None:
        serving = asyncio.ensure_future(request("GET"))
        for piece in (b"one", b"two"):
            await source.coming.put(piece)
        await source.coming.put(None)
        await serving
        assert client.body == b"onetwo"
        names = {name for name, _ in client.sent[0]["headers"]}
        assert b"content-length" not in names
        assert client.sent[-1].get("more_body", False) is False
        assert source.closed.is_set()

    served(tmp_path, check)


def test_a_client_that_goes_ends_it_while_nothing_comes(tmp_path: Path) -> None:
    async def check(source: Source, client: Client, request: Callable[[str], Awaitable[None]]) -> None:
        serving = asyncio.ensure_future(request("GET"))
        await source.coming.put(b"one")
        while client.body != b"one":
            await asyncio.sleep(0)
        client.gone.set()
        await serving
        assert source.closed.is_set()

    served(tmp_path, check)


def test_who_asks_for_the_head_only_gets_no_piece(tmp_path: Path) -> None:
    async def check(source: Source, client: Client, request: Callable[[str], Awaitable[None]]) -> None:
        await request("HEAD")
        assert (client.sent[0]["status"], client.body) == (200, b"")
        assert not source.closed.is_set()

    served(tmp_path, check)
