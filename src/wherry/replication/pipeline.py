"""The pipeline of a pass on the source: workers that look at extents, a sender for each connection, and who watches.

Workers read, digest, compare and pack; a thread for each connection sends; the calling thread watches over them, shows
figures and adjusts level and pace. Buffers are filled by direct reads and sent without a copy, and their number bounds
the memory. Granules are claimed some at a time from the set of those that are to be looked at.
"""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wherry.errors import WherryError
from wherry.replication.buffers import BufferPool
from wherry.replication.errors import ConnectionLost, IdentityRefused
from wherry.replication.figures import Observer, PassFigures
from wherry.replication.frames import GATHERED, FrameType
from wherry.replication.granuleset import GranuleSet, Numbers
from wherry.replication.guarding import LatencyGuard
from wherry.replication.levels import LevelControl
from wherry.replication.listening import Listener
from wherry.replication.lookout import Load, Lookout, Piece, SourceDisk, length_of
from wherry.replication.memory import PassMemory
from wherry.replication.pacing import Pace
from wherry.replication.patches import BlockMarks
from wherry.replication.sourcetable import SourceTables
from wherry.replication.stages import Bottleneck, StageTimes, bottleneck
from wherry.replication.stream import FrameStream

_FIGURES_S: Final = 0.25
_LOOK_S: Final = 0.1
_WEIGH_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class PassSettings:
    """What a run of a pass goes by. *levels* None sends everything plain; *stop* ends it at the border of a frame.

    *blocks*: by disk, which blocks of the granules may have been written since the last commit.
    """

    number: int
    workers: int
    levels: LevelControl | None
    pace: Pace | None
    guard: LatencyGuard | None
    observer: Observer | None
    stop: threading.Event
    blocks: Mapping[int, BlockMarks]


@dataclass(frozen=True, slots=True)
class Connections:
    """What a pass is sent over; the first stream is the session's own, to which *listener* listens."""

    streams: Sequence[FrameStream]
    listener: Listener

    @property
    def wire_bytes(self) -> int:
        """Bytes sent over all of them."""
        return sum(stream.wire_bytes for stream in self.streams)

    def shut(self) -> None:
        """End them all."""
        for stream in self.streams:
            stream.shut()


@dataclass(slots=True)
class _Totals:
    payload_before: int
    used: int = 0
    read: int = 0
    changed: int = 0
    sent: int = 0
    resent: int = 0
    patched: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Mark:
    """Where something stood when it was last looked at."""

    at: float
    wire: int
    times: StageTimes


