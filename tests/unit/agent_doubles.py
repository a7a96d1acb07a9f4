"""Doubles of what the agent works with: disks, a session, a freeze; they keep a journal of what happened, in order."""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from wherry.agent.survey import Survey
from wherry.contract.enumerations import LandingOutcome, LandingState
from wherry.contract.landing import Landing, OrderSummary
from wherry.contract.wherry import DiskRoot, ProofHalf
from wherry.disks.direct import WritableBuffer
from wherry.disks.extents import Extent
from wherry.disks.freezing import FreezeOutcome, FreezeRefused
from wherry.disks.tracking.blocks import BlockMarks
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.tracker import Cut
from wherry.disks.tracking.tracker import Dirty as DirtyDisk
from wherry.disks.tracking.trust import Reason, Trust
from wherry.migration.landing import OUTCOMES
from wherry.replication.guarding import LatencyGuard
from wherry.replication.pacing import Pace
from wherry.replication.sending import BlockMarks as Blocks
from wherry.replication.sending import (
    Commit,
    Dirty,
    Observer,
    PassFigures,
    PassMemory,
    PassReport,
    SourceDisk,
)

MIB = 1 << 20


class Receiver:
    """What lands at it goes the way that the test says; without a word, it delivers disks and boots nothing."""

    def __init__(self, journal: "Journal", *script: Landing) -> None:
        self.journal = journal
        self.script = list(script)
        self.wishes: list[OrderSummary] = []
        self.known = LandingState.NONE
        self.failed_units: Sequence[str] | None = None

    def begin_landing(self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None) -> Landing:
        self.failed_units = failed_units
        self.journal(f"land {checkpoint}")
        return self._next()

    def landing(self, task_id: str, known: int | None, wait_s: float) -> Landing:
        return landing(self.known, orders=self.wishes, checkpoint=5) if known is None else self._next()

    def _next(self) -> Landing:
        return self.script.pop(0) if self.script else landing(LandingState.NOT_BOOTED)


def landing(state: LandingState, *, passed: bool = False, **changes: Any) -> Landing:
    """Return a landing of task-1; *passed*: as far as an agent has to wait."""
    outcome = LandingOutcome.SUCCESS if passed else OUTCOMES[state]
    return Landing(task_id="task-1", state=state, outcome=outcome, **{"kind": "land", **changes})


class Nothing:
    """A disk that nobody reads."""

    size = MIB

    def read_into(self, buffer: WritableBuffer, offset: int) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


DISK = SourceDisk(0, "a", MIB, Nothing())
ROOT = DiskRoot(index=0, name="a", size=MIB, granule_size=65536, covered=[[0, 16]], root="ab" * 32)


@dataclass
class Journal:
    """What happened, in order."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)


class Disks:
    """One disk with one filesystem, or none that is mounted."""

    def __init__(self, journal: Journal, mount_points: Sequence[str]) -> None:
        self.journal = journal
        self.mount_points = mount_points
        self.disks: Sequence[SourceDisk] = [DISK]
        self.size = MIB

    @contextmanager
    def survey(self) -> Iterator[Survey]:
        yield self

    def close(self) -> None:
        self.journal("close disks")

    def write_back(self) -> None:
        self.journal("write back")

    def used(self, disks: Iterable[int], *, flush: bool) -> Mapping[int, Sequence[Extent]]:
        self.journal(f"map flush={flush}")
        return {index: [Extent(0, MIB)] for index in disks}


class Session:
    """Commits what it's told; each pass finds as much changed as the test says."""

    def __init__(self, journal: Journal, changed: Iterable[int] = ()) -> None:
        self.journal = journal
        self.changed = list(changed)
        self.checkpoint: int | None = 3
        self.open_pass: int | None = None
        self.fail_commit: Exception | None = None
        self.held = False
        self.rates: list[float] = []
        self.paces: list[Pace] = []
        self.seconds = 0.1
        self.dirty: list[Mapping[int, Dirty]] = []
        self.blocks: list[Sequence[int]] = []
        """Of each pass the disks of which it was told the blocks."""
        self.during_pass: Callable[[], None] = lambda: None

    @property
    def next_pass(self) -> int:
        return 0 if self.checkpoint is None else self.checkpoint + 1

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
        dirty: Mapping[int, Dirty] | None = None,
        blocks: Mapping[int, Blocks] | None = None,
        guard: LatencyGuard | None = None,
    ) -> PassReport:
        self.journal(f"pass {number}")
        self.dirty.append(dirty or {})
        self.blocks.append(sorted(blocks or {}))
        self.paces += [] if pace is None else [pace]
        self.rates.append(pace.rate_mbit if pace is not None else 0.0)
        self.during_pass()
        changed = self.changed.pop(0) if self.changed else 0
        figures = PassFigures(number, MIB, MIB, changed, changed, changed, 0, changed, 0, 1.0, self.seconds)
        if observer is not None:
            observer(figures)
        return PassReport(not (stop is not None and stop.is_set()), figures, {0: [(0, 16)]})

    def hold(self) -> None:
        self.held = True

    def settle(self) -> None:
        self.held = False

    def commit(
        self,
        consistent: bool,
        taken_at: int,
        covered: Mapping[int, Sequence[tuple[int, int]]],
        *,
        timeout_s: float = 600.0,
    ) -> Commit:
        if self.fail_commit is not None:
            raise self.fail_commit
        self.checkpoint = self.next_pass
        self.journal(f"commit {self.checkpoint} consistent={consistent}")
        return Commit(self.checkpoint, 0, 0)

    def half(self, taken_at: int, covered: Mapping[int, Sequence[tuple[int, int]]]) -> ProofHalf:
        assert self.checkpoint is not None
        return ProofHalf(checkpoint=self.checkpoint, taken_at=taken_at, disks=[ROOT])

    def close(self) -> None:
        self.journal("close")


