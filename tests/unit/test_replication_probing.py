"""The way to the receiver is measured over a connection of its own, and neither end can be made to work without end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wherry.errors import WherryError
from wherry.replication import probing
from wherry.replication.errors import ConnectionLost, PeerRefused, ProtocolViolated
from wherry.replication.messages import Alive, AnyMessage, Bye, Error, Probe, Probed
from wherry.replication.stream import FrameStream


@contextmanager
def pair() -> Iterator[tuple[FrameStream, FrameStream]]:
    ours, theirs = (FrameStream(end) for end in socket.socketpair())
    try:
        yield ours, theirs
    finally:
        ours.close()
        theirs.close()


def receive(stream: FrameStream) -> AnyMessage:
    header, head = stream.receive_header()
    return stream.receive_message(header, head)[0]


def answering(stream: FrameStream, ends: list[WherryError]) -> threading.Thread:
    def serve() -> None:
        try:
            first = receive(stream)
            assert isinstance(first, Probe)
            stream.send_message(Alive())  # a receiver may say so at any time
            probing.answer(stream, first)
        except WherryError as error:
            ends.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_way_is_measured_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_SPEED_BYTES", 4 << 20)
    ends: list[WherryError] = []
    with pair() as (ours, theirs):
        thread = answering(theirs, ends)
        quality = probing.measure(ours)
        ours.shut()
        thread.join(10)
    assert quality.delay_ms > 0
    assert quality.jitter_ms >= 0
    assert quality.speed_mbit > 0
    assert quality.loss_percent == 0.0, "a socket pair has no TCP that could lose anything"
    assert [type(end) for end in ends] == [ConnectionLost]


@pytest.mark.parametrize("message", [Bye(), Alive(), Probe(payload=bytes(1 << 20))])
def test_a_source_cannot_keep_a_receiver_busy_for_ever(monkeypatch: pytest.MonkeyPatch, message: AnyMessage) -> None:
    monkeypatch.setattr(probing, "MAX_RECEIVED", (1 << 20) - 1)
    ends: list[WherryError] = []
    with pair() as (ours, theirs):
        thread = answering(theirs, ends)
        ours.send_message(Probe())
        ours.send_message(message)
        thread.join(10)
        assert not thread.is_alive()
    assert [type(end) for end in ends] == [ProtocolViolated]


def test_a_refusal_and_nonsense_end_the_measurement() -> None:
    for said, expected in ((Error("WHERRY.3004", "m", "c", "f"), PeerRefused), (Bye(), ProtocolViolated)):
        with pair() as (ours, theirs):
            theirs.send_message(said)
            with pytest.raises(expected):
                probing.measure(ours)


def test_an_answer_is_what_has_come() -> None:
    with pair() as (ours, theirs):
        thread = answering(theirs, [])
        for size in (0, 5, 7):
            ours.send_message(Probe(payload=bytes(size)))
        said = [message for message in (receive(ours) for _ in range(4)) if not isinstance(message, Alive)]
        ours.shut()
        thread.join(10)
    assert said == [Probed(received=0), Probed(received=5), Probed(received=12)]
