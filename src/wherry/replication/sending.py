"""The source's side of a session: passes over disks, in which only what differs from the receiver's is sent.

A pass looks at everything in use (a digest scan), or at what a tracker saw written and what was never looked at. What
the source read and what the receiver holds is remembered in `sourcetable`, so that a running session, and one whose
agent was restarted, transfers no table. Memory is bounded by a pool of buffers.
"""

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from wherry.contract.wherry import ProofHalf
from wherry.disks.direct import BlockReader
from wherry.disks.extents import Extent
from wherry.errors import WherryError
from wherry.replication import coverage
from wherry.replication.buffers import BufferPool
from wherry.replication.coverage import CoveredSets
from wherry.replication.errors import ConnectionLost, NeverRead, PassIncomplete, PeerRefused
from wherry.replication.figures import Observer, PassFigures, PassReport
from wherry.replication.granules import EXTENT_SIZE
from wherry.replication.granuleset import GranuleSet, Mask
from wherry.replication.greeting import greet, join
from wherry.replication.guarding import LatencyGuard
from wherry.replication.levels import LevelControl
from wherry.replication.listening import Listener
from wherry.replication.lookout import SourceDisk
from wherry.replication.memory import PassMemory
from wherry.replication.messages import AnyMessage, BeginPass, Bye, CommitPass, Fence, Hello, Review
from wherry.replication.pacing import Pace
from wherry.replication.patches import BlockMarks
from wherry.replication.pipeline import Connections, PassSettings, Pipeline
from wherry.replication.proof import Runs, disk_root, table_pieces
from wherry.replication.sourcetable import SourceTables
from wherry.replication.stream import FrameStream
from wherry.replication.transport import connect
from wherry.replication.tuning import DEFAULT_OPTIONS, SendOptions

__all__ = [
    "BlockMarks",
    "BlockReader",
    "Commit",
    "Dirty",
    "Observer",
    "PassFigures",
    "PassMemory",
    "PassReport",
    "SendOptions",
    "SourceDisk",
    "SourceSession",
    "SourceTables",
]

_FAREWELL_S: Final = 10.0
COMMIT_S: Final = 600.0
"""How long a commit may take when nothing is frozen, in seconds: earlier passes may have to be applied before."""
READY_S: Final = 120.0

Dirty = GranuleSet | Mask | Sequence[Extent]
"""What was written on a disk: a set of granules, a mask with one value for each granule, or extents."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed pass, in the receiver's words: bytes of disk received in it over all sessions, and those it had."""

    checkpoint: int
    received_bytes: int
    repeated_bytes: int


