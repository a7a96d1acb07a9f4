"""A TCP relay between agent and receiver that does what networks do, at a byte of the test's choosing.

The receiver listens on 127.0.0.1 and tells its agents to come to 127.0.0.2, where the relay listens on the same port.
Bytes from the agent are counted from the moment a fault is armed, over all connections or over one lane of the session;
answers pass untouched.
"""

import contextlib
import enum
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

AGENT_SIDE = "127.0.0.2"
RECEIVER_SIDE = "127.0.0.1"
PATIENCE_S = 60.0
_ESTABLISHED = 1  # of Linux's include/net/tcp_states.h
_RESET = struct.pack("=ii", 1, 0)  # linger on, zero seconds: closing sends RST


class Kind(enum.Enum):
    """What happens to the bytes."""

    HOLD = "nothing goes on until it's released"
    CUT = "the connection is reset"
    FLIP = "one bit is turned"
    DRIP = "the next bytes arrive one by one"
    SILENCE = "both directions vanish, and neither end is told"
    HALF_OPEN = "as silence, but of one connection only"
    REPLAY = "the bytes arrive twice"
    STRAY = "the bytes arrive on another connection"


@dataclass(frozen=True)
class Fault:
    """What is to happen after *after* more bytes; *length*: how many bytes drip.

    *lane*: which connection of the session it happens to, and whose bytes are counted; None: whichever it is.
    """

    kind: Kind
    after: int = 0
    length: int = 3000
    lane: int | None = None

    def concerns(self, lane: int) -> bool:
        """Tell whether it may happen to this lane."""
        return self.lane in {None, lane}


class _Pair:
    """One relayed connection; *lane*: the how-manieth of its session it is, from 0."""

    def __init__(self, agent: socket.socket, receiver: socket.socket, lane: int) -> None:
        self.agent = agent
        self.receiver = receiver
        self.lane = lane
        self.silent = False

    @property
    def is_open(self) -> bool:
        """False when the agent has closed it, or nobody would hear of that."""
        with contextlib.suppress(OSError):
            return not self.silent and self.agent.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
        return False

    def reset(self) -> None:
        for end in (self.agent, self.receiver):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # The descriptor itself is closed by the thread that reads from it, which this wakes.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)


def _pass_end_on(pair: _Pair, other: socket.socket) -> None:
    """Tell the other end that this one has ended, by a reset too, unless nobody is to hear of anything."""
    if not pair.silent:
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)


class FaultyLink:
    """The relay; a context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server((AGENT_SIDE, 0))
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._armed: deque[Fault] = deque()
        self._count = 0
        self._holding: Fault | None = None
        self._ended = False
        self.struck = 0
        """How many faults have begun since they were armed."""
        self.most_lanes: int | None = None
        """How many connections at a time are let through, as by a firewall; None: all."""
        self._pairs: list[_Pair] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            pair.reset()
        for thread in self._threads:
            thread.join(10)

    # For the test

    def arm(self, *faults: Fault) -> None:
        """Have *faults* happen, each counted from the one before; what was held goes on."""
        with self._changed:
            self._armed, self._count, self._holding = deque(faults), 0, None
            self.struck = 0
            self._changed.notify_all()

    def release(self) -> None:
        """Let everything pass from now on."""
        with self._changed:
            self._armed.clear()
            self._holding = None
            self._changed.notify_all()

    @property
    def has_fired(self) -> bool:
        """True once a fault has begun."""
        return self.struck > 0

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self._pairs)

    @property
    def lanes(self) -> int:
        """How many connections there are now."""
        return sum(pair.is_open for pair in self._pairs)

    # Relaying

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                agent, _ = self._listener.accept()
            except OSError:
                return
            lane = self.lanes
            try:
                if self.most_lanes is not None and lane >= self.most_lanes:
                    raise ConnectionRefusedError
                receiver = socket.create_connection((RECEIVER_SIDE, self.port), 10)
            except OSError:
                agent.close()
                continue
            receiver.settimeout(None)
            for end in (agent, receiver):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(agent, receiver, lane)
            self._pairs.append(pair)
            self._begin(self._up, pair)
            self._begin(self._down, pair)

    def _up(self, pair: _Pair) -> None:
        with pair.agent:
            with contextlib.suppress(OSError):
                while content := pair.agent.recv(65_536):
                    for piece in self._spoiled(pair, content):
                        if not pair.silent:
                            pair.receiver.sendall(piece)
            _pass_end_on(pair, pair.receiver)

    def _down(self, pair: _Pair) -> None:
        with pair.receiver:
            with contextlib.suppress(OSError):
                while content := pair.receiver.recv(65_536):
                    if not pair.silent:
                        pair.agent.sendall(content)
            _pass_end_on(pair, pair.agent)

    def _spoiled(self, pair: _Pair, content: bytes) -> Iterator[bytes]:
        """Yield *content* in pieces, as it is to arrive; the fault happens between two of them."""
        with self._changed:
            fault = self._armed[0] if self._armed and self._armed[0].concerns(pair.lane) else None
            before = len(content)
            if fault is not None:
                before = min(len(content), fault.after - self._count)
                self._count += len(content)
            if fault is None or before == len(content):
                self._wait_while_held(pair)
                fault = None
            else:
                self._armed.popleft()
                self.struck += 1
                self._holding = fault if fault.kind is Kind.HOLD else None
                self._count = 0  # the rest of this piece goes along with the fault
        if before:
            yield content[:before]
        if fault is not None:
            yield from self._strike(fault, pair, content[before:])

    def _strike(self, fault: Fault, pair: _Pair, rest: bytes) -> Iterator[bytes]:
        if fault.kind is Kind.HOLD:
            yield from self._hold(pair, rest)
        elif fault.kind is Kind.CUT:
            pair.reset()
            raise ConnectionResetError
        elif fault.kind is Kind.FLIP:
            yield bytes([rest[0] ^ 0x10]) + rest[1:]
        elif fault.kind is Kind.DRIP:
            yield from (rest[place : place + 1] for place in range(min(fault.length, len(rest))))
            yield rest[fault.length :]
        elif fault.kind is Kind.REPLAY:
            yield from (rest, rest)
        elif fault.kind is Kind.STRAY:
            self._lead_astray(pair, rest)
        else:
            for each in self._pairs if fault.kind is Kind.SILENCE else [pair]:
                each.silent = True

    def _lead_astray(self, pair: _Pair, rest: bytes) -> None:
        other = next((each for each in self._pairs if each.is_open and each is not pair), None)
        if other is None:
            pair.reset()
            raise ConnectionResetError
        other.receiver.sendall(rest)

    def _hold(self, pair: _Pair, rest: bytes) -> Iterator[bytes]:
        with self._changed:
            self._wait_while_held(pair)
        yield rest

    def _wait_while_held(self, pair: _Pair) -> None:
        while self._holding is not None and self._holding.concerns(pair.lane) and not self._ended:
            self._changed.wait(PATIENCE_S)
