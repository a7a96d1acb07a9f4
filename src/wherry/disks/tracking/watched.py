"""One disk that is watched: its marks, what the channels saw of it, and how that compares with its statistics."""

import contextlib
import time
from dataclasses import dataclass, field

import numpy as np

from wherry.disks.tracking import marks
from wherry.disks.tracking.balance import Balance
from wherry.disks.tracking.blocks import ALL, BLOCK_BITS, BLOCKS, BlockMarks, mark_blocks
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.diskstats import QueueFacts, Statistics
from wherry.disks.tracking.ebpf import MarkingProgram
from wherry.disks.tracking.marks import Granules
from wherry.disks.tracking.memory import DiskMemory, Number
from wherry.disks.tracking.ringbuffer import Completions
from wherry.disks.tracking.trust import Evidence, Reason, Situation, Trust, decide

_MARGIN_NS = 50_000
"""From the completion's event to its sectors in the statistics it's far less, but for an interrupt in between."""
_NOWHERE = np.uint64(1 << 62)
"""Passthrough commands have no position; their events say that it's the highest number there is."""


@dataclass(slots=True)
class _Look:
    """A reading of the statistics, with all that happened around it. Times by time.monotonic_ns()."""

    began_ns: int
    changed: int
    ended_ns: int
    in_flight: int
    """Writes and discards that were under way just before."""
    map_sectors: int | None
    """What the program had counted, None when that changed meanwhile."""
    seen_before: int
    last_before_ns: int
    inside: int = 0
    """Sectors of events that fall into the reading, or just before it."""
    after: int = 0
    """Sectors of events after the reading."""


