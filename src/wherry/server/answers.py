"""What a handler hands back to the app: a status, headers and bytes."""

from collections.abc import Mapping
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


EMPTY = Answer(b"{}")
"""The answer of operations that only say "done"."""


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return *value* (a struct, or plain data) as a JSON answer."""
    return Answer(encode(value), status, headers=headers or _NONE)
