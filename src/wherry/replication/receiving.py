"""The receiver's side of a session: every frame is checked, stored, made durable, and only then acknowledged.

A thread for each connection reads; a small pool unpacks and digests, another one tries patches on the medium; one
thread stores, in the order of arrival between two fences (`arrivals`). What is in flight is bounded by the lanes'
buffers. The peer is taken for hostile: nothing that it sends is used before it was checked against what it announced,
and what it announced against limits. The loss of one connection is the loss of the session.
"""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from wherry.disks.direct import aligned_buffer
from wherry.errors import WherryError
from wherry.replication import probing
from wherry.replication.arrivals import Arrivals, Control, Data, Lane
from wherry.replication.codecs import Unpacker
from wherry.replication.errors import ConnectionLost, IdentityRefused, ProtocolViolated
from wherry.replication.frames import MAX_PAYLOAD, FrameType, Header, Opened, open_frame
from wherry.replication.granuleset import Mask
from wherry.replication.messages import (
    PROTOCOL_VERSION,
    Ack,
    Alive,
    AnyMessage,
    BeginPass,
    Bye,
    ByeOk,
    CommitPass,
    Covered,
    Error,
    Fence,
    Hello,
    Join,
    Joined,
    Probe,
    Ready,
    Review,
)
from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.stages import waited_for_processor_s
from wherry.replication.stream import FrameStream
from wherry.replication.welcoming import reviewed, welcome

_BUFFERS: Final = 32
_LANE_BUFFERS: Final = 8
_WORKERS: Final = max(2, min(8, os.cpu_count() or 1))
_SYNC_BYTES: Final = 32 * 1024 * 1024
_SYNC_S: Final = 0.25
_ALIVE_S: Final = 5.0
_FAREWELL_S: Final = 5.0
_LAST_WORDS_S: Final = 1.0
_TRIERS: Final = 4
"""Threads that try patches: they wait for the medium more than they work."""
_AHEAD: Final = 12
"""Frames that wait for a patch among them to be tried."""
_LOST: Final = (ConnectionLost, IdentityRefused)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a session brought: frames, payload bytes, bytes of disk; *orderly* when it ended with BYE.

    A further connection of a session brings none by itself: its frames are counted by the session.
    """

    frames: int
    payload_bytes: int
    disk_bytes: int
    orderly: bool


def serve_session(
    stream: FrameStream,
    replica: Replica,
    *,
    on_commit: Callable[[Checkpoint], None] | None = None,
) -> SessionSummary:
    """Serve one connection until it ends, a session's first or a further one; call it in a thread of its own.

    A session that still runs on the same replica is shut first. *on_commit* is called after a checkpoint was applied
    (the replica is at it then) and should be quick. Returns when the peer said BYE or was lost; raises the WherryError
    that ended the session otherwise, after the peer was told. The stream is closed in any case.
    """
    try:
        with _kept_alive(stream):
            return _serve(stream, replica, on_commit)
    finally:
        stream.close()


def _serve(stream: FrameStream, replica: Replica, on_commit: Callable[[Checkpoint], None] | None) -> SessionSummary:
    try:
        header, head = stream.receive_header()
        match stream.receive_message(header, head)[0]:
            case Hello() as hello:
                return _Session(stream, replica, on_commit).run(hello)
            case Join(session=name) as join:
                return SessionSummary(0, 0, 0, replica.lobby.find(name).carry(stream, join))
            case Probe() as probe:
                probing.answer(stream, probe)
                return SessionSummary(0, 0, 0, orderly=True)
            case _:
                raise ProtocolViolated(reason="a session that doesn't begin with HELLO")
    except _LOST:
        return SessionSummary(0, 0, 0, orderly=False)
    except WherryError as error:
        _tell(stream, error)
        stream.drain(_FAREWELL_S)
        raise


@dataclass(slots=True)
class _Counts:
    frames: int = 0
    payload: int = 0
    disk: int = 0
    unsynced: int = 0
    oldest_unsynced: float = field(default=0.0)
    storing_s: float = field(default=0.0)
    waited_before_s: float = field(default=0.0)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A frame that was checked, and what becomes of its patches, if it has any."""

    arrival: Data
    opened: Opened
    fitting: Future[Mask] | None

    @property
    def is_ready(self) -> bool:
        return self.fitting is None or self.fitting.done()


