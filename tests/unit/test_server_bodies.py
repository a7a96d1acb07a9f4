"""Reading bodies: never more than the limit."""

import asyncio
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import pytest

from wherry.server.bodies import BodyTooLarge, ClientGone, read_body


def read(pieces: Sequence[bytes | None], *, length: bytes | None = None, limit: int = 10) -> tuple[bytes, int]:
    """Read a body that comes in *pieces* (None: the connection ends); return it and how many pieces were taken."""
    messages: Iterator[bytes | None] = iter(pieces)
    taken = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        taken += 1
        piece = next(messages)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": taken < len(pieces)}

    headers = [] if length is None else [(b"content-length", length)]
    return asyncio.run(read_body(headers, receive, limit)), taken


@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"ab", b"c"], [b"", b"", b"abc", b""], [b"0123456789"]])
def test_a_body_within_the_limit_is_put_together(pieces: list[bytes]) -> None:
    assert read(pieces)[0] == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b"0" * 11], [b"0" * 6, b"0" * 5], [b"0" * 10, b"", b"0"]])
def test_a_body_over_the_limit_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(BodyTooLarge) as refusal:
        read(pieces)
    assert (refusal.value.status, refusal.value.code) == (413, "APIGW.0201")


def test_an_announced_length_over_the_limit_is_refused_without_reading() -> None:
    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body([(b"content-length", b"11")], receive, 10))


def test_an_endless_body_is_not_read_to_its_end() -> None:
    taken = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"0" * 4, "more_body": True}

    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body([], receive, 10))
    assert taken == 3


@pytest.mark.parametrize("pieces", [[None], [b"abc", None]])
def test_a_connection_that_ends_is_noticed(pieces: list[bytes | None]) -> None:
    with pytest.raises(ClientGone):
        read(pieces)
