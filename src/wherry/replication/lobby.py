"""Where further connections find their session: each session that may be joined is here under a name of its own."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from wherry.replication.errors import ProtocolViolated
from wherry.replication.messages import Join
from wherry.replication.stream import FrameStream


class Joinable(Protocol):
    """A session that takes further connections."""

    def carry(self, stream: FrameStream, join: Join) -> bool:
        """Read from *stream* until it ends; return whether it ended in good order. Raises ProtocolViolated."""


class Lobby:
    """The sessions of one replica that may be joined."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Joinable] = {}

    @contextmanager
    def entered(self, session: Joinable) -> Iterator[str]:
        """Let *session* be found by the name that this yields, which nobody can guess."""
        name = secrets.token_hex(16)
        with self._lock:
            self._sessions[name] = session
        try:
            yield name
        finally:
            with self._lock:
                del self._sessions[name]

    def find(self, name: str) -> Joinable:
        """Return the session called *name*. Raises ProtocolViolated when there's none."""
        with self._lock:
            found = self._sessions.get(name)
        if found is None:
            raise ProtocolViolated(reason="a connection that joins a session which isn't there")
        return found
