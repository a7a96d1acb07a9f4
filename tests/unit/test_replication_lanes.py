"""Several connections in one session: order, loss, and what a hostile agent might try with them."""

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.unit.replication_doubles import control_frame, data_frame
from tests.unit.replication_pair import MIB, Place, noise, source
from wherry.disks.extents import Extent
from wherry.errors import WherryError
from wherry.replication.arrivals import Arrivals, Control, Data, Lane
from wherry.replication.errors import ConnectionLost, PeerRefused, ProtocolViolated
from wherry.replication.frames import encode_header
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import (
    AnyMessage,
    BeginPass,
    Bye,
    ByeOk,
    CommitPass,
    Digests,
    DiskLine,
    Error,
    Fence,
    Hello,
    Join,
    Joined,
    Welcome,
)
from wherry.replication.pacing import Pace
from wherry.replication.receiving import SessionSummary, serve_session
from wherry.replication.sending import PassFigures, PassMemory
from wherry.replication.stream import FrameStream

SIZE = 24 * MIB
WHOLE = {0: [Extent(0, SIZE)]}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("connections", [2, 4])
def test_passes_over_several_connections_end_equal(place: Place, connections: int) -> None:
    disk = noise(SIZE, connections)
    disks = [source(disk)]
    served = place.connect(disks, connections=connections)
    session, memory = served.session, PassMemory()
    chance = random.Random(connections)
    covered = session.run_pass(0, disks, WHOLE, memory).covered
    session.commit(False, 1, covered)
    for number in range(1, 4):
        for granule in chance.sample(range(SIZE // GRANULE_SIZE), 60):
            disk[granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE] = chance.randbytes(GRANULE_SIZE)
        report = session.run_pass(number, disks, WHOLE, memory)
        done = session.commit(number == 3, 1, report.covered)
        assert done.received_bytes == report.figures.changed_bytes == 60 * GRANULE_SIZE
        assert done.repeated_bytes == 0
    half = session.half(1, covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(3) == half
    assert sum(future.result().frames for future in served.futures[1:]) == 0


def test_every_connection_carries_its_share(place: Place) -> None:
    disks = [source(bytearray(random.Random(1).randbytes(SIZE)))]
    served = place.connect(disks, connections=3, compress=False)
    served.session.run_pass(0, disks, WHOLE, PassMemory())
    carried = [stream.wire_bytes for stream in served.session._streams]
    assert min(carried) > MIB
    served.close()


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_the_loss_of_one_connection_is_the_loss_of_the_session(place: Place, cut: int) -> None:
    disk = bytearray(random.Random(2).randbytes(SIZE))
    disks = [source(disk)]
    memory = PassMemory()
    served = place.connect(disks, connections=3, compress=False)

    def pull(figures: PassFigures) -> None:
        if figures.sent_bytes > 2 * MIB:
            with contextlib.suppress(OSError):
                served.ours[cut].shutdown(socket.SHUT_RDWR)

    with pytest.raises(ConnectionLost):
        served.session.run_pass(0, disks, WHOLE, memory, pull, Pace(300))
    served.session.close()
    for future in served.futures:
        assert not future.result(10).orderly
    served = place.connect(disks, connections=3)
    report = served.session.run_pass(0, disks, WHOLE, memory)
    assert report.figures.changed_bytes < SIZE - MIB, "what had arrived whole is there"
    served.session.commit(True, 1, report.covered)
    half = served.session.half(1, report.covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(0) == half


def test_a_stopped_pass_goes_on_in_the_same_session(place: Place) -> None:
    disk = bytearray(random.Random(3).randbytes(SIZE))
    disks = [source(disk)]
    memory, stop = PassMemory(), threading.Event()
    served = place.connect(disks, connections=2, compress=False)

    def halt(figures: PassFigures) -> None:
        if figures.sent_bytes > MIB:
            stop.set()

    assert not served.session.run_pass(0, disks, WHOLE, memory, halt, Pace(200), stop=stop).complete
    report = served.session.run_pass(0, disks, WHOLE, memory)
    done = served.session.commit(True, 1, report.covered)
    served.close()
    assert place.image() == disk
    assert memory.resent_bytes == done.repeated_bytes == 0


def test_a_later_session_shuts_all_connections_of_the_one_before(place: Place) -> None:
    disks = [source(noise(SIZE, 4))]
    first = place.connect(disks, connections=3)
    second = place.connect(disks, connections=2)
    for future in first.futures:
        assert not future.result(10).orderly
    first.session.close()
    second.close()


# The rule of fences, by itself


def control(message: AnyMessage) -> Control:
    return Control(message, b"", b"")


def data(lane: Lane) -> Data:
    return Data(Future(), None, lane)


def test_nothing_behind_a_fence_is_handed_out_before_all_have_come_to_it() -> None:
    arrivals = Arrivals()
    first, second = arrivals.add_lane(1), arrivals.add_lane(1)
    early, late = data(second), data(second)
    arrivals.put(second, control(Fence(number=1)))
    arrivals.put(second, early)
    with pytest.raises(TimeoutError):
        arrivals.take(0.01)
    begin = control(BeginPass(number=0))
    arrivals.put(first, begin)
    assert arrivals.take(1) is begin
    assert arrivals.take(1) is early
    commit, own = control(CommitPass(number=0, consistent=False, taken_at=0)), data(first)
    arrivals.put(first, own)
    arrivals.put(first, commit)
    assert arrivals.take(1) is own
    with pytest.raises(TimeoutError):
        arrivals.take(0.01)
    arrivals.put(second, late)
    arrivals.put(second, control(Fence(number=2)))
    assert arrivals.take(1) is late
    assert arrivals.take(1) is commit
    arrivals.end()
    assert arrivals.take(1) is None


@pytest.mark.parametrize("number", [0, 2, 7])
def test_a_fence_out_of_turn_is_refused(number: int) -> None:
    arrivals = Arrivals()
    arrivals.add_lane(1)
    arrivals.put(arrivals.add_lane(1), control(Fence(number=number)))
    with pytest.raises(ProtocolViolated):
        arrivals.take(1)


# Hostile agents


class Wire:
    """One raw connection to the receiver."""

    def __init__(self, place: Place, *messages: AnyMessage) -> None:
        self.socket, far = socket.socketpair()
        self.stream = FrameStream(self.socket)
        self.sequence = 0
        self.served = place.pool.submit(serve_session, FrameStream(far), place.replica)
        for message in messages:
            self.say(message)

    def raw(self, content: bytes) -> None:
        self.socket.setblocking(True)
        self.socket.sendall(content)
        self.socket.setblocking(False)
        self.sequence += 1

    def say(self, message: AnyMessage) -> None:
        self.raw(b"".join(control_frame(message, self.sequence)))

    def data(self, number: int, granule: int) -> None:
        frame = data_frame(0, number, granule * GRANULE_SIZE, b"evil" * (GRANULE_SIZE // 4), sequence=self.sequence)
        self.raw(encode_header(frame.header) + bytes(frame.stored))

    def hear(self, wanted: type[AnyMessage]) -> AnyMessage:
        while True:
            header, head = self.stream.receive_header()
            message, _stored = self.stream.receive_message(header, head)
            if isinstance(message, Error) and wanted is not Error:
                raise PeerRefused(message.code, message.message, message.cause, message.fix)
            if isinstance(message, wanted):
                return message


HELLO = Hello(task_id="task", source_id="s", disks=(DiskLine(index=0, name="d", size=MIB),))


def opened(place: Place) -> tuple[Wire, Wire]:
    """Return a session's first connection, and a second one that has joined."""
    first = Wire(place, HELLO)
    welcome = first.hear(Welcome)
    assert isinstance(welcome, Welcome)
    first.hear(Digests)
    second = Wire(place, Join(session=welcome.session, lane=1))
    second.hear(Joined)
    return first, second


def lane_speaks(message: AnyMessage) -> Callable[[Wire, Wire], None]:
    return lambda _first, second: second.say(message)


def data_before_the_fence(_first: Wire, second: Wire) -> None:
    second.data(0, 1)


def data_of_a_later_pass(first: Wire, second: Wire) -> None:
    second.say(Fence(number=1))
    first.say(BeginPass(number=0))
    second.data(1, 1)


def frame_of_another_connection(first: Wire, second: Wire) -> None:
    """Each connection counts its own frames: one that was swapped in from another isn't due."""
    first.say(BeginPass(number=0))
    second.say(Fence(number=1))
    second.sequence += 1
    second.data(0, 1)


def fence_on_the_first(first: Wire, _second: Wire) -> None:
    first.say(Fence(number=1))


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(lane_speaks(BeginPass(number=0)), id="a pass begun on a further connection"),
        pytest.param(lane_speaks(CommitPass(number=0, consistent=True, taken_at=1)), id="a commit there"),
        pytest.param(lane_speaks(Bye()), id="a farewell there"),
        pytest.param(lane_speaks(HELLO), id="a hello there"),
        pytest.param(lane_speaks(Fence(number=9)), id="a fence out of turn"),
        pytest.param(data_before_the_fence, id="data before the fence"),
        pytest.param(data_of_a_later_pass, id="data of a later pass"),
        pytest.param(frame_of_another_connection, id="a frame of another connection"),
        pytest.param(fence_on_the_first, id="a fence on the first connection"),
    ],
)
def test_what_is_forbidden_on_a_connection_ends_the_session_in_words(
    place: Place, attack: Callable[[Wire, Wire], None]
) -> None:
    first, second = opened(place)
    attack(first, second)
    refusal = first.hear(Error)
    assert isinstance(refusal, Error)
    assert refusal.code == ProtocolViolated.code
    assert refusal.fix
    for wire in (first, second):
        wire.stream.close()
    assert isinstance(first.served.exception(10), ProtocolViolated)
    ended(second.served)
    assert place.replica.checkpoint is None
    assert not any(place.image())


def ended(served: "Future[SessionSummary]") -> None:
    """The connection is over at the receiver, one way or the other, and wasn't taken for orderly."""
    error = served.exception(10)
    assert isinstance(error, WherryError) if error is not None else not served.result().orderly


@pytest.mark.parametrize("session", ["", "0" * 32])
def test_nobody_joins_a_session_that_he_cannot_name(place: Place, session: str) -> None:
    first = Wire(place, HELLO)
    first.hear(Digests)
    stranger = Wire(place, Join(session=session, lane=1))
    refusal = stranger.hear(Error)
    assert isinstance(refusal, Error)
    assert refusal.code == ProtocolViolated.code
    stranger.stream.close()
    assert isinstance(stranger.served.exception(10), ProtocolViolated)
    first.say(Bye())
    first.hear(ByeOk)
    assert first.served.result(10).orderly
    first.stream.close()


@pytest.mark.parametrize("lane", [1, 3])
def test_a_connection_joins_in_turn_and_before_the_first_pass_only(place: Place, lane: int) -> None:
    first, second = opened(place)
    session = place.replica.lobby._sessions
    (name,) = session
    if lane != 1:
        second.say(Fence(number=1))
        first.say(BeginPass(number=0))
        second.data(0, 1)
    late = Wire(place, Join(session=name, lane=lane if lane == 1 else 2))
    if lane != 1:
        # The fence may not have been passed yet: then it's let in, and its data wait for a fence of its own.
        with contextlib.suppress(PeerRefused):
            late.hear(Joined)
    else:
        assert isinstance(late.hear(Error), Error)
    for wire in (first, second, late):
        wire.stream.close()
        ended(wire.served)


def test_a_receiver_that_knows_no_further_connections_gets_one(place: Place) -> None:
    ours, theirs = socket.socketpair()
    welcome = Welcome(checkpoint=None, open_pass=None)
    digests = Digests(disk=0, first=0, digests=bytes(16 * 16))
    theirs.sendall(b"".join(control_frame(welcome, 0) + control_frame(digests, 1)))
    from wherry.replication.sending import SourceSession  # noqa: PLC0415

    spare, far = socket.socketpair()
    session = SourceSession.over(FrameStream(ours), HELLO, further=[FrameStream(spare)])
    assert len(session._streams) == 1
    theirs.close()
    session.close()
    spare.close()
    far.close()
