"""The receiver's side of a session: every frame is checked, stored, made durable, and only then acknowledged.

The thread that serves the session reads from the connection; a small pool unpacks and digests; one thread stores, in
the order of arrival. What is in flight is bounded by a pool of buffers. The peer is taken for hostile: nothing that it
sends is used before it was checked against what it announced, and what it announced against limits.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from wherry.disks.direct import aligned_buffer
from wherry.errors import WherryError
from wherry.replication.codecs import Unpacker
from wherry.replication.errors import ConnectionLost, IdentityRefused, ProtocolViolated
from wherry.replication.frames import FrameType, Header, Opened, open_frame
from wherry.replication.granules import EXTENT_SIZE, granule_count
from wherry.replication.messages import (
    DIGESTS_PER_MESSAGE,
    PROTOCOL_VERSION,
    Ack,
    Alive,
    AnyMessage,
    BeginPass,
    Bye,
    ByeOk,
    CommitPass,
    Covered,
    Digests,
    Error,
    Hello,
    Welcome,
)
from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.stream import FrameStream

_BUFFERS: Final = 32
_QUEUED: Final = 64
_WORKERS: Final = 2
_SYNC_BYTES: Final = 32 * 1024 * 1024
_SYNC_S: Final = 0.25
_ALIVE_S: Final = 5.0
_FAREWELL_S: Final = 5.0
_LOST: Final = (ConnectionLost, IdentityRefused)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a session brought: frames, payload bytes, bytes of disk; *orderly* when it ended with BYE."""

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
    """Serve one session until it ends; call it in a thread of its own.

    A session that still runs on the same replica is shut first. *on_commit* is called after a checkpoint was applied
    (the replica is at it then) and should be quick. Returns when the peer said BYE or was lost; raises the WherryError
    that ended the session otherwise, after the peer was told. The stream is closed in any case.
    """
    session = _Session(stream, replica, on_commit)
    try:
        with _kept_alive(stream):
            return session.run()
    finally:
        stream.close()


@dataclass(frozen=True, slots=True)
class _Data:
    """A data frame on its way from the pool to the store."""

    opened: Future[Opened]
    buffer: memoryview | None


@dataclass(frozen=True, slots=True)
class _Control:
    """A control message in its place among the data frames, with header and payload as they came."""

    message: AnyMessage
    head: bytes
    stored: bytes


@dataclass(slots=True)
class _Counts:
    frames: int = 0
    payload: int = 0
    disk: int = 0
    durable: int = 0
    unsynced: int = 0
    oldest_unsynced: float = field(default=0.0)


