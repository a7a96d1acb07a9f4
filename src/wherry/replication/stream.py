"""Frames over a connected stream socket, TLS or not: whole frames in and out, with time limits and no blocking.

One thread reads and any thread may write. OpenSSL allows only one thread at a time inside one connection, so every call
into it is non-blocking and made under a lock, and waiting is done by poll outside of it.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from wherry.replication.codecs import Codec, Packer, Unpacker
from wherry.replication.errors import ConnectionLost, IdentityRefused, ProtocolViolated
from wherry.replication.frames import (
    HEADER_SIZE,
    MAX_CONTROL,
    FrameType,
    Header,
    control_header,
    decode_header,
    encode_header,
    open_frame,
)
from wherry.replication.granules import Buffer
from wherry.replication.messages import AnyMessage, Digests, decode, encode
from wherry.replication.pacing import Pace

SILENCE_S: Final = 60.0
"""How long a peer may neither send nor take a byte. Both sides send ALIVE far more often than that."""

_JOIN_BELOW: Final = 16 * 1024  # smaller payloads go out in one piece with their header: one TLS record, one packet
_WOULD_WAIT: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
_IDENTITY_WORDS: Final = ("CERTIFICATE", "UNKNOWN_CA", "UNRECOGNIZED_NAME", "ACCESS_DENIED")
_INTERRUPTION_S: Final = 0.25
_TCP_INFO: Final = 144  # bytes of it: as far as tcpi_segs_in
_DRAIN_PIECE: Final = 256 * 1024


def tune(connection: socket.socket) -> None:
    """Set what makes a TCP connection quick and lets a dead machine be noticed while nothing is under way."""
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
        # Long, as it also counts the time in which a busy peer takes nothing; ALIVE tells a dead one much sooner.
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 600_000),
    ):
        connection.setsockopt(level, option, value)


class FrameStream:
    """A connection that carries frames. It takes over *connection* and closes it.

    Every method raises ConnectionLost when the connection ends or the peer is silent for *silence_s* seconds.
    """

    def __init__(self, connection: socket.socket, *, silence_s: float = SILENCE_S) -> None:
        self._connection = connection
        self._silence_s = silence_s
        connection.setblocking(False)  # noqa: FBT003 - the socket's own signature
        self._tls = connection if isinstance(connection, ssl.SSLSocket) else None
        self._inside = threading.Lock()  # held for each call into the connection
        self._writing = threading.Lock()  # held for a whole frame
        self._packer = Packer()  # used under `_writing`
        self._unpacker = Unpacker()  # used by the one reader
        self._sequence_out = 0
        self._sequence_in = 0
        self._head = bytearray(HEADER_SIZE)
        self._scratch = memoryview(bytearray(MAX_CONTROL))
        self._shut = False
        self._interrupted = False
        self.wire_bytes = 0
        """Bytes sent: headers and payloads, without what TLS adds."""
        self.waited_to_read_s = 0.0
        """Seconds in which the reader waited for the peer."""
        self.waited_to_write_s = 0.0
        """Seconds in which a writer waited for room in the connection."""
        self.paced_s = 0.0
        """Seconds in which a writer waited for its rate limit."""
        self.last_sent = time.monotonic()
        self.last_heard = self.last_sent

    # Sending

    def send_message(self, message: AnyMessage) -> None:
        """Send a control message."""
        content: Buffer = encode(message)
        raw_length, codec = len(content), Codec.PLAIN
        with self._writing:
            if isinstance(message, Digests):
                codec, content = self._packer.pack(memoryview(content))
            self._send_locked(control_header(self._sequence_out, codec, raw_length, content), content, None, None)

    def send_frame(
        self, header: Header, payload: Buffer, pace: Pace | None = None, stop: threading.Event | None = None
    ) -> None:
        """Send a data frame; the sequence of *header* is filled in here. *stop* ends the pacing, not the frame."""
        with self._writing:
            self._send_locked(replace(header, sequence=self._sequence_out), payload, pace, stop)

    def _send_locked(self, header: Header, payload: Buffer, pace: Pace | None, stop: threading.Event | None) -> None:
        head = encode_header(header)
        if len(payload) < _JOIN_BELOW:
            self._write(memoryview(head + bytes(payload)), pace, stop)
        else:
            self._write(memoryview(head), None, stop)
            self._write(memoryview(payload), pace, stop)
        self._sequence_out += 1

    def _write(self, view: memoryview, pace: Pace | None, stop: threading.Event | None) -> None:
        while view:
            piece = view
            if pace is not None and pace.rate_mbit:
                piece = view[: pace.slice_bytes]
                began = time.monotonic()
                pace.take(len(piece), stop)
                self.paced_s += time.monotonic() - began
            self._write_piece(piece)
            view = view[len(piece) :]

    def _write_piece(self, view: memoryview) -> None:
        began = time.monotonic()
        while view:
            view = self._attempt_to_send(view)
            if view:
                # A peer that takes nothing for long may be busy; then it still says ALIVE.
                deadline = max(began, self.last_sent, self.last_heard) + self._silence_s
                if not self._wait(select.POLLOUT, deadline) and self.last_heard + self._silence_s <= time.monotonic():
                    raise ConnectionLost(reason=f"the other side took nothing for {self._silence_s:g} s")

    def _attempt_to_send(self, view: memoryview) -> memoryview:
        """Send what goes without waiting; return the part of *view* that's left.

        An interrupted TLS write must be repeated with the same bytes: the caller tries again with just these.
        """
        whole = len(view)

        def send(rest: memoryview) -> int:
            # TLS takes one record of 16 KiB a call: many calls are made under one lock.
            nonlocal view
            send_some = self._connection.send
            while rest:
                view = rest = rest[send_some(rest) :]
            return 0

        self._attempt(send, view)
        if len(view) < whole:
            self.wire_bytes += whole - len(view)
            self.last_sent = time.monotonic()
        return view

    # Receiving: for one thread at a time

    def readable(self, timeout_s: float) -> bool:
        """Wait until something may be read, at most *timeout_s* seconds. Too long a silence raises ConnectionLost."""
        if self._tls is not None and self._tls.pending():
            return True
        if self._wait(select.POLLIN, time.monotonic() + timeout_s):
            return True
        if time.monotonic() - self.last_heard > self._silence_s:
            raise ConnectionLost(reason=f"nothing was heard for {self._silence_s:g} s")
        return False

    def receive_header(self) -> tuple[Header, bytes]:
        """Return the next frame's header, decoded and as bytes. Raises ProtocolViolated for a bad or misplaced one."""
        self.receive_into(memoryview(self._head))
        head = bytes(self._head)
        header = decode_header(head)
        if header.sequence != self._sequence_in:
            raise ProtocolViolated(reason=f"frame {header.sequence} came where {self._sequence_in} was due")
        self._sequence_in += 1
        return header, head

    def receive_into(self, view: memoryview) -> None:
        """Fill *view* with the bytes that come next."""
        while view:
            view = self._attempt_to_fill(view)
            if view:
                if self._interrupted:
                    raise ConnectionLost(reason="it was given up on this side")
                self.readable(_INTERRUPTION_S)

    def _attempt_to_fill(self, view: memoryview) -> memoryview:
        """Read what is there without waiting; return the part of *view* that's still empty."""
        whole = len(view)

        def fill(rest: memoryview) -> int:
            # TLS gives one record of 16 KiB a call: many calls are made under one lock.
            nonlocal view
            receive = self._connection.recv_into
            while rest:
                count = receive(rest)
                if not count:
                    break
                view = rest = rest[count:]
            return len(rest)

        missing = self._attempt(fill, view)
        if len(view) < whole:
            self.last_heard = time.monotonic()
        if missing:
            raise ConnectionLost(reason="the other side closed it")
        return view

    def receive_message(self, header: Header, head: bytes) -> tuple[AnyMessage, bytes]:
        """Return the message whose *header* was just received, and its payload as stored. Raises ProtocolViolated."""
        if header.type is not FrameType.CONTROL:
            raise ProtocolViolated(reason="a data frame where a control message was due")
        view = self._scratch[: header.stored_length]
        self.receive_into(view)
        opened = open_frame(header, head, view, self._unpacker)
        return decode(memoryview(opened.raw)), bytes(view)

    def segments(self) -> tuple[int, int]:
        """Return how many TCP segments were sent, and how many of those again; zeros where there's no TCP.

        Source: struct tcp_info of Linux's include/uapi/linux/tcp.h.
        """
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO)
        except OSError:
            return 0, 0
        if len(info) < _TCP_INFO:
            return 0, 0
        (again,), (sent,) = struct.unpack_from("=I", info, 100), struct.unpack_from("=I", info, 136)
        return sent, again

    # Ending

    def interrupt(self) -> None:
        """Make whoever reads get ConnectionLost when nothing is there, while writing and `drain` go on working."""
        self._interrupted = True

    def shut(self) -> None:
        """End the connection from any thread; whoever reads or writes gets ConnectionLost."""
        self._shut = True
        with contextlib.suppress(OSError):  # it may have ended already
            # Not the TLS object's own method, which would make its other users go on in plain text.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def drain(self, seconds: float) -> None:
        """Read and forget until the peer closes, at most *seconds*.

        Closing a connection over unread bytes resets it, and what was just sent would be lost with it.
        """
        deadline = time.monotonic() + seconds
        view = memoryview(bytearray(_DRAIN_PIECE))
        try:
            while time.monotonic() < deadline:
                count = self._attempt(self._connection.recv_into, view)
                if count == 0 or (count is None and not self._wait(select.POLLIN, deadline)):
                    return
        except (ConnectionLost, IdentityRefused):
            return

    def close(self) -> None:
        """Close the connection. No other thread may use it any more."""
        self._shut = True
        self._connection.close()

    def _attempt(self, call: Callable[[memoryview], int], view: memoryview) -> int | None:
        """Make one non-blocking call into the connection; None when it would have to wait for the usual direction."""
        try:
            with self._inside:
                if self._shut:
                    raise ConnectionLost(reason="it was ended on this side")
                return call(view)
        except _WOULD_WAIT:
            return None
        except ssl.SSLError as error:
            if any(word in (error.reason or "") for word in _IDENTITY_WORDS):
                raise IdentityRefused(reason=f"the other side refused this one: {error.reason or error}") from error
            raise ConnectionLost(reason=f"TLS: {error.reason or error}") from error
        except (OSError, ValueError) as error:
            raise ConnectionLost(reason=str(error)) from error

    def _wait(self, event: int, deadline: float) -> bool:
        poll = select.poll()
        began = time.monotonic()
        try:
            poll.register(self._connection, event)
            return bool(poll.poll(max(0.0, deadline - began) * 1000))
        except (OSError, ValueError) as error:
            raise ConnectionLost(reason="it was closed on this side") from error
        finally:
            waited = time.monotonic() - began
            if event == select.POLLIN:
                self.waited_to_read_s += waited
            else:
                self.waited_to_write_s += waited
