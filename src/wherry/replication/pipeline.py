"""The pipeline of a pass on the source: workers that read, digest, compare and pack, a sender, and bounded buffers."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wherry.disks.direct import BlockReader, aligned_buffer
from wherry.disks.extents import Extent, align, total
from wherry.errors import WherryError
from wherry.replication.codecs import Codec, Packer
from wherry.replication.digests import MemoryTable, runs_of
from wherry.replication.errors import SourceReadFailed
from wherry.replication.figures import Observer, PassFigures
from wherry.replication.frames import FrameType, Header, data_digest, zero_header
from wherry.replication.granules import DIGEST_SIZE, EXTENT_SIZE, GRANULE_SIZE, Buffer, as_digests, granule_digests
from wherry.replication.listening import Listener
from wherry.replication.memory import PassMemory
from wherry.replication.pacing import Pace
from wherry.replication.stream import FrameStream

_FIGURES_S: Final = 0.25
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk to send: *index* as announced in HELLO, *name* for people, *size* in bytes, and how to read it."""

    index: int
    name: str
    size: int
    reader: BlockReader


class BufferPool:
    """Buffers of one extent each, aligned for direct reads; made when first needed and kept."""

    def __init__(self, count: int) -> None:
        self._free: queue.LifoQueue[memoryview] = queue.LifoQueue()
        self._unmade = count
        self._making = threading.Lock()

    def take(self, abort: threading.Event) -> memoryview | None:
        """Return a buffer; waits for one. None when *abort* is set."""
        while not abort.is_set():
            try:
                return self._free.get_nowait()
            except queue.Empty:
                pass
            with self._making:
                if self._unmade:
                    self._unmade -= 1
                    return memoryview(aligned_buffer(EXTENT_SIZE))
            try:
                return self._free.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
        return None

    def give(self, buffer: memoryview) -> None:
        """Return *buffer* to the pool."""
        self._free.put(buffer)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A frame to send: header (without sequence), payload, and the digests of its granules."""

    header: Header
    payload: Buffer
    digests: bytes


@dataclass(frozen=True, slots=True)
class _Load:
    """What differs in one extent, and the buffer that the payloads lie in."""

    disk: SourceDisk
    pieces: Sequence[_Piece]
    buffer: memoryview


@dataclass(slots=True)
class _Totals:
    used: int
    payload_before: int
    wire_before: int
    began: float
    read: int = 0
    changed: int = 0
    sent: int = 0
    resent: int = 0
    shown_at: float = field(default=0.0)
    shown_wire: int = field(default=0)


class Pipeline:
    """One run of one pass over a session's stream. `run` is called once, by the thread that sends."""

    def __init__(
        self,
        stream: FrameStream,
        listener: Listener,
        tables: Mapping[int, MemoryTable],
        pool: BufferPool,
        *,
        number: int,
        workers: int,
        compress: bool,
        payload_before: int,
    ) -> None:
        self._stream = stream
        self._listener = listener
        self._tables = tables
        self._pool = pool
        self._number = number
        self._workers = workers
        self._compress = compress
        self._payload_before = payload_before
        self._loads: queue.Queue[_Load | None] = queue.Queue()
        self._extents: Iterator[tuple[SourceDisk, Extent]] = iter(())
        self._claiming = threading.Lock()
        self._abort = threading.Event()
        self._error: BaseException | None = None
        self._totals = _Totals(0, 0, 0, 0.0)

    def run(
        self,
        disks: Sequence[SourceDisk],
        used: Mapping[int, Sequence[Extent]],
        memory: PassMemory,
        *,
        observer: Observer | None,
        pace: Pace | None,
        stop: threading.Event,
    ) -> tuple[bool, PassFigures]:
        """Send what differs; return whether everything was looked at, and the figures.

        Raises what ended it otherwise: PeerRefused, ConnectionLost, IdentityRefused, an error of the reader.
        """
        runs = [(disk, align(used.get(disk.index, ()), GRANULE_SIZE, disk.size)) for disk in disks]
        now = time.monotonic()
        self._totals = _Totals(
            sum(total(extents) for _disk, extents in runs), self._payload_before, self._stream.wire_bytes, now
        )
        self._totals.shown_at, self._totals.shown_wire = now, self._stream.wire_bytes
        self._extents = ((disk, extent) for disk, extents in runs for extent in _cut(extents))
        threads = [
            threading.Thread(target=self._work, args=(stop,), name=f"read-{number}", daemon=True)
            for number in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        try:
            self._send_all(memory, observer, pace, stop)
        except WherryError as error:
            raise self._listener.reason_for(error) from error
        finally:
            self._abort.set()
            for thread in threads:
                thread.join()
            self._give_back()
        if self._error is not None:
            raise self._error
        figures = self._figures(final=True)
        if observer is not None:
            observer(figures)
        return figures.read_bytes == figures.used_bytes and not stop.is_set(), figures

    # Workers

    def _work(self, stop: threading.Event) -> None:
        packer = Packer() if self._compress else None
        buffer: memoryview | None = None
        try:
            while not stop.is_set():
                buffer = buffer or self._pool.take(self._abort)
                claimed = self._claim() if buffer is not None else None
                if buffer is None or claimed is None or self._abort.is_set():
                    break
                load = self._look(*claimed, buffer, packer)
                if load is not None:
                    self._loads.put(load)
                    buffer = None
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that sends
            self._error = self._error or error
            self._abort.set()
        finally:
            if buffer is not None:
                self._pool.give(buffer)
            self._loads.put(None)

    def _claim(self) -> tuple[SourceDisk, Extent] | None:
        with self._claiming:
            return next(self._extents, None)

    def _look(self, disk: SourceDisk, extent: Extent, buffer: memoryview, packer: Packer | None) -> _Load | None:
        """Read an extent and pack what differs of it; None when nothing does."""
        view = buffer[: extent.length]
        _read(disk, view, extent.offset)
        digests = granule_digests(view)
        first = extent.offset // GRANULE_SIZE
        differing = self._tables[disk.index].differing(first, digests)
        pieces: list[_Piece] = []
        changed = 0
        if differing.any():
            filled = as_digests(digests).any(axis=1)
            spans = [(run, True) for run in runs_of(differing & filled)]
            spans += [(run, False) for run in runs_of(differing & ~filled)]
            for (start, count), has_data in spans:
                part = view[start * GRANULE_SIZE : (start + count) * GRANULE_SIZE]
                part_digests = digests[start * DIGEST_SIZE : (start + count) * DIGEST_SIZE]
                offset = extent.offset + start * GRANULE_SIZE
                changed += len(part)
                if has_data:
                    pieces.append(self._pack(disk, offset, part, part_digests, packer))
                else:
                    pieces.append(
                        _Piece(zero_header(0, disk.index, self._number, offset, len(part)), b"", part_digests)
                    )
        with self._claiming:
            self._totals.read += extent.length
            self._totals.changed += changed
        return _Load(disk, pieces, buffer) if pieces else None

    def _pack(self, disk: SourceDisk, offset: int, part: memoryview, digests: bytes, packer: Packer | None) -> _Piece:
        codec, payload = (Codec.PLAIN, part) if packer is None else packer.pack(part)
        header = Header(
            FrameType.DATA,
            codec,
            disk.index,
            self._number,
            0,
            offset,
            len(part),
            len(payload),
            data_digest(digests, codec, payload),
        )
        return _Piece(header, payload, digests)

    # The sender

    def _send_all(
        self, memory: PassMemory, observer: Observer | None, pace: Pace | None, stop: threading.Event
    ) -> None:
        working = self._workers
        while working:
            try:
                load = self._loads.get(timeout=_LOOK_S)
            except queue.Empty:
                load = None
            else:
                working -= load is None
            if self._error is not None:
                return
            self._listener.check()
            if load is not None:
                # After a stop what's ready is dropped: the pass reads it again when it goes on.
                if not stop.is_set():
                    self._send(load, memory, pace)
                self._pool.give(load.buffer)
            if observer is not None and time.monotonic() - self._totals.shown_at >= _FIGURES_S:
                observer(self._figures(final=False))

    def _send(self, load: _Load, memory: PassMemory, pace: Pace | None) -> None:
        for piece in load.pieces:
            self._stream.send_frame(piece.header, piece.payload, pace, self._listener.ended)
            first = piece.header.offset // GRANULE_SIZE
            self._tables[load.disk.index].set(first, piece.digests)
            self._totals.sent += len(piece.payload)
            if piece.header.type is FrameType.DATA:
                self._totals.resent += memory.note(load.disk.index, load.disk.size, first, piece.digests)

    def _give_back(self) -> None:
        while True:
            try:
                load = self._loads.get_nowait()
            except queue.Empty:
                return
            if load is not None:
                self._pool.give(load.buffer)

    def _figures(self, *, final: bool) -> PassFigures:
        totals, now, wire = self._totals, time.monotonic(), self._stream.wire_bytes
        since, wire_since = (totals.began, totals.wire_before) if final else (totals.shown_at, totals.shown_wire)
        rate = (wire - wire_since) * 8 / 1e6 / max(now - since, 1e-6)
        totals.shown_at, totals.shown_wire = now, wire
        return PassFigures(
            number=self._number,
            used_bytes=totals.used,
            read_bytes=totals.read,
            changed_bytes=totals.changed,
            sent_bytes=totals.sent,
            wire_bytes=wire - totals.wire_before,
            resent_bytes=totals.resent,
            durable_bytes=max(0, self._listener.durable_bytes - totals.payload_before),
            remaining_bytes=totals.used - totals.read,
            rate_mbit=rate,
            seconds=now - totals.began,
        )


def _read(disk: SourceDisk, view: memoryview, offset: int) -> None:
    try:
        count = disk.reader.read_into(view, offset)
    except OSError as error:
        raise SourceReadFailed(name=disk.name, offset=offset, reason=error.strerror or str(error)) from error
    if count != len(view):
        raise SourceReadFailed(name=disk.name, offset=offset + count, reason="the disk ended early")


def _cut(extents: Sequence[Extent]) -> Iterator[Extent]:
    """Yield the pieces of *extents* one at a time: a large disk has too many to list."""
    for extent in extents:
        position = extent.offset
        while position < extent.end:
            end = min(position - position % EXTENT_SIZE + EXTENT_SIZE, extent.end)
            yield Extent(position, end - position)
            position = end
