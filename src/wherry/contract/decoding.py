"""Bytes to structs and back, with every fault of the bytes turned into SMS.9001 that names the field.

Numbers and booleans may come as texts, as clients of the first version send them. Nothing that a peer sends ends in
another exception: not a deep nesting, not broken UTF-8, not NaN, not a number without end.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from wherry.contract.errors import ApiError

T = TypeVar("T")

_PLACE = re.compile(r" - at `(?P<place>.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")
_MAX_DETAIL = 300
_DECODERS: dict[object, msgspec.json.Decoder[Any]] = {}


def decode(body: bytes, type_: type[T]) -> T:
    """Return *body* as a *type_*.

    Raises ApiError SMS.9001 with the field's name among its params when the body isn't one.
    """
    try:
        # Fields that nobody reads are skipped without a look at their encoding, and raw values with them.
        body.decode()
        value = _decoder(type_).decode(body)
    except RecursionError:
        raise ApiError("SMS.9001", "the body is nested too deeply") from None
    except UnicodeDecodeError as fault:
        raise ApiError("SMS.9001", f"the body isn't UTF-8 (byte {fault.start})") from None
    except msgspec.ValidationError as fault:
        raise _refusal(fault) from None
    except msgspec.DecodeError as fault:
        raise ApiError("SMS.9001", f"the body isn't JSON: {_shorten(str(fault))}") from None
    if b"\\u0000" in body and (place := _nul_place(value, "")):
        raise ApiError("SMS.9001", f"{_shorten(place)}: it holds the character U+0000", params=(_shorten(place),))
    return value


def decode_query(query: Mapping[str, str], type_: type[T]) -> T:
    """Return the parameters of a query string as a *type_*. Empty values count as absent; unknown ones are ignored.

    Raises ApiError SMS.9001 with the parameter's name among its params.
    """
    given = {name: value for name, value in query.items() if value}
    if broken := next((name for name, value in given.items() if "\0" in value), ""):
        raise ApiError("SMS.9001", f"{_shorten(broken)}: it holds the character U+0000", params=(_shorten(broken),))
    try:
        return msgspec.convert(given, type_, strict=False)
    except msgspec.ValidationError as fault:
        raise _refusal(fault) from None


def decode_id(value: str, name: str) -> str:
    """Return an id from a path when it has 1 to 36 characters; raise ApiError SMS.9001 otherwise."""
    if not 1 <= len(value) <= 36 or "\0" in value:
        raise ApiError("SMS.9001", f"{name} must have 1 to 36 characters, none of them U+0000", params=(name,))
    return value


def encode(value: object) -> bytes:
    """Return *value* as JSON. Fields that are None are left out."""
    return msgspec.json.encode(value)


def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    decoder = _DECODERS.get(type_)
    if decoder is None:
        decoder = _DECODERS[type_] = msgspec.json.Decoder(type_, strict=False)
    return decoder


def _refusal(fault: msgspec.ValidationError) -> ApiError:
    text = str(fault)
    place = ""
    if found := _PLACE.search(text):
        place = found["place"].removeprefix("$").removeprefix(".")
        text = text[: found.start()]
    if missing := _MISSING.search(text):
        place = f"{place}.{missing['field']}".removeprefix(".")
        text = "it is missing"
    if not place:
        return ApiError("SMS.9001", _shorten(text))
    return ApiError("SMS.9001", _shorten(f"{place}: {text}"), params=(_shorten(place),))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL else text[: _MAX_DETAIL - 1] + "…"


def _nul_place(value: object, place: str) -> str:
    """Return where *value* holds the character U+0000, which databases refuse; empty when nowhere."""
    members: Iterable[tuple[str, object]]
    if isinstance(value, str):
        return place if "\0" in value else ""
    if isinstance(value, msgspec.Struct):
        names = (f"{place}.{name}".removeprefix(".") for name in value.__struct_encode_fields__)
        members = zip(names, msgspec.structs.astuple(value), strict=True)
    elif isinstance(value, dict):
        members = ((f"{place}.{key}".removeprefix("."), [key, member]) for key, member in value.items())
    elif isinstance(value, list):
        members = ((f"{place}[{index}]", member) for index, member in enumerate(value))
    else:
        return ""
    return next(filter(None, (_nul_place(member, name) for name, member in members)), "")