class Pipeline:
    """One run of one pass. `run` is called once."""

    def __init__(
        self,
        connections: Connections,
        tables: SourceTables,
        pool: BufferPool,
        memory: PassMemory,
        settings: PassSettings,
        *,
        payload_before: int,
    ) -> None:
        self._connections = connections
        self._listener = connections.listener
        self._tables = tables
        self._pool = pool
        self._memory = memory
        self._settings = settings
        self._loads: queue.SimpleQueue[Load | None] = queue.SimpleQueue()
        self._claims: Iterator[tuple[SourceDisk, Numbers]] = iter(())
        self._lock = threading.Lock()
        self._abort = threading.Event()
        self._error: BaseException | None = None
        self._working = settings.workers
        self._sending = len(connections.streams)
        self._quiet = threading.Event()  # no sender is left
        self._totals = _Totals(payload_before)
        self._spent: dict[str, float] = {}
        self._waited_before = self._waited()
        self._bottleneck = Bottleneck.UNKNOWN
        self._began = self._shown = self._weighed = _Mark(self._totals.began, connections.wire_bytes, StageTimes())

    def run(self, chosen: Sequence[tuple[SourceDisk, GranuleSet]]) -> tuple[bool, PassFigures]:
        """Send what differs of the granules of each disk; return whether all were looked at, and the figures.

        Raises what ended it otherwise: PeerRefused, ConnectionLost, IdentityRefused, an error of the reader.
        """
        settings = self._settings
        self._totals.used = sum(granules.byte_count(disk.size) for disk, granules in chosen)
        self._claims = ((disk, numbers) for disk, granules in chosen for numbers in cut(granules))
        threads = [
            threading.Thread(target=self._work, name=f"read-{number}", daemon=True) for number in range(self._working)
        ]
        threads += [
            threading.Thread(target=self._send_all, args=(stream,), name=f"send-{number}", daemon=True)
            for number, stream in enumerate(self._connections.streams)
        ]
        for thread in threads:
            thread.start()
        try:
            self._watch()
        except WherryError as error:
            self._fail(error)
        finally:
            self._end(threads)
        if self._error is not None:
            raise self._error
        self._weigh(time.monotonic())
        figures = self._figures(self._began)
        if settings.observer is not None:
            settings.observer(figures)
        return figures.read_bytes == figures.used_bytes and not settings.stop.is_set(), figures

    @property
    def has_patched(self) -> bool:
        """Whether patches were sent, that may not fit."""
        return self._totals.patched > 0

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for the threads; a connection that failed takes the others with it."""
        self._abort.set()
        error = self._error
        if isinstance(error, ConnectionLost | IdentityRefused):
            self._error = self._listener.reason_for(error)
            if self._error is not error:
                self._error.__cause__ = error
            self._connections.shut()
        elif self._listener.ended.is_set():
            self._connections.shut()
        for thread in threads:
            thread.join()
        self._pool.shrink()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._abort.set()

    # Workers

    def _work(self) -> None:
        settings = self._settings
        levels = settings.levels
        lookout = Lookout(settings.number, lambda: None if levels is None else levels.level)
        buffer: memoryview | None = None
        try:
            while not settings.stop.is_set():
                buffer = buffer or self._take_buffer()
                claimed = self._claim() if buffer is not None else None
                if buffer is None or claimed is None or self._abort.is_set():
                    break
                if self._look(lookout, *claimed, buffer):
                    buffer = None
            self._hand_on(lookout.rest())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that watches
            self._fail(error)
        finally:
            if buffer is not None:
                self._pool.give(buffer)
            self._worker_ended()

    def _worker_ended(self) -> None:
        with self._lock:
            self._working -= 1
            is_last = not self._working
        if is_last:
            for _stream in self._connections.streams:
                self._loads.put(None)

    def _take_buffer(self) -> memoryview | None:
        began = time.monotonic()
        buffer = self._pool.take(self._abort)
        self._spend(starved=time.monotonic() - began)
        return buffer

    def _claim(self) -> tuple[SourceDisk, Numbers] | None:
        with self._lock:
            return next(self._claims, None)

    def _look(self, lookout: Lookout, disk: SourceDisk, numbers: Numbers, buffer: memoryview) -> bool:
        """Look at some granules; True when the buffer went into a load."""
        settings = self._settings
        if settings.guard is not None:
            began = time.monotonic()
            settings.guard.pace.take(length_of(numbers, disk.size), self._abort)
            self._spend(guarded=time.monotonic() - began)
        look = lookout.look(disk, self._tables[disk.index], numbers, buffer, settings.blocks.get(disk.index))
        with self._lock:
            self._totals.read += look.length
        self._spend(reading=look.reading_s, working=look.working_s)
        return self._hand_on(look.loads)

    def _hand_on(self, loads: Sequence[Load]) -> bool:
        """Let the senders have *loads*; True when one of them has a buffer."""
        with self._lock:
            self._totals.changed += sum(piece.header.disk_length for load in loads for piece in load.pieces)
        for load in loads:
            self._loads.put(load)
        return any(load.buffer is not None for load in loads)

    # Senders

    def _send_all(self, stream: FrameStream) -> None:
        try:
            while True:
                began = time.monotonic()
                load = self._loads.get()
                self._spend(unfed=time.monotonic() - began)
                if load is None:
                    return
                try:
                    # After a stop what's ready is dropped: the pass reads it again when it goes on.
                    if not self._settings.stop.is_set() and not self._abort.is_set():
                        self._send(stream, load)
                finally:
                    self._give(load)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that watches
            self._fail(error)
            self._give_back()
        finally:
            with self._lock:
                self._sending -= 1
                if not self._sending:
                    self._quiet.set()

    def _send(self, stream: FrameStream, load: Load) -> None:
        began, waited = time.monotonic(), stream.waited_to_write_s + stream.paced_s
        for piece in load.pieces:
            self._send_piece(stream, load.disk, piece)
        waited = stream.waited_to_write_s + stream.paced_s - waited
        self._spend(sending=time.monotonic() - began - waited)

    def _send_piece(self, stream: FrameStream, disk: SourceDisk, piece: Piece) -> None:
        table = self._tables[disk.index]
        kind = piece.header.type
        table.sending(piece.numbers)
        if kind is FrameType.PATCH:
            with self._lock:
                self._totals.patched += piece.header.disk_length
        stream.send_frame(piece.header, piece.payload, self._settings.pace, self._abort)
        table.sent(piece.numbers, piece.digests)
        with self._lock:
            self._totals.sent += len(piece.payload)
            if kind not in {FrameType.ZERO, FrameType.PATCH}:
                self._totals.resent += self._memory.note(disk.index, disk.size, piece.numbers, piece.digests)

    def _give_back(self) -> None:
        """Empty the queue in place of a sender that is gone, until the workers have ended."""
        while (load := self._loads.get()) is not None:
            self._give(load)

    def _give(self, load: Load) -> None:
        if load.buffer is not None:
            self._pool.give(load.buffer)

    # The watch

    def _watch(self) -> None:
        settings = self._settings
        while not self._quiet.wait(_LOOK_S):
            self._listener.check()
            if self._error is not None:
                return
            now = time.monotonic()
            if now - self._weighed.at >= _WEIGH_S:
                self._weigh(now)
                if settings.levels is not None:
                    settings.levels.advise(self._bottleneck)
            if settings.guard is not None:
                settings.guard.look(self._totals.read)
            if settings.observer is not None and now - self._shown.at >= _FIGURES_S:
                settings.observer(self._figures(self._shown))
                self._shown = _Mark(now, self._connections.wire_bytes, StageTimes())

    def _spend(self, **seconds: float) -> None:
        with self._lock:
            for stage, more in seconds.items():
                self._spent[stage] = self._spent.get(stage, 0.0) + more

    def _waited(self) -> tuple[float, float]:
        streams = self._connections.streams
        return sum(each.waited_to_write_s for each in streams), sum(each.paced_s for each in streams)

    def _weigh(self, now: float) -> None:
        """Find out what held the pass up since it was weighed last."""
        blocked, paced = (after - before for after, before in zip(self._waited(), self._waited_before, strict=True))
        with self._lock:
            times = StageTimes(blocked=blocked, paced=paced, **self._spent)
        far_side = self._listener.far_side
        found = bottleneck(
            times.since(self._weighed.times),
            connections=len(self._connections.streams),
            seconds=now - self._weighed.at,
            idle=far_side.idle,
            storing=far_side.storing,
        )
        if found is not Bottleneck.UNKNOWN:
            self._bottleneck = found
        self._weighed = _Mark(now, 0, times)

    def _figures(self, since: _Mark) -> PassFigures:
        totals, now, wire = self._totals, time.monotonic(), self._connections.wire_bytes
        return PassFigures(
            number=self._settings.number,
            used_bytes=totals.used,
            read_bytes=totals.read,
            changed_bytes=totals.changed,
            sent_bytes=totals.sent,
            wire_bytes=wire - self._began.wire,
            resent_bytes=totals.resent,
            durable_bytes=max(0, self._listener.durable_bytes - totals.payload_before),
            remaining_bytes=totals.used - totals.read,
            rate_mbit=(wire - since.wire) * 8 / 1e6 / max(now - since.at, 1e-6),
            seconds=now - totals.began,
            bottleneck=self._bottleneck.value,
            patched_bytes=totals.patched,
        )


def cut(granules: GranuleSet) -> Iterator[Numbers]:
    """Yield the numbers of a set's granules, as many at a time as go into a frame."""
    for numbers in granules.numbers():
        for start in range(0, len(numbers), GATHERED):
            yield numbers[start : start + GATHERED]