class _Session:
    def __init__(self, stream: FrameStream, replica: Replica, on_commit: Callable[[Checkpoint], None] | None) -> None:
        self._stream = stream
        self._replica = replica
        self._on_commit = on_commit
        self._arrivals: queue.Queue[_Data | _Control | None] = queue.Queue(_QUEUED)
        self._free: queue.Queue[memoryview] = queue.Queue()
        self._made = 0
        self._failure: BaseException | None = None
        self._counts = _Counts()
        self._covered: dict[int, list[tuple[int, int]]] = {}
        self._covered_frames: list[tuple[bytes, bytes]] = []
        self._in_pass = False  # as the reader sees it
        self._orderly = False
        self._unpackers = threading.local()

    def run(self) -> SessionSummary:
        try:
            hello = self._receive_hello()
            with self._replica.session(self._stream.shut):
                self._replica.prepare(hello.disks)
                self._welcome()
                self._serve()
        except _LOST:
            pass  # the summary says that it wasn't orderly
        except WherryError as error:
            self._tell(error)
            self._stream.drain(_FAREWELL_S)
            raise
        counts = self._counts
        return SessionSummary(counts.frames, counts.payload, counts.disk, self._orderly)

    # Opening

    def _receive_hello(self) -> Hello:
        header, head = self._stream.receive_header()
        message, _stored = self._stream.receive_message(header, head)
        if not isinstance(message, Hello):
            raise ProtocolViolated(reason="a session that doesn't begin with HELLO")
        if message.protocol != PROTOCOL_VERSION:
            raise ProtocolViolated(
                reason=f"version {message.protocol} of the protocol, this side speaks {PROTOCOL_VERSION}",
                cause="Agent and receiver are of different versions.",
                fix="Bring both to the same version.",
            )
        if message.task_id != self._replica.task_id:
            raise ProtocolViolated(reason=f"a session for task {message.task_id!r} on another task's replica")
        return message

    def _welcome(self) -> None:
        replica = self._replica
        checkpoint = replica.checkpoint
        self._stream.send_message(
            Welcome(checkpoint=None if checkpoint is None else checkpoint.number, open_pass=replica.open_pass)
        )
        for disk in replica.disks:
            count = granule_count(disk.size)
            for first in range(0, count, DIGESTS_PER_MESSAGE):
                digests = replica.digests(disk.index, first, min(DIGESTS_PER_MESSAGE, count - first))
                self._stream.send_message(Digests(disk=disk.index, first=first, digests=digests))

    # Reading

    def _serve(self) -> None:
        store = threading.Thread(target=self._store_all, name="store", daemon=True)
        lost: WherryError | None = None
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="open") as pool:
            store.start()
            try:
                self._read_all(pool)
            except _LOST as error:
                lost = error
            finally:
                # What arrived before the end is stored, however the session ends.
                self._put(None)
                store.join()
        if self._failure is not None:
            raise self._failure
        if lost is not None:
            raise lost

    def _read_all(self, pool: ThreadPoolExecutor) -> None:
        while self._failure is None:
            header, head = self._stream.receive_header()
            if header.type is FrameType.CONTROL:
                message, stored = self._stream.receive_message(header, head)
                if isinstance(message, Alive):
                    continue
                self._note(message)
                self._put(_Control(message, head, stored))
                if isinstance(message, Bye):
                    return
                continue
            if not self._in_pass:
                raise ProtocolViolated(reason="a data frame outside of a pass")
            buffer = self._take_buffer() if header.stored_length else None
            payload = memoryview(b"") if buffer is None else buffer[: header.stored_length]
            self._stream.receive_into(payload)
            self._put(_Data(pool.submit(self._open, header, head, payload), buffer))

    def _note(self, message: AnyMessage) -> None:
        """Follow the order of messages as far as the reader needs it; the store checks the rest."""
        if isinstance(message, BeginPass):
            self._in_pass = True
        elif isinstance(message, CommitPass | Bye):
            self._in_pass = False
        elif isinstance(message, Error):
            raise ConnectionLost(reason=f"the agent gave up: {message.code} {message.message}")
        elif not isinstance(message, Covered):
            raise ProtocolViolated(reason="a message that only a receiver sends")

    def _put(self, arrival: _Data | _Control | None) -> None:
        """Hand over to the store; waits while it has enough to do, and forgets when it has failed."""
        while self._failure is None:
            try:
                self._arrivals.put(arrival, timeout=0.25)
            except queue.Full:
                continue
            return

    def _take_buffer(self) -> memoryview:
        """Return a buffer of one extent; waits while all of them are under way."""
        if self._made < _BUFFERS and self._free.empty():
            self._made += 1
            return memoryview(aligned_buffer(EXTENT_SIZE))
        while True:
            try:
                return self._free.get(timeout=0.25)
            except queue.Empty:
                if self._failure is not None:
                    raise ConnectionLost(reason="the session failed") from None

    def _open(self, header: Header, head: bytes, payload: memoryview) -> Opened:
        unpacker = getattr(self._unpackers, "own", None)
        if unpacker is None:
            unpacker = self._unpackers.own = Unpacker()
        return open_frame(header, head, payload, unpacker)

    # Storing: one thread

    def _store_all(self) -> None:
        try:
            while True:
                try:
                    arrival = self._arrivals.get(timeout=self._sync_due())
                except queue.Empty:
                    self._sync()
                    continue
                if arrival is None:
                    self._sync()
                    return
                self._handle(arrival)
                if self._counts.unsynced >= _SYNC_BYTES or self._sync_due() == 0.0:
                    self._sync()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that serves
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Stop the reader, which may be waiting for the peer or for a buffer."""
        self._failure = error
        self._stream.interrupt()

    def _sync_due(self) -> float | None:
        """Return the seconds until what was stored should be made durable; None when there's nothing."""
        if not self._counts.unsynced:
            return None
        return max(0.0, self._counts.oldest_unsynced + _SYNC_S - time.monotonic())

    def _sync(self) -> None:
        if not self._counts.unsynced:
            return
        self._replica.sync()
        self._counts.durable = self._counts.payload
        self._counts.unsynced = 0
        self._say(Ack(durable_bytes=self._counts.durable))

    def _say(self, message: AnyMessage) -> None:
        """Send; a peer that's gone doesn't keep what it sent before from being stored."""
        try:
            self._stream.send_message(message)
        except _LOST:
            return

    def _handle(self, arrival: _Data | _Control) -> None:
        if isinstance(arrival, _Data):
            self._store(arrival)
            return
        match arrival.message:
            case BeginPass(number=number):
                self._replica.begin(number)
                self._forget_covered()
            case Covered():
                self._cover(arrival, arrival.message)
            case CommitPass():
                self._commit(arrival, arrival.message)
            case Bye():
                self._sync()
                self._orderly = True
                self._say(ByeOk())

    def _store(self, arrival: _Data) -> None:
        opened = arrival.opened.result()
        header = opened.header
        self._replica.check(header)
        self._replica.store(opened)
        if arrival.buffer is not None:
            self._free.put(arrival.buffer)
        counts = self._counts
        if not counts.unsynced:
            counts.oldest_unsynced = time.monotonic()
        counts.frames += 1
        counts.payload += header.stored_length
        counts.disk += header.raw_length
        # A frame without payload needs to become durable as well.
        counts.unsynced += max(1, header.stored_length)

    def _commit(self, arrival: _Control, message: CommitPass) -> None:
        self._sync()
        frames = [*self._covered_frames, (arrival.head, arrival.stored)]
        checkpoint = self._replica.commit(message, self._covered, frames, self._say)
        self._forget_covered()
        if self._on_commit is not None:
            self._on_commit(checkpoint)

    def _cover(self, arrival: _Control, message: Covered) -> None:
        runs = self._covered.setdefault(message.disk, [])
        pairs = message.pairs()
        size = next((disk.size for disk in self._replica.disks if disk.index == message.disk), 0)
        if not pairs or len(runs) + len(pairs) > granule_count(size):
            raise ProtocolViolated(reason=f"a list of granules that disk {message.disk} can't have")
        runs.extend(pairs)
        self._covered_frames.append((arrival.head, arrival.stored))

    def _forget_covered(self) -> None:
        self._covered = {}
        self._covered_frames = []

    # Ending

    def _tell(self, error: WherryError) -> None:
        """Send the error to the peer and give it the time to read it."""
        self._say(
            Error(
                code=error.code[:64],
                message=error.message[:4096],
                cause=error.cause[:4096],
                fix=error.fix[:4096],
            )
        )


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