class _Session:
    def __init__(self, stream: FrameStream, replica: Replica, on_commit: Callable[[Checkpoint], None] | None) -> None:
        self._streams = [stream]
        self._stream = stream
        self._replica = replica
        self._on_commit = on_commit
        self._arrivals = Arrivals()
        self._lane = self._arrivals.add_lane(_BUFFERS)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="open")
        self._triers = ThreadPoolExecutor(_TRIERS, thread_name_prefix="try")
        self._failure: BaseException | None = None
        self._lost: WherryError | None = None
        self._lost_at = math.inf
        self._counts = _Counts()
        self._waiting: deque[_Waiting] = deque()
        self._covered: dict[int, list[tuple[int, int]]] = {}
        self._covered_frames: list[tuple[bytes, bytes]] = []
        self._in_pass = False
        self._orderly = False
        self._unpackers = threading.local()
        self._readers = threading.Condition()
        self._reading: int | None = 1  # readers at work; None when no more may come

    def run(self, hello: Hello) -> SessionSummary:
        if hello.protocol != PROTOCOL_VERSION:
            raise ProtocolViolated(
                reason=f"version {hello.protocol} of the protocol, this side speaks {PROTOCOL_VERSION}",
                cause="Agent and receiver are of different versions.",
                fix="Bring both to the same version.",
            )
        if hello.task_id != self._replica.task_id:
            raise ProtocolViolated(reason=f"a session for task {hello.task_id!r} on another task's replica")
        try:
            with (
                self._pool,
                self._replica.session(self._leave),
                self._triers,
                self._replica.lobby.entered(self) as name,
            ):
                self._replica.prepare(hello.disks)
                self._replica.make_ready()
                for message in welcome(self._replica, hello, name):
                    self._stream.send_message(message)
                self._serve()
        except _LOST:
            pass  # the summary says that it wasn't orderly
        finally:
            # Also what joined at the last moment.
            self._shut(but_first=True)
        counts = self._counts
        return SessionSummary(counts.frames, counts.payload, counts.disk, self._orderly)

    def carry(self, stream: FrameStream, join: Join) -> bool:
        """Read a further connection of this session until it ends."""
        with self._readers:
            if self._reading is None or self._arrivals.has_begun or join.lane != len(self._streams):
                raise ProtocolViolated(reason="a connection that joins out of turn")
            self._reading += 1
            self._streams.append(stream)
            lane = self._arrivals.add_lane(_LANE_BUFFERS)
        try:
            stream.send_message(Joined())
            self._read(stream, lane)
        finally:
            self._reader_ended()
        return self._orderly

    # Reading

    def _serve(self) -> None:
        store = threading.Thread(target=self._store_all, name="store", daemon=True)
        store.start()
        try:
            self._read(self._stream, self._lane)
        finally:
            self._reader_ended()
            with self._readers:
                # After BYE the others have nothing to say any more. Without it they have been interrupted.
                while self._reading and not self._orderly:
                    self._readers.wait(_SYNC_S)
                self._reading = None
            # What arrived before the end is stored, however the session ends.
            self._arrivals.end()
            store.join()
        if self._failure is not None:
            raise self._failure
        if self._lost is not None:
            raise self._lost

    def _reader_ended(self) -> None:
        with self._readers:
            if self._reading is not None:
                self._reading -= 1
            self._readers.notify_all()

    def _read(self, stream: FrameStream, lane: Lane) -> None:
        try:
            self._read_all(stream, lane)
        except _LOST as error:
            if not self._orderly:
                self._lost_at = min(self._lost_at, time.monotonic())
                self._lost = self._lost or error
                self._interrupt()
        except WherryError as error:
            if lane is self._lane:
                self._interrupt()
                raise
            self._fail(error)

    def _read_all(self, stream: FrameStream, lane: Lane) -> None:
        # When another connection is lost, what has arrived on this one is still taken, but no endless stream.
        while self._failure is None and time.monotonic() < self._lost_at + _LAST_WORDS_S:
            header, head = stream.receive_header()
            if header.type is FrameType.CONTROL:
                message, stored = stream.receive_message(header, head)
                if isinstance(message, Alive):
                    continue
                self._admit(message, lane)
                self._arrivals.put(lane, Control(message, head, stored))
                if isinstance(message, Bye):
                    return
                continue
            buffer = self._buffer(lane) if header.stored_length else None
            payload = memoryview(b"") if buffer is None else buffer[: header.stored_length]
            stream.receive_into(payload)
            self._arrivals.put(lane, Data(self._pool.submit(self._open, header, head, payload), buffer, lane))

    def _admit(self, message: AnyMessage, lane: Lane) -> None:
        """Refuse what doesn't belong on the lane; the store checks the order."""
        if isinstance(message, Error):
            raise ConnectionLost(reason=f"the agent gave up: {message.code} {message.message}")
        allowed = BeginPass | Review | Covered | CommitPass | Bye if lane is self._lane else Fence
        if not isinstance(message, allowed):
            raise ProtocolViolated(reason="a message that only a receiver sends, or on the wrong connection")

    def _buffer(self, lane: Lane) -> memoryview:
        """Return a buffer for the payload of a data frame."""
        buffer = self._arrivals.take_buffer(lane)
        if buffer is not None:
            return buffer
        if self._arrivals.is_refusing:
            raise ConnectionLost(reason="the session failed")
        return memoryview(aligned_buffer(MAX_PAYLOAD))

    def _open(self, header: Header, head: bytes, payload: memoryview) -> Opened:
        unpacker = getattr(self._unpackers, "own", None)
        if unpacker is None:
            unpacker = self._unpackers.own = Unpacker()
        return open_frame(header, head, payload, unpacker)

    # Storing: one thread

    def _store_all(self) -> None:
        self._counts.waited_before_s = waited_for_processor_s()
        try:
            while True:
                try:
                    arrival = self._arrivals.take(0.0 if self._waiting else self._sync_due())
                except TimeoutError:
                    if self._waiting:
                        self._store_next()
                    else:
                        self._sync()
                    continue
                if isinstance(arrival, Data):
                    self._take_up(arrival)
                else:
                    self._store_waiting()
                    if arrival is None:
                        self._sync()
                        return
                    self._handle(arrival)
                if self._counts.unsynced >= _SYNC_BYTES or self._sync_due() == 0.0:
                    self._sync()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that serves
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Stop the readers, which may be waiting for the peer or for a buffer."""
        self._failure = self._failure or error
        self._arrivals.refuse()
        self._interrupt()

    def _interrupt(self) -> None:
        for stream in list(self._streams):
            stream.interrupt()

    def _leave(self) -> None:
        """Make room for another session: take what has arrived, and no more; when asked again, nothing at all."""
        if self._lost_at < math.inf:
            self._shut()
        self._lost_at = min(self._lost_at, time.monotonic())
        self._interrupt()

    def _shut(self, *, but_first: bool = False) -> None:
        for stream in list(self._streams)[int(but_first) :]:
            stream.shut()

    def _sync_due(self) -> float | None:
        """Return the seconds until what was stored should be made durable; None when there's nothing."""
        if not self._counts.unsynced:
            return None
        return max(0.0, self._counts.oldest_unsynced + _SYNC_S - time.monotonic())

    def _sync(self) -> None:
        if not self._counts.unsynced:
            return
        with self._storing():
            self._replica.sync()
        self._acknowledge()

    def _acknowledge(self) -> None:
        """Tell the peer that all that was stored is durable."""
        self._counts.unsynced = 0
        # A thread that waits for a processor isn't held up by the medium.
        storing_s = max(0.0, self._counts.storing_s - (waited_for_processor_s() - self._counts.waited_before_s))
        idle_s = sum(stream.waited_to_read_s for stream in self._streams)
        self._say(
            Ack(
                durable_bytes=self._counts.payload,
                idle_ms=int(idle_s * 1000),
                storing_ms=int(storing_s * 1000),
            )
        )

    @contextmanager
    def _storing(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._counts.storing_s += time.monotonic() - began

    def _say(self, message: AnyMessage) -> None:
        _say(self._stream, message)

    def _handle(self, arrival: Control) -> None:
        match arrival.message:
            case BeginPass(number=number):
                self._replica.begin(number)
                self._forget_covered()
                self._in_pass = True
            case Review(number=number):
                if not self._in_pass:
                    raise ProtocolViolated(reason="a question for patches outside of a pass")
                for message in reviewed(self._replica, number):
                    self._say(message)
            case Covered():
                self._cover(arrival, arrival.message)
            case CommitPass(number=number):
                if not self._in_pass:
                    raise ProtocolViolated(reason=f"pass {number} was committed but never begun")
                self._in_pass = False
                self._commit(arrival, arrival.message)
            case Bye():
                self._sync()
                self._orderly = True
                self._say(ByeOk())
                with self._readers:
                    self._readers.notify_all()

    def _take_up(self, arrival: Data) -> None:
        """Check a frame, and store it when those before it are stored; a PATCH is tried meanwhile."""
        try:
            opened = arrival.opened.result()
            if not self._in_pass:
                raise ProtocolViolated(reason="a data frame outside of a pass")
            self._replica.check(opened)
        except WherryError:
            self._store_waiting()
            raise
        fitting = None if opened.patch is None else self._triers.submit(self._replica.fits, opened)
        self._waiting.append(_Waiting(arrival, opened, fitting))
        while self._waiting and (self._waiting[0].is_ready or len(self._waiting) > _AHEAD):
            self._store_next()

    def _store_waiting(self) -> None:
        while self._waiting:
            self._store_next()

    def _store_next(self) -> None:
        next_one = self._waiting.popleft()
        fitting = None if next_one.fitting is None else next_one.fitting.result()
        with self._storing():
            self._replica.store(next_one.opened, fitting)
        self._arrivals.give_back(next_one.arrival)
        header, counts = next_one.opened.header, self._counts
        if not counts.unsynced:
            counts.oldest_unsynced = time.monotonic()
        counts.frames += 1
        counts.payload += header.stored_length
        counts.disk += header.disk_length
        # A frame without payload needs to become durable as well.
        counts.unsynced += max(1, header.stored_length)

    def _commit(self, arrival: Control, message: CommitPass) -> None:
        frames = [*self._covered_frames, (arrival.head, arrival.stored)]
        checkpoint = self._replica.commit(message, self._covered, frames, self._say)
        self._forget_covered()
        self._acknowledge()
        if self._on_commit is not None:
            self._on_commit(checkpoint)
        self._replica.make_ready()
        self._say(Ready(number=self._replica.next_pass))

    def _cover(self, arrival: Control, message: Covered) -> None:
        runs = self._covered.setdefault(message.disk, [])
        pairs = message.pairs()
        if not pairs or len(runs) + len(pairs) > self._replica.granules(message.disk):
            raise ProtocolViolated(reason=f"a list of granules that disk {message.disk} can't have")
        runs.extend(pairs)
        self._covered_frames.append((arrival.head, arrival.stored))

    def _forget_covered(self) -> None:
        self._covered = {}
        self._covered_frames = []


def _say(stream: FrameStream, message: AnyMessage) -> None:
    """Send; a peer that's gone doesn't keep what it sent before from being stored."""
    try:
        stream.send_message(message)
    except _LOST:
        return


def _tell(stream: FrameStream, error: WherryError) -> None:
    """Send the error to the peer."""
    text = [error.message, error.cause, error.fix]
    _say(stream, Error(error.code[:64], *(each[:4096] for each in text)))


@contextmanager
def _kept_alive(stream: FrameStream) -> Iterator[None]:
    """Let the peer know that this side still works, however long it is busy."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_ALIVE_S):
            try:
                if time.monotonic() - stream.last_sent >= _ALIVE_S:
                    stream.send_message(Alive())
            except _LOST:
                return

    thread = threading.Thread(target=beat, name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
