"""How good the way to the receiver is: delay, jitter, loss and speed, measured over a connection of a task's own.

A connection that begins with PROBE instead of HELLO is measured and touches no replica. Delays are those of messages
there and back, through TLS; what is lost is what TCP had to send again. Both ends are bounded: the source by time and
bytes, the receiver by bytes, whatever a source asks.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Final

from wherry.replication.errors import PeerRefused, ProtocolViolated
from wherry.replication.messages import Alive, Error, Probe, Probed
from wherry.replication.stream import FrameStream

MAX_RECEIVED: Final = 256 << 20
"""Bytes that the receiver takes for one measurement."""

_PINGS: Final = 12
_PIECE: Final = 256 * 1024
_AHEAD: Final = 16
"""Pieces that are under way at the same time: enough for a fast and distant receiver."""

_SPEED_S: Final = 2.0
_SPEED_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured. The delay is the median of messages there and back, the jitter its mean change."""

    delay_ms: float
    jitter_ms: float
    loss_percent: float
    speed_mbit: float


def answer(stream: FrameStream, first: Probe) -> None:
    """Be the receiver of a measurement that began with *first*, until the source has closed the connection.

    Raises ConnectionLost at the end, and ProtocolViolated for anything else than PROBE or for too much of it.
    """
    received, probe = 0, first
    while True:
        received += len(probe.payload)
        if received > MAX_RECEIVED:
            raise ProtocolViolated(reason="a measurement that takes more than it may")
        stream.send_message(Probed(received=received))
        header, head = stream.receive_header()
        message = stream.receive_message(header, head)[0]
        if not isinstance(message, Probe):
            raise ProtocolViolated(reason="something else than PROBE in a measurement")
        probe = message


def measure(stream: FrameStream) -> Quality:
    """Measure over *stream*, which is of no use for anything else afterwards.

    Raises ConnectionLost, PeerRefused and ProtocolViolated.
    """
    delays = [_ping(stream) for _ in range(_PINGS + 1)][1:]  # the first one warms both ends up
    changes = [abs(later - earlier) for earlier, later in itertools.pairwise(delays)]
    speed = _speed(stream)
    sent, again = stream.segments()
    return Quality(
        delay_ms=sorted(delays)[len(delays) // 2] * 1000,
        jitter_ms=sum(changes) / len(changes) * 1000,
        loss_percent=100 * again / sent if sent else 0.0,
        speed_mbit=speed,
    )


def _ping(stream: FrameStream) -> float:
    began = time.monotonic()
    stream.send_message(Probe())
    _hear(stream)
    return time.monotonic() - began


def _speed(stream: FrameStream) -> float:
    """Return the speed of a stream of pieces in Mbit/s, counted when the receiver says that it has them."""
    piece = Probe(payload=bytes(_PIECE))
    began = time.monotonic()
    sent = heard = 0
    while True:
        more = sent * _PIECE < _SPEED_BYTES and time.monotonic() - began < _SPEED_S
        if more and sent - heard < _AHEAD:
            stream.send_message(piece)
            sent += 1
        elif heard < sent:
            _hear(stream)
            heard += 1
        else:
            return sent * _PIECE * 8 / 1e6 / (time.monotonic() - began)


def _hear(stream: FrameStream) -> Probed:
    while True:
        header, head = stream.receive_header()
        match stream.receive_message(header, head)[0]:
            case Probed() as probed:
                return probed
            case Alive():
                continue
            case Error(code=code, message=text, cause=cause, fix=fix):
                raise PeerRefused(code, text, cause, fix)
            case _:
                raise ProtocolViolated(reason="something else than an answer in a measurement")
