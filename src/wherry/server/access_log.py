"""One line a request. Lines of JSON wait for each other for a moment and go out together (see `wherry.logs`)."""

import asyncio
from datetime import datetime

import msgspec
import structlog

from wherry import logs

LONGEST_WAIT_S = 0.05
"""How long a line may wait. A process that is killed takes so much of its access log along."""

_EVENT = "request"

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, frozen=True, gc=False):
    """What is known of a request.

    Attributes:
        status: of the answer; 499 where the client went away.
        ms: how long it took.
        timestamp: when it was answered.
        bytes: of the answer's body.
        client: the address that it came from.
        caller: the access key, or the name of the user.
        kind: of the caller.
    """

    status: int
    request_id: str
    method: str
    path: str
    operation: str
    ms: float
    timestamp: datetime
    bytes: int | msgspec.UnsetType = msgspec.UNSET
    client: str | msgspec.UnsetType = msgspec.UNSET
    caller: str | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    event: str = _EVENT
    level: str = "info"


class AccessLog:
    """Writes what is known of each request. Belongs to one event loop."""

    def __init__(self) -> None:
        self._stream = logs.json_stream()
        self._pretty = structlog.get_logger("wherry.access")
        self._due = False

    def note(self, line: Line) -> None:
        """Write *line*, within `LONGEST_WAIT_S`."""
        if self._stream is None:
            facts = msgspec.to_builtins(line)
            for name in ("event", "level", "timestamp"):  # structlog has its own
                del facts[name]
            self._pretty.info(_EVENT, **facts)
            return
        self._stream.later(_encode(line))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(LONGEST_WAIT_S, self._write)

    def _write(self) -> None:
        self._due = False
        logs.flush()