class Freeze:
    """A freeze that holds, or that the watchdog ends."""

    def __init__(
        self, journal: Journal, *, holds: bool = True, expires_late: bool = False, refuses: bool = False
    ) -> None:
        self.journal = journal
        self.holds = holds
        self.expires_late = expires_late
        self.refuses = refuses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.journal("close freeze")

    def freeze(self) -> None:
        if self.refuses:
            raise FreezeRefused(mount_point="/srv", reason="busy")
        self.journal("freeze")

    def still_frozen(self) -> bool:
        return self.holds

    def thaw(self) -> FreezeOutcome:
        self.journal("thaw")
        return FreezeOutcome(frozen_ms=42, expired=self.expires_late or not self.holds)


class Tracker:
    """Follows one disk of 16 granules; tells of each cut what the test says, nothing written when it says nothing."""

    def __init__(self, journal: Journal, cuts: Iterable[Reason | Sequence[int]] = ()) -> None:
        """*cuts*: of each the granules that were written since the one before, or why they can't be trusted."""
        self.journal = journal
        self.cuts = list(cuts)
        self.channels = ("ftrace", "ebpf")
        self.epoch = 0
        self.committed = 0
        self.begins: Exception | None = None
        self.written: dict[int, Sequence[int]] = {}
        self.doubt: tuple[int, Reason] | None = None

    def begin(self) -> None:
        if self.begins is not None:
            raise self.begins
        self.journal("begin")

    def cut(self) -> Cut:
        return self._cut("cut")

    def drain(self, limit_s: float = 1.0) -> Cut:
        return self._cut("drain")

    def _cut(self, name: str) -> Cut:
        self.journal(name)
        self.epoch += 1
        said = self.cuts.pop(0) if self.cuts else ()
        if isinstance(said, Reason):
            self.doubt = (self.epoch, said)
        else:
            self.written[self.epoch] = said
        reason = Reason.NONE if self.doubt is None else self.doubt[1]
        granules, fresh = (np.zeros(16, dtype=np.bool_) for _ in range(2))
        for epoch, numbers in self.written.items():
            granules[list(numbers)] |= epoch > self.committed
            fresh[list(numbers)] |= epoch == self.epoch
        trust = Trust(trusted=reason is Reason.NONE, reason=reason, exact=True)
        blocks = BlockMarks(np.full(16, 1, dtype=np.uint16), granules)
        return Cut(self.epoch, {0: DirtyDisk(TrackedDisk(0, 0, MIB), granules, fresh, trust, blocks)})

    def commit(self, epoch: int) -> None:
        self.journal(f"forget {epoch}")
        self.committed = epoch
        if self.doubt is not None and self.doubt[0] <= epoch:
            self.doubt = None

    def close(self) -> None:
        self.journal("close tracker")

    def discard(self) -> None:
        self.journal("discard tracker")
