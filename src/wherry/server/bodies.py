"""Reading the body of a request, never more than the limit."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from wherry.contract.errors import ApiError

MAX_BODY = 12 * 1024 * 1024
"""Bytes of a body at most; what can be signed."""

_BODY_TIME_S = 120.0
"""How long a body may take to come."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class BodyTooLarge(ApiError):
    """The body is larger than the limit; the rest of it was not read."""

    def __init__(self, limit: int) -> None:
        super().__init__("APIGW.0201", f"the body is larger than {limit} bytes", status=413)


class ClientGone(Exception):
    """The connection ended before the body was complete."""


async def read_body(headers: Sequence[tuple[bytes, bytes]], receive: Receive, limit: int) -> bytes:
    """Return the whole body, *limit* bytes at most.

    Raises BodyTooLarge, at once where the announced length says so; ApiError WHERRY.5506 where the body doesn't come in
    time; ClientGone where the connection ends.
    """
    for name, value in headers:
        # An absurd length isn't a number to this server's parser; it never gets here.
        if name == b"content-length" and int(value) > limit:
            raise BodyTooLarge(limit)
    message = await receive()
    body = _piece(message)
    if message.get("more_body", False):
        try:
            async with asyncio.timeout(_BODY_TIME_S):
                body = await _rest(body, receive, limit)
        except TimeoutError:
            raise ApiError("WHERRY.5506", f"it did not come within {_BODY_TIME_S:.0f} s") from None
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


async def _rest(first: bytes, receive: Receive, limit: int) -> bytes:
    pieces, size, more = [first], len(first), True
    while more:
        if size > limit:
            raise BodyTooLarge(limit)
        message = await receive()
        pieces.append(_piece(message))
        size += len(pieces[-1])
        more = message.get("more_body", False)
    return b"".join(pieces)


def _piece(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    piece: bytes = message.get("body", b"")
    return piece
