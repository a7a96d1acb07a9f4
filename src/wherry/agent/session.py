"""A session with the receiver, as the agent uses it. `wherry.replication.sending.SourceSession` is the real one."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from wherry.contract.wherry import ProofHalf
from wherry.disks.extents import Extent
from wherry.replication.guarding import LatencyGuard
from wherry.replication.pacing import Pace
from wherry.replication.sending import BlockMarks, Commit, Dirty, Observer, PassMemory, PassReport, SourceDisk

Covered = Mapping[int, Sequence[tuple[int, int]]]
"""For each disk the runs of granules that a checkpoint vouches for: (first, count)."""


class Session(Protocol):
    """A connection to the receiver. Every method may raise ConnectionLost, PeerRefused and ProtocolViolated."""

    @property
    def checkpoint(self) -> int | None:
        """The newest committed pass at the receiver; None before pass 0 was committed."""

    @property
    def open_pass(self) -> int | None:
        """The pass that the receiver had begun but not committed when the session began."""

    @property
    def next_pass(self) -> int:
        """The number of the pass to run now."""

    def run_pass(  # noqa: PLR0917 - as it's there
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
        """Send what differs in the used bytes; of a disk in *dirty* only these are read, and what was never read.

        Of a disk that isn't in *used*, what the pass before used, and what is dirty. *blocks*: which blocks of that
        were written. Incomplete when *stop* was set.
        """

    def commit(
        self,
        consistent: bool,  # noqa: FBT001 - as it's there
        taken_at: int,
        covered: Covered,
        *,
        timeout_s: float = ...,
    ) -> Commit:
        """Commit the pass that was run last; durable on return."""

    def hold(self) -> None:
        """Get ready for a frozen pass: from now on nothing is written to the state folder."""

    def settle(self) -> None:
        """Write down what was held back, after the thaw."""

    def half(self, taken_at: int, covered: Covered) -> ProofHalf:
        """Return the source's half of the proof of the newest commit."""

    def close(self) -> None:
        """Take leave."""


class Opener(Protocol):
    """Opens sessions for one task."""

    def session(self) -> AbstractContextManager[Session]:
        """Connect, and close at the end.

        Raises Stopped, ConnectionLost, IdentityRefused, PeerRefused and the refusals of the control plane.
        """

    def close(self) -> None:
        """Release what outlives the sessions."""
