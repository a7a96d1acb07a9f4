"""The way to the receiver: the task's certificates, the route, the connection. Three subtasks of the reference.

SSL_CONFIG fetches the certificates, ATTACH_AGENT_IMAGE finds a receiver and connects, FORMAT_DISK_LINUX_BLOCK is done
when the receiver has made the disks, which it says by its welcome.
"""

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from wherry.agent.desks import ChannelDesk
from wherry.agent.session import Session
from wherry.client.patience import Steadfast, Stopped
from wherry.contract.enumerations import Subtask
from wherry.contract.wherry import Route
from wherry.replication.errors import IdentityRefused
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.sending import SendOptions, SourceSession, SourceTables
from wherry.replication.transport import client_context
from wherry.replication.tuning import DEFAULT_OPTIONS

log = structlog.get_logger(__name__)

ROUTE_POLL_S = 2.0
"""Pause between two looks for a receiver while none is connected, in seconds."""


class Stagehand(Protocol):
    """Takes over which subtask is under way."""

    def show(self, subtask: Subtask, progress: int | None, trace: str = "") -> None:
        """See `wherry.agent.progress.Reporter.show`."""

    def deliver(self, sure: Steadfast) -> None:
        """See `wherry.agent.progress.Reporter.deliver`."""


class Channel:
    """Opens sessions for one task."""

    def __init__(
        self,
        control: ChannelDesk,
        sure: Steadfast,
        report: Stagehand,
        stop: threading.Event,
        *,
        task_id: str,
        source_id: str,
        lines: Sequence[DiskLine],
        tables: SourceTables | None = None,
        options: SendOptions = DEFAULT_OPTIONS,
    ) -> None:
        """*tables*: what earlier sessions read; without them the receiver tells all of its digests each time."""
        self._control = control
        self._sure = sure
        self._report = report
        self._stop = stop
        self._hello = Hello(task_id=task_id, source_id=source_id, disks=tuple(lines))
        self._tables = SourceTables.in_memory(lines) if tables is None else tables
        self._options = options
        self._task_id = task_id
        self._context: ssl.SSLContext | None = None
        self._first = True

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Connect, and close in an orderly way at the end.

        Raises Stopped, ConnectionLost, IdentityRefused, PeerRefused and the refusals of the control plane.
        """
        context = self._secrets()
        self._step(Subtask.ATTACH_AGENT_IMAGE, 0, "looking for a receiver")
        route = self._route()
        try:
            session = SourceSession.connect(
                (route.host, route.port),
                context,
                route.server_name,
                self._hello,
                options=self._options,
                tables=self._tables,
            )
        except IdentityRefused:
            self._context = None  # they may have been renewed
            raise
        try:
            self._step(Subtask.ATTACH_AGENT_IMAGE, 100, f"connected to {route.host}:{route.port}")
            self._step(Subtask.FORMAT_DISK_LINUX_BLOCK, 100, "the receiver has made the disks")
            self._first = False
            log.info(
                "connected",
                task_id=self._task_id,
                receiver_id=route.receiver_id,
                checkpoint=session.checkpoint,
                open_pass=session.open_pass,
                connections=session.connections,
                narrowed=session.narrowed,
            )
            yield session
        finally:
            session.close()

    def close(self) -> None:
        """Release the tables."""
        self._tables.close()

    def _secrets(self) -> ssl.SSLContext:
        """Return the TLS context. The key stays in this process's memory: a restarted agent fetches it again."""
        if self._context is None:
            self._step(Subtask.SSL_CONFIG, 0, "fetching the certificates")
            identity = self._sure(lambda: self._control.channel_identity(self._task_id))
            self._step(Subtask.SSL_CONFIG, 50, "certificates fetched")
            self._context = client_context(identity, self._control.now)
            self._step(Subtask.SSL_CONFIG, 100, "certificates ready")
        return self._context

    def _route(self) -> Route:
        while True:
            route = self._sure(lambda: self._control.route(self._task_id))
            if route is not None:
                return route
            self._step(Subtask.ATTACH_AGENT_IMAGE, 0, "no receiver is connected; waiting for one")
            if self._stop.wait(ROUTE_POLL_S):
                raise Stopped

    def _step(self, subtask: Subtask, progress: int, trace: str) -> None:
        """Report a step, each one by itself; a reconnection in the middle of a copy doesn't turn the steps back."""
        if not self._first:
            return
        self._report.show(subtask, progress, trace)
        self._report.deliver(self._sure)
