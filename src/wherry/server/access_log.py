"""One line a request. Lines of JSON wait for each other for a moment and go out together (see `wherry.logs`)."""

import asyncio
from datetime import UTC, datetime

import msgspec
import structlog

from wherry import logs

LONGEST_WAIT_S = 0.05
"""How long a line may wait. A process that is killed takes so much of its access log along."""

_EVENT = "request"

_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Writes what is known of each request. Belongs to one event loop."""

    def __init__(self) -> None:
        self._stream = logs.json_stream()
        self._pretty = structlog.get_logger("wherry.access")
        self._due = False

    def note(self, facts: dict[str, object]) -> None:
        """Write a line with *facts*, within `LONGEST_WAIT_S`."""
        if self._stream is None:
            self._pretty.info(_EVENT, **facts)
            return
        self._stream.later(_encode({**facts, "event": _EVENT, "level": "info", "timestamp": datetime.now(UTC)}))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(LONGEST_WAIT_S, self._write)

    def _write(self) -> None:
        self._due = False
        logs.flush()
