"""Frames over a socket pair: limits, silence, ends from both sides."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.unit.replication_doubles import control_frame, data_frame
from wherry.replication.errors import ConnectionLost, ProtocolViolated
from wherry.replication.frames import FrameType
from wherry.replication.granules import EXTENT_SIZE, GRANULE_SIZE
from wherry.replication.messages import Ack, Alive, AnyMessage, Digests
from wherry.replication.stream import FrameStream


@pytest.fixture
def ends() -> Iterator[tuple[FrameStream, FrameStream]]:
    left, right = socket.socketpair()
    pair = FrameStream(left, silence_s=0.5), FrameStream(right, silence_s=0.5)
    yield pair
    for each in pair:
        each.close()


def hear(stream: FrameStream) -> AnyMessage:
    header, head = stream.receive_header()
    return stream.receive_message(header, head)[0]


Ends = tuple[FrameStream, FrameStream]


def test_messages_and_data_come_in_order(ends: Ends) -> None:
    left, right = ends
    frame = data_frame(0, 0, 0, b"x" * GRANULE_SIZE, pack=False)
    left.send_message(Alive())
    left.send_frame(frame.header, frame.stored)
    left.send_message(Ack(durable_bytes=4))
    assert hear(right) == Alive()
    header, _head = right.receive_header()
    assert (header.type, header.sequence) == (FrameType.DATA, 1)
    payload = bytearray(header.stored_length)
    right.receive_into(memoryview(payload))
    assert payload == frame.stored
    assert hear(right) == Ack(durable_bytes=4)
    assert left.wire_bytes == 3 * 64 + GRANULE_SIZE + len(control_frame(Alive())[1]) + len(
        control_frame(Ack(durable_bytes=4))[1]
    )


def test_many_digests_travel_packed(ends: Ends) -> None:
    left, right = ends
    message = Digests(disk=0, first=0, digests=bytes(16 * 65_536))
    sender = threading.Thread(target=left.send_message, args=(message,))
    sender.start()
    assert hear(right) == message
    sender.join()
    assert left.wire_bytes < 1000


def test_a_closed_peer_is_noticed_by_reader_and_writer(ends: Ends) -> None:
    left, right = ends
    right.close()
    with pytest.raises(ConnectionLost):
        left.receive_header()
    with pytest.raises(ConnectionLost):  # noqa: PT012 - the first may still be buffered
        for _ in range(3):
            left.send_message(Alive())


def test_a_silent_peer_is_noticed(ends: Ends) -> None:
    left, _right = ends
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match="nothing was heard"):
        left.receive_header()
    assert 0.4 < time.monotonic() - began < 3


def test_a_peer_that_takes_nothing_is_noticed(ends: Ends) -> None:
    left, _right = ends
    frame = data_frame(0, 0, 0, b"x" * EXTENT_SIZE, pack=False)
    with pytest.raises(ConnectionLost, match="took nothing"):  # noqa: PT012 - the first ones are buffered
        for _ in range(8):
            left.send_frame(frame.header, frame.stored)


def test_a_peer_that_takes_nothing_but_says_alive_is_only_busy(ends: Ends) -> None:
    left, right = ends
    frame = data_frame(0, 0, 0, b"x" * EXTENT_SIZE, pack=False)
    sent = threading.Event()

    def send() -> None:
        for _ in range(4):
            left.send_frame(frame.header, frame.stored)
        sent.set()

    def listen() -> None:
        for _ in range(8):
            hear(left)

    threads = [threading.Thread(target=each) for each in (send, listen)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        time.sleep(0.15)
        right.send_message(Alive())
    assert not sent.is_set()
    payload = memoryview(bytearray(EXTENT_SIZE))
    for _ in range(4):
        right.receive_header()
        right.receive_into(payload)
    for thread in threads:
        thread.join()
    assert sent.is_set()


def test_readable_waits_no_longer_than_asked(ends: Ends) -> None:
    left, right = ends
    assert not left.readable(0.01)
    right.send_message(Alive())
    assert left.readable(5)
    assert hear(left) == Alive()
    time.sleep(0.6)
    with pytest.raises(ConnectionLost):
        left.readable(0.01)


@pytest.mark.parametrize("end", ["shut", "interrupt"])
def test_a_reader_is_woken_from_another_thread(ends: Ends, end: str) -> None:
    left, right = ends
    left._silence_s = right._silence_s = 30
    timer = threading.Timer(0.1, getattr(left, end))
    timer.start()
    with pytest.raises(ConnectionLost):
        left.receive_header()
    timer.join()
    if end == "interrupt":
        left.send_message(Alive())
        assert hear(right) == Alive()
    else:
        with pytest.raises(ConnectionLost):
            left.send_message(Alive())


def test_what_was_said_last_arrives_over_bytes_that_nobody_read(ends: Ends) -> None:
    left, right = ends
    right.send_message(Alive())
    right.send_message(Alive())
    left.send_message(Ack(durable_bytes=1))

    def end() -> None:
        left.drain(5)
        left.close()

    closer = threading.Thread(target=end)
    closer.start()
    assert hear(right) == Ack(durable_bytes=1)
    right.close()
    closer.join(2)
    assert not closer.is_alive()


@pytest.mark.parametrize("sequences", [(0, 0), (1,), (0, 2)])
def test_frames_out_of_sequence_are_refused(sequences: tuple[int, ...]) -> None:
    ours, theirs = socket.socketpair()
    stream = FrameStream(theirs)
    for sequence in sequences:
        ours.sendall(b"".join(control_frame(Alive(), sequence)))
    with pytest.raises(ProtocolViolated, match="was due"):  # noqa: PT012 - any of them
        for _ in sequences:
            hear(stream)
    ours.close()
    stream.close()


def test_a_data_frame_is_no_message(ends: Ends) -> None:
    left, right = ends
    frame = data_frame(0, 0, 0, b"x" * 512, pack=False)
    left.send_frame(frame.header, frame.stored)
    header, head = right.receive_header()
    with pytest.raises(ProtocolViolated):
        right.receive_message(header, head)


def test_writers_in_several_threads_dont_mix_their_frames(ends: Ends) -> None:
    left, right = ends
    left._silence_s = right._silence_s = 10
    frame = data_frame(0, 0, 0, bytes(range(256)) * 1024, pack=False)

    def write() -> None:
        for _ in range(20):
            left.send_frame(frame.header, frame.stored)
            left.send_message(Alive())

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    payload = memoryview(bytearray(len(frame.stored)))
    kinds = {FrameType.DATA: 0, FrameType.CONTROL: 0}
    for _ in range(120):
        header, head = right.receive_header()
        kinds[header.type] += 1
        if header.type is FrameType.CONTROL:
            right.receive_message(header, head)
        else:
            right.receive_into(payload)
            assert payload == frame.stored
    for thread in threads:
        thread.join()
    assert kinds == {FrameType.DATA: 60, FrameType.CONTROL: 60}