class SourceSession:
    """One session with the receiver, from HELLO to BYE, over one connection or several. Not for several threads."""

    def __init__(
        self, streams: Sequence[FrameStream], listeners: Sequence[Listener], tables: SourceTables, options: SendOptions
    ) -> None:
        self._streams = streams
        self._listeners = listeners
        self._listener = listeners[0]
        self._tables = tables
        self._options = options
        self._levels = LevelControl() if options.compress else None
        self._pool = BufferPool(max(2 * options.workers, options.memory // (2 * EXTENT_SIZE)))
        self._complete: int | None = None
        self._payload = 0
        self._fences = 0
        self._reviews = 0
        self._unreviewed = False  # patches were sent that may not fit
        self._names: dict[int, str] = {}
        self._covered: Mapping[int, GranuleSet] | None = None  # by the newest checkpoint; None: not told yet
        self.checkpoint: int | None = None
        """The newest committed pass at the receiver; None before pass 0 was committed."""
        self.open_pass: int | None = None
        """The pass that the receiver has begun but not committed, as it was when the session began."""
        self.narrowed = ""
        """Why there are fewer connections than were wanted; "" when there aren't."""

    @classmethod
    def connect(
        cls,
        address: tuple[str, int],
        tls_context: ssl.SSLContext,
        server_name: str,
        hello: Hello,
        *,
        options: SendOptions = DEFAULT_OPTIONS,
        tables: SourceTables | None = None,
        timeout_s: float = 20.0,
    ) -> Self:
        """Connect and shake hands. Raises ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated.

        *tables*: what earlier sessions of the task knew. Without it the receiver tells all of its digests.
        Where not as many connections come about as *options* want, the session does with those it has.
        """

        def dial() -> FrameStream:
            return connect(address, tls_context, server_name, timeout_s)

        return cls._opened(dial(), dial, hello, options, tables)

    @classmethod
    def over(
        cls,
        stream: FrameStream,
        hello: Hello,
        *,
        further: Sequence[FrameStream] = (),
        options: SendOptions = DEFAULT_OPTIONS,
        tables: SourceTables | None = None,
    ) -> Self:
        """Shake hands over streams that stand already. Raises as `connect`."""
        waiting = iter(further)
        options = replace(options, connections=1 + len(further))
        return cls._opened(stream, lambda: next(waiting), hello, options, tables)

    @classmethod
    def _opened(
        cls,
        first: FrameStream,
        dial: Callable[[], FrameStream],
        hello: Hello,
        options: SendOptions,
        tables: SourceTables | None,
    ) -> Self:
        streams, refusal = [first], ""
        listeners: list[Listener] = []
        tables = SourceTables.in_memory(hello.disks) if tables is None else tables
        try:
            welcome = greet(first, hello, tables)
            checkpoint = welcome.checkpoint
            listeners.append(Listener(first, 0 if checkpoint is None else checkpoint + 1))
            while len(streams) < min(options.connections, welcome.connections):
                stream, refusal = _joined(dial, welcome.session, len(streams))
                if stream is None:
                    break
                streams.append(stream)
                listeners.append(Listener(stream))
        except BaseException:
            for listener in listeners:
                listener.stop()
            for stream in streams:
                stream.close()
            raise
        made = cls(streams, listeners, tables, options)
        made._names = {line.index: line.name for line in hello.disks}
        made.checkpoint, made.open_pass = checkpoint, welcome.open_pass
        made.narrowed = refusal
        # Of an earlier session there may be patches that don't fit, of granules that no map has any more.
        made._unreviewed = welcome.open_pass is not None
        return made

    @property
    def connections(self) -> int:
        """How many connections it has."""
        return len(self._streams)

    @property
    def next_pass(self) -> int:
        """The number of the pass to run now: 0 on a fresh replica, else checkpoint + 1."""
        return 0 if self.checkpoint is None else self.checkpoint + 1

    def run_pass(  # noqa: PLR0917 - the interface that agents are written against
        self,
        number: int,
        disks: Sequence[SourceDisk],
        used: Mapping[int, Sequence[Extent]],
        memory: PassMemory,
        observer: Observer | None = None,
        pace: Pace | None = None,
        *,
        stop: threading.Event | None = None,
        dirty: Mapping[int, Dirty] | None = None,
        blocks: Mapping[int, BlockMarks] | None = None,
        guard: LatencyGuard | None = None,
    ) -> PassReport:
        """Read of every disk what may have changed, and send what differs from the receiver's.

        *used*: the extents in use, by disk index, widened to whole granules. Of a disk that isn't in it: those of the
        pass before, and what is dirty; for frozen filesystems, for which a new map would take too long.
        *dirty*: what was written since the last commit; of the used granules only these are read, and those that were
        never read. A disk that isn't in it, all of them when it's None, is read as a whole: for when the tracker can't
        be trusted.
        *blocks*: which blocks of that were written, for the disks of which somebody knows; where few of a granule were,
        only these are sent.
        *observer* is called at most four times a second, and at the end, in the calling thread. When *stop* is set, the
        pass ends at the border of an extent and the report says so; the same pass may be run again, in this session or
        another. *guard* slows reading down for the sake of the server's own requests.
        Raises ConnectionLost, PeerRefused, IdentityRefused, SourceReadFailed, SourceStateFailed.
        """
        if number != self.next_pass:
            raise ValueError(f"pass {number} was asked for, {self.next_pass} is due")
        for disk in disks:
            if disk.index not in self._tables or disk.size != self._tables[disk.index].size:
                raise ValueError(f"disk {disk.index} is not as it was announced")
        self._complete = None
        self._begin(number, memory)
        dirty = {} if dirty is None else dirty
        chosen = [(disk, self._choose(disk, used.get(disk.index), dirty.get(disk.index))) for disk in disks]
        settings = PassSettings(
            number=number,
            workers=self._options.workers,
            levels=self._levels,
            pace=pace,
            guard=guard,
            observer=observer,
            stop=threading.Event() if stop is None else stop,
            blocks={} if blocks is None or not number else blocks,
        )
        complete, figures = self._run(chosen, memory, settings)
        if complete and self._unreviewed:
            complete, figures = self._mend(disks, memory, settings, figures)
        if complete:
            self._complete = number
        return PassReport(complete, figures, CoveredSets({disk.index: self._tables[disk.index].used for disk in disks}))

    def _run(
        self, chosen: Sequence[tuple[SourceDisk, GranuleSet]], memory: PassMemory, settings: PassSettings
    ) -> tuple[bool, PassFigures]:
        connections = Connections(self._streams, self._listener)
        pipeline = Pipeline(connections, self._tables, self._pool, memory, settings, payload_before=self._payload)
        try:
            complete, figures = pipeline.run(chosen)
        finally:
            self._unreviewed |= pipeline.has_patched
        self._payload += figures.sent_bytes
        return complete, figures

    def _mend(
        self, disks: Sequence[SourceDisk], memory: PassMemory, settings: PassSettings, figures: PassFigures
    ) -> tuple[bool, PassFigures]:
        """Send as a whole what was patched in vain; return as a pipeline does, with the *figures* before added."""
        self._reviews += 1
        self._say_fenced(Review(number=self._reviews))
        unfit = self._listener.wait_reviewed(self._reviews, COMMIT_S)
        chosen = []
        for disk in disks:
            table = self._tables[disk.index]
            granules = GranuleSet.of_numbers(unfit.get(disk.index, ()), table.count)
            if granules:
                table.missed(granules)
                chosen.append((disk, granules))
        if not chosen:
            self._unreviewed = False
            return True, figures
        complete, more = self._run(chosen, memory, replace(settings, observer=None, blocks={}))
        self._unreviewed = not complete
        figures = figures.followed_by(more)
        if settings.observer is not None:
            settings.observer(figures)
        return complete, figures

    def _begin(self, number: int, memory: PassMemory) -> None:
        self._tables.begin(number)
        memory.begin(number)
        self._say_fenced(BeginPass(number=number))

    def _choose(self, disk: SourceDisk, used: Sequence[Extent] | None, dirty: Dirty | None) -> GranuleSet:
        """Return the granules of a disk that a pass has to look at."""
        table = self._tables[disk.index]
        written = None if dirty is None else _as_set(dirty, disk.size)
        if used is not None:
            table.used = GranuleSet.of_extents(used, disk.size)
        elif written is not None:
            table.used |= written
        return table.select(written)

    def commit(
        self,
        consistent: bool,  # noqa: FBT001 - the protocol's own field
        taken_at: int,
        covered: Mapping[int, Runs],
        *,
        timeout_s: float = COMMIT_S,
    ) -> Commit:
        """Commit the pass that was run last; returns when that is durable at the receiver.

        *consistent*: the file systems were frozen. *taken_at*: epoch milliseconds. *covered*: what the checkpoint
        vouches for: that of the report.
        Raises PassIncomplete, PeerRefused, and ConnectionLost, also when it takes longer than *timeout_s*.
        """
        number = self.next_pass
        if self._complete != number:
            raise PassIncomplete(number=number)
        sets = coverage.as_sets(covered, {index: table.size for index, table in self._tables.items()})
        for message in coverage.messages(sets, self._covered):
            self._say(message)
        self._say_fenced(
            CommitPass(number=number, consistent=consistent, taken_at=taken_at, toggles=self._covered is not None)
        )
        done = self._listener.wait_committed(number, timeout_s)
        self._complete = None
        self._covered = sets
        self.checkpoint = number
        self.open_pass = None
        self._tables.committed(number)
        return Commit(done.checkpoint, done.received_bytes, done.repeated_bytes)

    def hold(self, timeout_s: float = READY_S) -> None:
        """Get ready for a pass over frozen filesystems; call it right before the freeze.

        Waits until the receiver has applied the pass before, and writes nothing to the agent's state folder from then
        on. Raises ConnectionLost, also when the receiver isn't ready in time, PeerRefused, SourceStateFailed.
        """
        self._listener.wait_ready(self.next_pass, timeout_s)
        self._tables.hold()

    def settle(self) -> None:
        """Write down what was held back; call it after the thaw, whatever happened in between."""
        self._tables.settle()

    def half(self, taken_at: int, covered: Mapping[int, Runs]) -> ProofHalf:
        """Return the source's half of the proof of the newest commit; takes time, but no I/O on the disks.

        It's made of the digests of what the source read. Raises PassIncomplete before the first commit, NeverRead when
        *covered* has granules that it didn't read.
        """
        if self.checkpoint is None:
            raise PassIncomplete(number=0)
        lines = []
        sets = coverage.as_sets(covered, {index: table.size for index, table in self._tables.items()})
        for index, table in sorted(self._tables.items()):
            unread = len(sets[index] - table.read)
            if unread:
                raise NeverRead(name=self._names[index], count=unread)
            runs = sets[index].runs()
            lines.append(disk_root(index, self._names[index], table.size, runs, table_pieces(runs, table.get)))
        return ProofHalf(checkpoint=self.checkpoint, taken_at=taken_at, disks=lines)

    def close(self) -> None:
        """Say BYE, wait for BYE_OK and close; never raises a WherryError."""
        try:
            self._say_fenced(Bye())
            self._listener.wait_bye_ok(_FAREWELL_S)
        except WherryError:
            pass  # the connection is gone already
        finally:
            for listener in self._listeners:
                listener.stop()
            for stream in self._streams:
                stream.close()

    def _say_fenced(self, message: AnyMessage) -> None:
        """Send a message that comes after everything sent before, over whichever connection."""
        self._fences += 1
        for stream in self._streams[1:]:
            self._say(Fence(number=self._fences), stream)
        self._say(message)

    def _say(self, message: AnyMessage, stream: FrameStream | None = None) -> None:
        self._listener.check()
        try:
            (self._streams[0] if stream is None else stream).send_message(message)
        except WherryError as error:
            raise self._listener.reason_for(error) from error


def _joined(dial: Callable[[], FrameStream], session: str, lane: int) -> tuple[FrameStream | None, str]:
    """Open a further connection; None, and why, when it isn't let through.

    Had the receiver let it in all the same, it ends the session once it has lost it: nothing waits in vain.
    Raises IdentityRefused and ProtocolViolated.
    """
    stream: FrameStream | None = None
    try:
        stream = dial()
        join(stream, session, lane)
    except BaseException as error:
        if stream is not None:
            stream.close()
        if isinstance(error, ConnectionLost | PeerRefused):
            return None, error.message
        raise
    return stream, ""


def _as_set(dirty: Dirty, size: int) -> GranuleSet:
    if isinstance(dirty, GranuleSet):
        return dirty
    return GranuleSet.of_extents(dirty, size) if isinstance(dirty, Sequence) else GranuleSet.of_mask(dirty)
