"""The source's side of a session: passes over disks, in which only what differs from the receiver's is sent.

Workers each take the next extent, read, digest and compare it, and pack what differs; one thread sends; one listens to
the receiver. Memory is bounded by a pool of buffers, which are filled by direct reads and sent without a copy.
A pass looks at the extents it is given: all used ones for a digest scan, those that a tracker saw written otherwise.
"""

import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from wherry.contract.wherry import ProofHalf
from wherry.disks.direct import BlockReader
from wherry.disks.extents import Extent, granule_runs
from wherry.errors import WherryError
from wherry.replication.digests import MemoryTable
from wherry.replication.errors import PassIncomplete, PeerRefused, ProtocolViolated
from wherry.replication.figures import Observer, PassFigures, PassReport
from wherry.replication.granules import DIGEST_SIZE, EXTENT_SIZE, GRANULE_SIZE, granule_count
from wherry.replication.listening import Listener
from wherry.replication.memory import PassMemory
from wherry.replication.messages import (
    RUNS_PER_MESSAGE,
    Alive,
    AnyMessage,
    BeginPass,
    Bye,
    CommitPass,
    Covered,
    Digests,
    Error,
    Hello,
    Welcome,
    pack_runs,
)
from wherry.replication.pacing import Pace
from wherry.replication.pipeline import BufferPool, Pipeline, SourceDisk
from wherry.replication.proof import Runs, disk_root, table_pieces
from wherry.replication.stream import FrameStream
from wherry.replication.transport import connect

__all__ = [
    "BlockReader",
    "Commit",
    "Observer",
    "PassFigures",
    "PassMemory",
    "PassReport",
    "SendOptions",
    "SourceDisk",
    "SourceSession",
]

_FAREWELL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a session sends.

    memory: bytes that may be in flight between disk and socket.
    workers: threads that read, digest and pack.
    compress: whether data are offered to zstd at all.
    """

    memory: int = 64 * 1024 * 1024
    workers: int = 3
    compress: bool = True


DEFAULT_OPTIONS: Final = SendOptions()


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed pass, in the receiver's words: bytes of disk received in it over all sessions, and those it had."""

    checkpoint: int
    received_bytes: int
    repeated_bytes: int


