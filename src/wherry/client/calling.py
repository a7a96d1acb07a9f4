"""What every operation of the control plane is called by: a request of the contract's structs, an answer of one."""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from wherry.client.errors import AnswerUnreadable
from wherry.client.transport import Call, Transport

T = TypeVar("T")

LONG_POLL_S: Final = 30.0
"""How long an answer may be kept back, in seconds, by those who wait for something to do."""


class Caller:
    """Sends calls through *transport* and reads their answers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _get(
        self,
        operation: str,
        path: str,
        kind: type[T],
        query: Mapping[str, object] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> T:
        return decode(operation, self._send(Call(method="GET", path=path, query=query, wait_s=wait_s)), kind)

    def _post(self, operation: str, path: str, content: object, kind: type[T], *, repeatable: bool = True) -> T:
        return decode(operation, self._send_body("POST", path, content, repeatable=repeatable), kind)

    def _put(self, path: str, content: object) -> None:
        self._send_body("PUT", path, content)

    def _delete(self, path: str) -> None:
        self._send(Call(method="DELETE", path=path))

    def _send_body(self, method: str, path: str, content: object, *, repeatable: bool = True) -> bytes:
        return self._send(Call(method=method, path=path, body=msgspec.json.encode(content), repeatable=repeatable))

    def _send(self, call: Call) -> bytes:
        return self._transport.send(call)


def decode(operation: str, body: bytes, kind: type[T]) -> T:
    """Return the answer of *operation*. Raises AnswerUnreadable."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AnswerUnreadable(operation=operation, reason=str(error)) from error
