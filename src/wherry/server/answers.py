"""What a handler hands back to the app: a status, headers and bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import MappingProxyType

import msgspec

from wherry.contract.decoding import encode

JSON = "application/json"
_NONE: Mapping[str, str] = MappingProxyType({})


class Answer(msgspec.Struct, frozen=True):
    """A complete HTTP answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = _NONE


class StreamedAnswer(Answer, frozen=True, kw_only=True):
    """An answer whose body is never in memory as a whole. *size*: of the body, in bytes; *pieces*: yields it."""

    size: int
    pieces: Callable[[], AsyncIterator[bytes]]


class EventStream(Answer, frozen=True, kw_only=True):
    """An answer that goes on until the client has gone or *pieces* end: nobody knows its length."""

    pieces: Callable[[], AsyncGenerator[bytes]]


_NOT_RUN: Mapping[str, str] = MappingProxyType(
    {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
)

EMPTY = Answer(b"{}")
"""The answer of operations that only say "done"."""


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return *value* (a struct, or plain data) as a JSON answer."""
    return Answer(encode(value), status, headers=headers or _NONE)


def recorded_answer(content: bytes, media_type: str) -> Answer:
    """Return what a copy wrote or showed. It's no page of ours: no browser is to take it for one."""
    return Answer(content, 200, media_type, _NOT_RUN)
