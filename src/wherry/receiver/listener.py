"""The data port: accepts agents, shakes hands with a time limit, and gives each connection a thread.

A stranger may hold at most *limit* threads, each for the time of a handshake.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import structlog

from wherry.receiver.admission import Admission
from wherry.receiver.errors import ListenFailed
from wherry.replication.errors import ConnectionLost, IdentityRefused
from wherry.replication.transport import Accepted, Clock, accept, server_context

log = structlog.get_logger(__name__)

HANDSHAKE_S = 10.0
"""How long a TLS handshake may take, in seconds."""

Handler = Callable[[Accepted], None]
"""Serves one connection until it ends and closes its stream."""


class Listener:
    """A listening socket and the threads of its connections."""

    def __init__(
        self,
        address: tuple[str, int],
        admission: Admission,
        handler: Handler,
        limit: int,
        clock: Clock = time.time,
    ) -> None:
        """Open the port; connections beyond *limit* are closed at once. Raises ListenFailed.

        *clock*: the control plane's time, by which an agent's certificate has to be good.
        """
        self._context = server_context(admission.lookup, clock)
        self._handler = handler
        self._slots = threading.BoundedSemaphore(limit)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        try:
            family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server(address, family=family, backlog=128)
        except OSError as error:
            raise ListenFailed(host=address[0], port=address[1], reason=error.strerror or str(error)) from error
        self._accepting = threading.Thread(target=self._accept, name="listener", daemon=True)

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to accept."""
        self._accepting.start()

    def stop(self) -> None:
        """Accept nobody any more; connections go on until their handlers end."""
        self._closing.set()
        with contextlib.suppress(OSError):  # a socket that nobody waits on says that it isn't connected
            # Closing alone wouldn't wake the thread that accepts.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the connections' threads, at most *timeout_s* for all of them; tell whether all have ended."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, peer = self._socket.accept()
            except OSError as error:
                if self._closing.is_set():
                    return
                # Out of descriptors, most likely: the connections that end make room.
                log.warning("accept_failed", reason=str(error))
                self._closing.wait(1.0)
                continue
            if not self._slots.acquire(blocking=False):
                log.warning("connection_refused", peer=peer[0], reason="too many connections")
                connection.close()
                continue
            name = f"agent-{peer[0]}:{peer[1]}"
            thread = threading.Thread(target=self._serve, args=(connection, peer[0]), name=name, daemon=True)
            with self._lock:
                self._threads.add(thread)
            thread.start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        try:
            accepted = accept(connection, self._context, timeout_s=HANDSHAKE_S)
            self._handler(accepted)
        except (ConnectionLost, IdentityRefused) as error:
            log.warning("handshake_failed", peer=peer, **error.facts)
        except Exception:
            # The outermost loop of a connection: whatever one peer brings about never ends the listener.
            log.exception("connection_failed", peer=peer)
        finally:
            connection.close()
            self._slots.release()
            with self._lock:
                self._threads.discard(threading.current_thread())
