"""The short way of a request through uvicorn's protocol, driven with bytes and a transport that writes down."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from wherry.server.protocol import SHORT_WAY, LimitedProtocol, ShortWay

HEAD = b"content-type: text/plain\r\ncontent-length: 2\r\n"
Way = Callable[[ShortWay, Callable[[], Awaitable[MutableMapping[str, Any]]]], Awaitable[None]]


class Recording(asyncio.Transport):
    """A transport that notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def drive(way: Way, script: Callable[[LimitedProtocol], Awaitable[None]]) -> Recording:
    """Let *script* feed a protocol whose application goes *way*, and return its transport."""

    async def application(scope: Any, receive: Any, _send: Any) -> None:
        await way(scope["extensions"][SHORT_WAY], receive)

    async def inside() -> Recording:
        config = uvicorn.Config(application, http=LimitedProtocol, ws="none", log_config=None, lifespan="off")
        config.load()
        state, transport = ServerState(), Recording()
        state.default_headers = [(b"date", b"today")]
        protocol = LimitedProtocol(config=config, server_state=state, app_state={})
        protocol.connection_made(transport)
        await script(protocol)
        await asyncio.gather(*state.tasks)
        protocol.connection_lost(None)
        return transport

    return asyncio.run(inside())


async def answer_ok(short: ShortWay, _receive: object) -> None:
    assert short.body_at_hand() is not None
    assert short.answer(200, HEAD, b"ok")


def feeding(data: bytes) -> Callable[[LimitedProtocol], Awaitable[None]]:
    async def script(protocol: LimitedProtocol) -> None:
        protocol.data_received(data)
        await asyncio.sleep(0.01)

    return script


def test_a_whole_answer_is_one_write_and_the_connection_stays() -> None:
    transport = drive(answer_ok, feeding(b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n"))
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n"
    assert transport.writes == [head + b"ok"]


def test_requests_in_one_piece_are_answered_in_their_order_each_on_its_own() -> None:
    bodies: list[bytes | None] = []

    async def note(short: ShortWay, receive: object) -> None:
        bodies.append(short.body_at_hand())
        await answer_ok(short, receive)

    request = b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n"
    transport = drive(note, feeding(request + b"one" + request + b"two"))
    assert bodies == [b"one", b"two"]
    assert len(transport.writes) == 2


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_a_connection_that_is_to_end_ends_after_the_answer(head: bytes) -> None:
    closed: list[bool] = []

    async def script(protocol: LimitedProtocol) -> None:
        await feeding(head)(protocol)
        closed.append(protocol.transport.is_closing())

    transport = drive(answer_ok, script)
    assert transport.writes[0].endswith(b"content-length: 2\r\nconnection: close\r\n\r\nok")
    assert closed == [True]


def test_an_answer_to_head_has_no_body() -> None:
    transport = drive(answer_ok, feeding(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n"))
    assert transport.writes[0].endswith(b"content-length: 2\r\n\r\n")


def test_a_body_that_is_not_there_yet_is_left_to_receive() -> None:
    seen: list[object] = []

    async def wait(short: ShortWay, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        seen.append(short.body_at_hand())
        message = await receive()
        assert message["more_body"]
        seen.extend((message["body"], (await receive())["body"]))
        short.answer(200, HEAD, b"ok")

    async def script(protocol: LimitedProtocol) -> None:
        protocol.data_received(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nab")
        await asyncio.sleep(0.01)
        protocol.data_received(b"cd")
        await asyncio.sleep(0.01)

    transport = drive(wait, script)
    assert seen == [None, b"ab", b"cd"]
    assert len(transport.writes) == 1


def test_who_does_not_read_is_not_written_to() -> None:
    answered: list[bool] = []

    async def refuse(short: ShortWay, _receive: object) -> None:
        answered.append(short.answer(200, HEAD, b"ok"))

    async def script(protocol: LimitedProtocol) -> None:
        protocol.pause_writing()
        await feeding(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")(protocol)
        protocol.resume_writing()

    transport = drive(refuse, script)
    assert answered == [False]
    assert b"ok" not in transport.writes[0]  # uvicorn notes that the application has answered nothing


def test_a_client_that_is_gone_gets_nothing() -> None:
    async def late(short: ShortWay, _receive: object) -> None:
        await asyncio.sleep(0.02)
        assert short.body_at_hand() is None
        assert short.answer(200, HEAD, b"ok")

    async def script(protocol: LimitedProtocol) -> None:
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await asyncio.sleep(0.005)
        protocol.connection_lost(ConnectionResetError())

    assert drive(late, script).writes == []


def test_time_for_the_head_is_counted_only_while_one_is_incomplete() -> None:
    timers: list[bool] = []

    async def script(protocol: LimitedProtocol) -> None:
        for piece in (b"GET / HTTP/1.1\r\n", b"host: h\r\n\r\n", b"GET / HT", b"TP/1.1\r\nhost: h\r\n\r\n"):
            protocol.data_received(piece)
            timers.append(protocol._head_timer is not None)
            await asyncio.sleep(0.01)

    drive(answer_ok, script)
    assert timers == [True, False, True, False]


def test_a_request_that_has_come_whole_is_answered_before_the_loop_turns() -> None:
    answered: list[int] = []

    async def script(protocol: LimitedProtocol) -> None:
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        answered.append(len(protocol.transport.writes))  # type: ignore[attr-defined] # it's a Recording
        assert not protocol.tasks

    drive(answer_ok, script)
    assert answered == [1]


def test_what_has_to_wait_goes_on_as_a_task_and_keeps_its_place_before_the_next() -> None:
    order: list[bytes | None] = []

    async def way(short: ShortWay, receive: object) -> None:
        body = short.body_at_hand()
        if body == b"slow":
            await asyncio.sleep(0.02)
        order.append(body)
        await answer_ok(short, receive)

    request = b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n"

    async def script(protocol: LimitedProtocol) -> None:
        protocol.data_received(request + b"slow" + request + b"fast")
        assert len(protocol.tasks) == 1
        await asyncio.sleep(0.05)

    assert len(drive(way, script).writes) == 2
    assert order == [b"slow", b"fast"]


def test_behind_the_answer_that_ends_a_connection_nothing_is_carried_out() -> None:
    carried_out: list[str] = []

    async def way(short: ShortWay, receive: object) -> None:
        carried_out.append(short.scope["method"])
        await answer_ok(short, receive)

    closing = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    transport = drive(way, feeding(closing + b"DELETE / HTTP/1.1\r\nhost: h\r\n\r\n"))
    assert carried_out == ["GET"]
    assert len(transport.writes) == 1


def test_a_fault_of_the_application_is_answered_with_500() -> None:
    async def fail(_short: ShortWay, _receive: object) -> None:
        raise RuntimeError

    transport = drive(fail, feeding(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"))
    assert transport.writes[0].startswith(b"HTTP/1.1 500 ")


def test_a_quiet_connection_is_ended_and_a_busy_one_is_not() -> None:
    closed: list[bool] = []

    async def way(short: ShortWay, receive: object) -> None:
        if short.scope["path"] == "/slow":
            await asyncio.sleep(0.3)
        await answer_ok(short, receive)

    async def script(protocol: LimitedProtocol) -> None:
        protocol.timeout_keep_alive = 0.1  # type: ignore[assignment] # seconds
        protocol.data_received(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        protocol.data_received(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
        await asyncio.sleep(0.25)
        closed.append(protocol.transport.is_closing())
        await asyncio.sleep(0.4)
        closed.append(protocol.transport.is_closing())

    assert len(drive(way, script).writes) == 2
    assert closed == [False, True]