@dataclass(slots=True)
class WatchedDisk:
    """The disk and everything that belongs to it. For one thread at a time."""

    disk: TrackedDisk
    memory: DiskMemory
    statistics: Statistics
    facts: QueueFacts
    program: MarkingProgram | None
    has_ring: bool = False
    ring_has_clock: bool = True
    kept: bool = True
    """Whether the kernel kept statistics at the last look."""
    failure: str = ""
    """Why its statistics couldn't be read since the last verdict."""
    ring: Balance = field(default_factory=lambda: Balance(None))
    map: Balance = field(default_factory=lambda: Balance(None))
    _last_ns: int = 0
    _look: _Look | None = None

    def __post_init__(self) -> None:
        self.compare_anew()

    @property
    def epoch(self) -> int:
        """The epoch that is written now."""
        return self.memory.get(Number.EPOCH)

    @property
    def floor(self) -> int:
        """The newest epoch that is committed."""
        return self.memory.get(Number.FLOOR)

    @property
    def seeks_baseline(self) -> bool:
        """Whether its ring has nothing yet to be compared with."""
        return self.has_ring and self.ring.baseline is None and not self.ring.settled

    def use_program(self, program: MarkingProgram) -> None:
        """Let *program* watch the disk too. A new one hasn't counted what an older one did."""
        self.program = program
        if not program.adopted:
            self.memory.put(Number.MAP_HAS_BASELINE, 0)
        self.compare_anew()

    def note_batch(self) -> None:
        """Note that a batch of events is about to be taken out of the ring."""
        self.memory.put(Number.SEEN_BEFORE, self.memory.get(Number.SEEN))

    def undo_batch(self) -> None:
        """Count the batch that was being taken in when the last process ended as not seen; marks do no harm."""
        self.memory.put(Number.SEEN, self.memory.get(Number.SEEN_BEFORE))

    def take(self, completions: Completions) -> int:
        """Mark what the events of this disk touched and count them; return how many there were."""
        ours = (completions.device == self.disk.kernel_number) & (completions.sector < _NOWHERE)
        sector = completions.sector[ours].astype(np.int64)
        if not len(sector):
            return 0
        sectors = completions.sectors[ours].astype(np.int64)
        shift = self.disk.block_shift
        first, last = sector >> shift, (sector + sectors - 1) >> shift
        count = self.disk.granules * BLOCKS
        if int(last.max()) >= count:
            self._add(Number.BEYOND, int((last >= count).sum()))
            inside = first < count
            first, last = first[inside], np.minimum(last[inside], count - 1)
        # The blocks first: a process that is killed in between leaves events that the next one takes for unmarked.
        mark_blocks(self.memory.masks, self.memory.marks, first, last, self.floor, self.epoch)
        marks.mark(self.memory.marks, first >> BLOCK_BITS, last >> BLOCK_BITS, self.epoch)
        if self.facts.discard_ranges > 1:
            self._add(Number.DISCARDS, int(completions.discard[ours].sum()))
        self._add(Number.SEEN, int(sectors.sum()))
        time_ns = completions.time_ns[ours]
        self._last_ns = max(self._last_ns, int(time_ns.max()))
        if self._look is not None:
            self._look.after += int(sectors[time_ns > self._look.ended_ns].sum())
            around = (time_ns >= self._look.began_ns - _MARGIN_NS) & (time_ns <= self._look.ended_ns)
            self._look.inside += int(sectors[around].sum())
        return len(sector)

    def is_settled(self, *, restarted: bool) -> bool:
        """Whether a verdict needs no further look. The program matters where the ring alone may not be enough."""
        if self.failure:
            return True
        if self.has_ring and not self.ring.settled:
            return False
        needs_map = restarted or not self.has_ring or self.memory.get(Number.DISCARDS) > 0
        return self.program is None or not needs_map or self.map.settled

    def compare_anew(self) -> None:
        """Begin a comparison with the statistics."""
        self.failure = ""
        memory = self.memory
        # Looks for a baseline that wasn't found yet are kept: what is lost meanwhile is before the baseline.
        if memory.get(Number.RING_HAS_BASELINE):
            self.ring = Balance(memory.get(Number.RING_BASELINE))
        elif self.ring.settled or self.ring.baseline is not None:
            self.ring = Balance(None)
        if memory.get(Number.MAP_HAS_BASELINE):
            self.map = Balance(memory.get(Number.MAP_BASELINE))
        elif self.map.settled or self.map.baseline is not None:
            self.map = Balance(None)

    def look(self) -> None:
        """Read the statistics; then drain the ring; then `weigh`."""
        try:
            self._look = self._read_statistics()
        except (OSError, ValueError) as error:
            self.failure = str(error)
            self._look = None

    def _read_statistics(self) -> _Look:
        self.kept = self.statistics.are_kept()
        # Before the counters: then nothing can be between the tracing and the statistics, but for what begins now.
        in_flight = self.statistics.writes_in_flight()
        before = None if self.program is None else self.program.sectors()
        began_ns = time.monotonic_ns()
        changed = self.statistics.counters().changed
        ended_ns = time.monotonic_ns()
        after = None if self.program is None else self.program.sectors()
        return _Look(
            began_ns=began_ns,
            changed=changed,
            ended_ns=ended_ns,
            in_flight=in_flight,
            map_sectors=after if before == after else None,
            seen_before=self.memory.get(Number.SEEN),
            last_before_ns=self._last_ns,
        )

    def weigh(self, *, quiet: bool) -> None:
        """Compare the last reading with what was drained since. With *quiet* only a moment without writes counts."""
        look, self._look = self._look, None
        if look is None or (quiet and look.in_flight):
            return
        at_s = look.ended_ns / 1e9
        exact = look.in_flight == 0
        seen = self.memory.get(Number.SEEN)
        if not self.ring_has_clock:
            if exact and seen == look.seen_before:
                self.ring.look(look.changed - seen, at_s, exact=True)
        elif look.inside or look.last_before_ns >= look.began_ns - _MARGIN_NS:
            self.ring.bound(look.changed - (seen - look.after), at_s)
        else:
            self.ring.look(look.changed - (seen - look.after), at_s, exact=exact)
        if look.map_sectors is not None:
            self.map.look(look.changed - look.map_sectors, at_s, exact=exact)

    def judge(self, *, dropped: int, failure: str = "", restarted: bool = False, quiet: bool = False) -> Trust:
        """Decide on the time since the baselines.

        *dropped*: events, by the ring since it's there. *failure*: why it couldn't be read.
        """
        situation = Situation(statistics=bool(self.failure) or self.kept, restarted=restarted, quiet=quiet)
        ring, program = self._ring_evidence(dropped, failure), self._map_evidence()
        verdict = decide(situation, ring, program)
        if verdict.trusted and ring is not None and not ring.is_complete:
            self.blur()
        return verdict

    def take_baselines(self, dropped: int, *, trusted: bool) -> None:
        """Let the next comparison begin from what this one found: what was counted up to now is settled.

        *dropped*: events, by the ring since it's there. *trusted*: whether nothing was missed up to now.
        """
        memory = self.memory
        if self.ring.offset is not None:
            memory.put(Number.RING_BASELINE, self.ring.offset)
            memory.put(Number.RING_HAS_BASELINE, int(not self.ring.is_rough))
        memory.put(Number.RING_DROPPED, dropped)
        memory.put(Number.DISCARDS, 0)
        memory.put(Number.BEYOND, 0)
        if self.program is not None:
            # It isn't waited for while the ring vouches for everything. An offset that is too low makes the program
            # look worse than it is, never better.
            offset = self.map.likely if self.has_ring and trusted else self.map.offset
            if offset is not None:
                memory.put(Number.MAP_BASELINE, offset)
                memory.put(Number.MAP_HAS_BASELINE, 1)
            counters = self.program.counters()
            memory.put(Number.MAP_SCATTERED, counters.scattered)
            memory.put(Number.MAP_BEYOND, counters.beyond)
            memory.put(Number.MAP_PASSTHROUGH, counters.passthrough)

    def begin_epoch(self, epoch: int) -> None:
        """Let what is written from now on belong to *epoch*."""
        marks.make_room(self.memory.marks, epoch)
        self.memory.put(Number.EPOCH, epoch)
        if self.program is not None:
            self.program.begin_epoch(epoch)

    def dirty(self, last: int, *, only_last: bool = False, overlap: bool = False) -> Granules:
        """Return what was written up to the end of epoch *last* and isn't committed, or in *last* only.

        *overlap*: marks of the program may have come late, so that its epoch before counts as well.
        """
        floor = last - 1 if only_last else self.floor
        found = marks.dirty(self.memory.marks, floor, last)
        if self.program is not None:
            found |= self.program.dirty(max(0, floor - int(overlap)), last)
        return found

    def blocks(self, last: int) -> BlockMarks | None:
        """Return which blocks were written of what isn't committed; None where there's no ring to tell."""
        if not self.has_ring:
            return None
        return BlockMarks(self.memory.masks, marks.dirty(self.memory.marks, self.floor, last))

    def join(self, epoch: int) -> None:
        """Count everything that isn't committed as written in *epoch*, which has just begun."""
        self._cover(epoch - 1, epoch)
        self.memory.put(Number.FLOOR, max(self.floor, epoch - 1))

    def blur(self) -> None:
        """Count all blocks as written of what isn't committed: the ring has missed events that the program marked."""
        self._cover(self.epoch, self.epoch)

    def _cover(self, last: int, epoch: int) -> None:
        """Count what was written up to the end of epoch *last* as written in *epoch* as a whole."""
        found = self.dirty(last, overlap=True)
        self.memory.masks[found] = ALL
        self.memory.marks[found] = marks.value_of(epoch)

    def close(self) -> None:
        """Let go of it; what is pinned or in memory stays."""
        with contextlib.suppress(OSError):
            self.statistics.close()
        self.memory.close()
        if self.program is not None:
            self.program.close()

    def _ring_evidence(self, dropped: int, failure: str) -> Evidence | None:
        if not self.has_ring:
            return None
        memory = self.memory
        return Evidence(
            missing=self.ring.missing,
            dropped=max(0, dropped - memory.get(Number.RING_DROPPED)),
            scattered=memory.get(Number.DISCARDS),
            beyond=memory.get(Number.BEYOND),
            failure=failure or self.failure,
            has_baseline=self.ring.baseline is not None,
        )

    def _map_evidence(self) -> Evidence | None:
        if self.program is None:
            return None
        counters, memory = self.program.counters(), self.memory
        return Evidence(
            missing=self.map.missing,
            scattered=counters.scattered - memory.get(Number.MAP_SCATTERED),
            beyond=counters.beyond - memory.get(Number.MAP_BEYOND),
            passthrough=counters.passthrough - memory.get(Number.MAP_PASSTHROUGH),
            failure=self.failure,
            has_baseline=self.map.baseline is not None,
        )

    def _add(self, number: Number, amount: int) -> None:
        self.memory.put(number, self.memory.get(number) + amount)


def untrusted(reason: Reason) -> Trust:
    """Return the verdict of a disk about which nothing can be said."""
    return Trust(trusted=False, reason=reason, exact=False)
