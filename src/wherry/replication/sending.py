"""The source's side of a session (interface first; the engine follows within the hour)."""

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from wherry.contract.wherry import ProofHalf
from wherry.disks.direct import BlockReader
from wherry.disks.extents import Extent
from wherry.replication.messages import Hello
from wherry.replication.pacing import Pace
from wherry.replication.transport import FrameStream


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk to send: *index* as announced in HELLO, *name* for people, *size* in bytes, and how to read it."""

    index: int
    name: str
    size: int
    reader: BlockReader


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a session sends.

    memory: bytes that may be in flight between disk and socket.
    workers: threads that read, digest and compress.
    compress: whether data are offered to zstd at all.
    """

    memory: int = 64 * 1024 * 1024
    workers: int = 3
    compress: bool = True


@dataclass(frozen=True, slots=True)
class PassFigures:
    """How far a pass is. Bytes of disk unless said otherwise.

    used_bytes: what the pass looks at. read_bytes: what it has read of that. changed_bytes: what differed.
    sent_bytes: payload after compression. wire_bytes: payload and headers. resent_bytes: sent earlier in this pass already.
    durable_bytes: payload that the receiver has confirmed. remaining_bytes: used but not yet read.
    rate_mbit: wire rate since the last figures, in Mbit/s. seconds: since the pass began.
    """

    number: int
    used_bytes: int
    read_bytes: int
    changed_bytes: int
    sent_bytes: int
    wire_bytes: int
    resent_bytes: int
    durable_bytes: int
    remaining_bytes: int
    rate_mbit: float
    seconds: float


Observer = Callable[[PassFigures], None]


@dataclass(frozen=True, slots=True)
class PassReport:
    """How a pass ended. *complete* is False when the stop event ended it; then it can't be committed.

    covered: for each disk the runs (first granule, count) that the pass looked at.
    """

    complete: bool
    figures: PassFigures
    covered: Mapping[int, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed pass, in the receiver's words: bytes of disk received in it over all sessions, and those it had."""

    checkpoint: int
    received_bytes: int
    repeated_bytes: int


class PassMemory:
    """What was sent in the pass under way, across sessions: keep one object a task and hand it to every session."""

    resent_bytes: int


class SourceSession:
    """A connection to the receiver, from HELLO to BYE. Not for several threads at once."""

    checkpoint: int | None
    """The newest committed pass at the receiver; None before pass 0 was committed."""
    open_pass: int | None
    """The pass that the receiver has begun but not committed."""

    @property
    def next_pass(self) -> int:
        """The number of the pass to run now: 0 on a fresh replica, else checkpoint + 1."""
        raise NotImplementedError

    @classmethod
    def connect(
        cls,
        address: tuple[str, int],
        tls_context: ssl.SSLContext,
        server_name: str,
        hello: Hello,
        *,
        options: SendOptions = SendOptions(),  # noqa: B008
        timeout_s: float = 20.0,
    ) -> Self:
        """Connect and shake hands. Raises ConnectionLost, IdentityRefused, PeerRefused, ProtocolViolated."""
        raise NotImplementedError

    @classmethod
    def over(cls, stream: FrameStream, hello: Hello, *, options: SendOptions = SendOptions()) -> Self:  # noqa: B008
        """Shake hands over a stream that stands already."""
        raise NotImplementedError

    def run_pass(
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
        """Read *used* of every disk and send what differs from the receiver's. Raises ConnectionLost, PeerRefused, SourceReadFailed."""
        raise NotImplementedError

    def commit(self, consistent: bool, taken_at: int, covered: Mapping[int, Sequence[tuple[int, int]]]) -> Commit:  # noqa: FBT001
        """Commit the pass that was run last; returns when it is durable. Raises PassIncomplete, ConnectionLost, PeerRefused."""
        raise NotImplementedError

    def half(self, taken_at: int, covered: Mapping[int, Sequence[tuple[int, int]]]) -> ProofHalf:
        """Return the source's half of the proof of the newest commit, from the digests of what was read. Takes no I/O."""
        raise NotImplementedError

    def close(self) -> None:
        """Say BYE, wait for BYE_OK and close; never raises."""
        raise NotImplementedError
