"""How the ledger keeps JSON: a column type for documents that are looked into, and one for text kept as it came."""

from typing import Any

import msgspec
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


class Document(TypeDecorator[Any]):
    """A JSON value, encoded and decoded by msgspec. Structs go in and come out as plain dictionaries."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - given by SQLAlchemy
        """Return the text to store."""
        return None if value is None else _ENCODER.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - given by SQLAlchemy
        """Return the value that was stored."""
        return None if value is None else _DECODER.decode(value)


class JsonText(TypeDecorator[bytes]):
    """JSON bytes of a client, stored and given back byte for byte. The caller has checked that they are JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - given by SQLAlchemy
        """Return the text to store."""
        return None if value is None else value.decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - given by SQLAlchemy
        """Return the bytes that were stored."""
        return None if value is None else str(value).encode()