class SourceSession:
    """A connection to the receiver, from HELLO to BYE. Not for several threads at once."""

    def __init__(self, stream: FrameStream, hello: Hello, options: SendOptions) -> None:
        self._stream = stream
        self._options = options
        self._lines = {line.index: line for line in hello.disks}
        self._tables = {line.index: MemoryTable(granule_count(line.size)) for line in hello.disks}
        self._complete: int | None = None
        self._payload = 0
        self._pool = BufferPool(max(2 * options.workers, options.memory // (2 * EXTENT_SIZE)))
        self.checkpoint: int | None = None
        """The newest committed pass at the receiver; None before pass 0 was committed."""
        self.open_pass: int | None = None
        """The pass that the receiver has begun but not committed, as it was when the session began."""
        try:
            stream.send_message(hello)
            self._learn()
        except BaseException:
            stream.close()
            raise
        self._listener = Listener(stream)

    @classmethod
    def connect(
        cls,
        address: tuple[str, int],
        tls_context: ssl.SSLContext,
        server_name: str,
        hello: Hello,
        *,
        options: SendOptions = DEFAULT_OPTIONS,
        timeout_s: float = 20.0,
    ) -> Self:
        """Connect and shake hands. Raises ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated."""
        return cls(connect(address, tls_context, server_name, timeout_s), hello, options)

    @classmethod
    def over(cls, stream: FrameStream, hello: Hello, *, options: SendOptions = DEFAULT_OPTIONS) -> Self:
        """Shake hands over a stream that stands already. Raises as `connect`."""
        return cls(stream, hello, options)

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
    ) -> PassReport:
        """Read the extents *used* of every disk (by index) and send what differs from the receiver's.

        Extents are widened to whole granules. *observer* is called at most four times a second, and at the end, in the
        calling thread. When *stop* is set, the pass ends at the border of an extent and the report says so; the same
        pass may be run again, in this session or another.
        Raises ConnectionLost, PeerRefused, IdentityRefused, SourceReadFailed.
        """
        if number != self.next_pass:
            raise ValueError(f"pass {number} was asked for, {self.next_pass} is due")
        for disk in disks:
            if disk.index not in self._lines or disk.size != self._lines[disk.index].size:
                raise ValueError(f"disk {disk.index} is not as it was announced")
        self._complete = None
        self._say(BeginPass(number=number))
        memory.begin(number)
        pipeline = Pipeline(
            self._stream,
            self._listener,
            self._tables,
            self._pool,
            number=number,
            workers=self._options.workers,
            compress=self._options.compress,
            payload_before=self._payload,
        )
        complete, figures = pipeline.run(
            disks,
            used,
            memory,
            observer=observer,
            pace=pace,
            stop=threading.Event() if stop is None else stop,
        )
        self._payload += figures.sent_bytes
        if complete:
            self._complete = number
        covered = {disk.index: granule_runs(used.get(disk.index, ()), GRANULE_SIZE, disk.size) for disk in disks}
        return PassReport(complete, figures, covered)

    def commit(
        self,
        consistent: bool,  # noqa: FBT001 - the protocol's own field
        taken_at: int,
        covered: Mapping[int, Runs],
    ) -> Commit:
        """Commit the pass that was run last; returns when that is durable at the receiver.

        *consistent*: the file systems were frozen. *taken_at*: epoch milliseconds. *covered*: what the checkpoint
        vouches for; for a digest scan that of the report, for a pass over less also what earlier passes looked at.
        Raises PassIncomplete, ConnectionLost, PeerRefused.
        """
        number = self.next_pass
        if self._complete != number:
            raise PassIncomplete(number=number)
        for disk, runs in covered.items():
            for start in range(0, len(runs), RUNS_PER_MESSAGE):
                self._say(Covered(disk=disk, runs=pack_runs(runs[start : start + RUNS_PER_MESSAGE])))
        self._say(CommitPass(number=number, consistent=consistent, taken_at=taken_at))
        done = self._listener.wait_committed(number)
        self._complete = None
        self.checkpoint = number
        self.open_pass = None
        return Commit(done.checkpoint, done.received_bytes, done.repeated_bytes)

    def half(self, taken_at: int, covered: Mapping[int, Runs]) -> ProofHalf:
        """Return the source's half of the proof of the newest commit; takes time, but no I/O.

        It's made of the digests of what passes of this session read; for granules that they didn't look at, of what
        the receiver said when the session began. Raises PassIncomplete before the first commit.
        """
        if self.checkpoint is None:
            raise PassIncomplete(number=0)
        lines = [
            disk_root(index, line.name, line.size, runs, table_pieces(runs, self._tables[index].get))
            for index, line in sorted(self._lines.items())
            for runs in [covered.get(index, ())]
        ]
        return ProofHalf(checkpoint=self.checkpoint, taken_at=taken_at, disks=lines)

    def close(self) -> None:
        """Say BYE, wait for BYE_OK and close; never raises a WherryError."""
        try:
            self._stream.send_message(Bye())
            self._listener.wait_bye_ok(_FAREWELL_S)
        except WherryError:
            pass  # the connection is gone already
        finally:
            self._listener.stop()
            self._stream.close()

    def _say(self, message: AnyMessage) -> None:
        self._listener.check()
        try:
            self._stream.send_message(message)
        except WherryError as error:
            raise self._listener.reason_for(error) from error

    def _learn(self) -> None:
        """Take the receiver's welcome and its digest tables."""
        missing = {index: table.count for index, table in self._tables.items()}
        welcomed = False
        while not welcomed or any(missing.values()):
            header, head = self._stream.receive_header()
            match self._stream.receive_message(header, head)[0]:
                case Alive():
                    continue
                case Welcome(checkpoint=checkpoint, open_pass=open_pass) if not welcomed:
                    self.checkpoint, self.open_pass, welcomed = checkpoint, open_pass, True
                case Digests(disk=disk, first=first, digests=digests) if welcomed and disk in self._tables:
                    table = self._tables[disk]
                    due = table.count - missing[disk]
                    if len(digests) % DIGEST_SIZE or first != due or len(digests) // DIGEST_SIZE > missing[disk]:
                        raise ProtocolViolated(reason="digests that don't fit the disk")
                    table.set(first, digests)
                    missing[disk] -= len(digests) // DIGEST_SIZE
                case Error(code=code, message=text, cause=cause, fix=fix):
                    raise PeerRefused(code, text, cause, fix)
                case _:
                    raise ProtocolViolated(reason="a session that doesn't begin with WELCOME and digests")
