"""One watched disk without a kernel: events are made up, the statistics are what the test says."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from wherry.disks.tracking import memory as memory_module
from wherry.disks.tracking import watched as watched_module
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.diskstats import DiskCounters, QueueFacts
from wherry.disks.tracking.ebpf import Counters, MarkingProgram
from wherry.disks.tracking.marks import Granules
from wherry.disks.tracking.memory import DiskMemory, Identity, Number
from wherry.disks.tracking.ringbuffer import Completions
from wherry.disks.tracking.trust import Reason
from wherry.disks.tracking.watched import WatchedDisk

DISK = TrackedDisk(0, 8 << 8, 100 * 65536)
LATER_NS, LONG_AGO_NS = 10**12, -(10**12)
FACTS = QueueFacts(requests=True, statistics=True, discard_ranges=1, zoned=False)


@dataclass
class Statistics:
    """Stands in for the kernel's."""

    written: int = 1000
    in_flight: int = 0
    kept: bool = True
    asked_ns: int = 0
    """When they were read last."""

    def counters(self) -> DiskCounters:
        self.asked_ns = time.monotonic_ns()
        return DiskCounters(self.written, 0)

    def writes_in_flight(self) -> int:
        return self.in_flight

    def are_kept(self) -> bool:
        return self.kept

    def close(self) -> None:
        self.in_flight = 0


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statistics: Statistics) -> WatchedDisk:
    monkeypatch.setattr(memory_module, "is_memory", lambda _path: True)
    identity = Identity(boot_id="x", device=DISK.device, disk_sequence=0, size=DISK.size, granule_size=65536)
    memory = DiskMemory(tmp_path / "a.marks", identity)
    memory.put(Number.RING_HAS_BASELINE, 1)
    memory.put(Number.RING_BASELINE, 1000)
    return WatchedDisk(DISK, memory, statistics, FACTS, None, has_ring=True)


def events(
    places: Sequence[tuple[int, int]],
    *,
    at_ns: int = LONG_AGO_NS,
    device: int = 8 << 20,
    discard: bool = False,
    after_ns: int | None = None,
) -> Completions:
    """Return completions of *at_ns* after the moment *after_ns*, by default after now."""
    now = time.monotonic_ns() if after_ns is None else after_ns
    return Completions(
        device=np.full(len(places), device, np.uint32),
        sector=np.array([sector for sector, _ in places], np.uint64),
        sectors=np.array([sectors for _, sectors in places], np.uint32),
        discard=np.full(len(places), discard),
        time_ns=np.full(len(places), now + at_ns, np.int64),
    )


def weighed(watched: WatchedDisk, *drained: Completions, quiet: bool = False) -> int | None:
    """Look once, let *drained* come out of the ring, and return what is missing."""
    watched.look()
    for completions in drained:
        watched.take(completions)
    watched.weigh(quiet=quiet)
    return watched.ring.missing


def test_events_of_this_disk_are_marked_and_counted(watched: WatchedDisk) -> None:
    assert watched.take(events([(0, 8), (127, 2), (99 * 128, 128)])) == 3
    assert watched.take(events([(50 * 128, 8)], device=8 << 20 | 16)) == 0
    assert watched.take(events([(2**64 - 1, 8)])) == 0, "a command past the block layer has no place"
    assert np.flatnonzero(watched.dirty(1)).tolist() == [0, 1, 99]
    assert watched.memory.get(Number.SEEN) == 138


def masks(watched: WatchedDisk, last: int, *granules: int) -> list[int]:
    found = watched.blocks(last)
    assert found is not None
    return [int(mask) for mask in found.of(np.array(granules))]


def test_events_tell_which_blocks_they_touched(watched: WatchedDisk) -> None:
    watched.take(events([(0, 8), (16, 1), (127, 2), (99 * 128, 128), (200 * 128, 8)]))
    assert masks(watched, 1, 0, 1, 99) == [0x8005, 1, 0xFFFF]
    assert masks(watched, 1, 2) == [0xFFFF], "of what the ring hasn't seen nothing is known"
    watched.begin_epoch(2)
    watched.memory.commit(1)
    watched.take(events([(8, 8)]))
    assert masks(watched, 2, 0) == [2]


def test_without_a_ring_no_blocks_are_known(watched: WatchedDisk) -> None:
    watched.has_ring = False
    assert watched.blocks(1) is None


def test_joined_epochs_are_taken_as_a_whole(watched: WatchedDisk) -> None:
    watched.take(events([(128, 8)]))
    watched.begin_epoch(2)
    watched.join(2)
    watched.take(events([(128 * 3, 8)]))
    assert masks(watched, 2, 1, 3) == [0xFFFF, 1]


class Program:
    """An eBPF program that marked granule 7 while nobody drained, and counted everything."""

    adopted = True

    def __init__(self, sectors: int) -> None:
        self._sectors = sectors

    def counters(self) -> Counters:
        return Counters(sectors=self._sectors, requests=1, scattered=0, beyond=0, passthrough=0)

    def sectors(self) -> int:
        return self._sectors

    def dirty(self, _floor: int, _last: int) -> Granules:
        found = np.zeros(DISK.granules, dtype=np.bool_)
        found[7] = True
        return found

    def begin_epoch(self, _epoch: int) -> None:
        return

    def close(self) -> None:
        return


def test_blocks_are_not_believed_where_the_program_vouches_for_what_the_ring_lost(
    watched: WatchedDisk, statistics: Statistics
) -> None:
    watched.use_program(cast("MarkingProgram", Program(16)))
    watched.memory.put(Number.MAP_HAS_BASELINE, 1)
    watched.memory.put(Number.MAP_BASELINE, 1000)
    watched.compare_anew()
    watched.take(events([(0, 8)]))
    statistics.written = 1016
    for _ in range(2):
        weighed(watched)
    verdict = watched.judge(dropped=1, restarted=True)
    assert verdict.trusted
    # The event that was lost was of granule 7; another one comes later, and must not stand for both.
    watched.take(events([(7 * 128 + 8, 8)]))
    assert masks(watched, 1, 0, 7) == [0xFFFF, 0xFFFF]


def test_a_quiet_moment_settles_it(watched: WatchedDisk, statistics: Statistics) -> None:
    watched.take(events([(0, 8)]))
    statistics.written = 1008
    assert weighed(watched) == 0


def test_what_was_completed_later_does_not_disturb(watched: WatchedDisk, statistics: Statistics) -> None:
    watched.take(events([(0, 8)]))
    statistics.written = 1008
    assert weighed(watched, events([(8, 8)], at_ns=LATER_NS)) == 0


def test_what_was_still_in_the_ring_counts(watched: WatchedDisk, statistics: Statistics) -> None:
    statistics.written = 1008
    assert weighed(watched, events([(0, 8)])) == 0


def test_a_moment_with_completions_settles_nothing(watched: WatchedDisk, statistics: Statistics) -> None:
    statistics.written = 1008
    watched.look()
    watched.take(events([(0, 8)], at_ns=0, after_ns=statistics.asked_ns))
    watched.take(events([(8, 8)], at_ns=LATER_NS))
    watched.weigh(quiet=False)
    assert watched.ring.missing is None
    # Nor does one right after them: they may not be in the statistics yet.
    watched.take(events([(0, 8)], at_ns=0))
    statistics.written = 1016
    assert weighed(watched) is None


def test_a_loss_shows_at_the_second_look(watched: WatchedDisk, statistics: Statistics) -> None:
    statistics.written = 1016
    watched.take(events([(0, 8)]))
    assert weighed(watched) is None
    assert weighed(watched) == 8
    assert watched.judge(dropped=0).reason is Reason.MISSING
    watched.take_baselines(0, trusted=False)
    watched.compare_anew()
    assert weighed(watched) == 0


def test_a_loss_on_a_busy_disk_shows_after_a_few_looks(watched: WatchedDisk, statistics: Statistics) -> None:
    statistics.written = 1016
    statistics.in_flight = 3
    watched.take(events([(0, 8)]))
    for _ in range(3):
        assert watched.ring.missing is None
        weighed(watched)
        time.sleep(0.011)
    assert watched.ring.missing == 8


def test_a_loss_that_shows_by_bounds_only_costs_the_baseline(
    watched: WatchedDisk, statistics: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics.in_flight = 3
    with monkeypatch.context() as patient:
        # However long this process has to wait for a processor between an event of "now" and the look after it.
        patient.setattr(watched_module, "_MARGIN_NS", 10**10)
        for looks in range(1, 4):
            statistics.written = 1000 + 108 * looks
            weighed(watched, events([(0, 8)], at_ns=0))
            time.sleep(0.011)
    assert watched.ring.missing == 100
    watched.take_baselines(0, trusted=False)
    watched.compare_anew()
    assert watched.seeks_baseline
    assert watched.judge(dropped=0).reason is Reason.NO_BASELINE
    statistics.in_flight = 0
    time.sleep(0.001)
    weighed(watched)
    assert watched.judge(dropped=0).reason is Reason.NO_BASELINE, "the time before the baseline can't be judged"
    watched.take_baselines(0, trusted=False)
    watched.compare_anew()
    assert weighed(watched) == 0


def test_looks_for_a_baseline_are_kept_from_verdict_to_verdict(watched: WatchedDisk, statistics: Statistics) -> None:
    watched.memory.put(Number.RING_HAS_BASELINE, 0)
    watched.compare_anew()
    statistics.in_flight = 1
    for _ in range(3):
        assert watched.seeks_baseline
        weighed(watched)
        watched.take_baselines(0, trusted=False)
        watched.compare_anew()
    weighed(watched)
    assert watched.ring.offset == 1000


def test_frozen_disks_are_compared_without_writes_under_way_only(watched: WatchedDisk, statistics: Statistics) -> None:
    statistics.in_flight = 1
    assert weighed(watched, quiet=True) is None
    statistics.in_flight = 0
    assert weighed(watched, quiet=True) == 0


def test_rings_without_a_usable_clock_need_a_moment_without_anything(
    watched: WatchedDisk, statistics: Statistics
) -> None:
    watched.ring_has_clock = False
    assert weighed(watched, events([(0, 8)])) is None
    statistics.written = 1008
    statistics.in_flight = 1
    assert weighed(watched) is None
    statistics.in_flight = 0
    assert weighed(watched) == 0


def test_drops_count_since_the_last_verdict(watched: WatchedDisk) -> None:
    weighed(watched)
    assert watched.judge(dropped=3).reason is Reason.DROPPED
    watched.take_baselines(3, trusted=False)
    assert watched.judge(dropped=3).trusted
    assert watched.judge(dropped=4).reason is Reason.DROPPED
    # A ring that was made anew counts from 0.
    assert watched.judge(dropped=0).trusted


def test_a_failure_to_read_the_ring_spoils_the_verdict(watched: WatchedDisk) -> None:
    weighed(watched)
    assert watched.judge(dropped=0, failure="gone").reason is Reason.CHANNEL_FAILED


@pytest.mark.parametrize(("ranges", "trusted"), [(1, True), (256, False)])
def test_discards_are_doubtful_where_they_may_have_several_ranges(
    watched: WatchedDisk, statistics: Statistics, ranges: int, trusted: bool
) -> None:
    watched.facts = QueueFacts(requests=True, statistics=True, discard_ranges=ranges, zoned=False)
    watched.take(events([(0, 8)]))
    watched.take(events([(128, 256)], discard=True))
    statistics.written = 1264
    weighed(watched)
    assert watched.judge(dropped=0).trusted is trusted
    assert np.flatnonzero(watched.dirty(1)).tolist() == [0, 1, 2]


def test_requests_behind_the_end_are_noticed(watched: WatchedDisk, statistics: Statistics) -> None:
    watched.take(events([(99 * 128, 256), (200 * 128, 8)]))
    statistics.written = 1264
    weighed(watched)
    assert watched.judge(dropped=0).reason is Reason.BEYOND_END
    assert np.flatnonzero(watched.dirty(1)).tolist() == [99]


def test_joined_epochs_stay_dirty(watched: WatchedDisk) -> None:
    for epoch in range(1, 6):
        watched.take(events([(epoch * 128, 8)]))
        watched.begin_epoch(epoch + 1)
    watched.memory.commit(2)
    watched.join(6)
    watched.take(events([(50 * 128, 8)]))
    assert watched.floor == 5
    assert np.flatnonzero(watched.dirty(6)).tolist() == [3, 4, 5, 50]
    watched.memory.commit(4)
    assert np.flatnonzero(watched.dirty(6)).tolist() == [3, 4, 5, 50], "what was joined belongs to the newest epoch"


def test_statistics_that_are_switched_off_meanwhile_spoil_the_verdict(
    watched: WatchedDisk, statistics: Statistics
) -> None:
    statistics.kept = False
    weighed(watched)
    assert watched.judge(dropped=0).reason is Reason.NO_STATISTICS


def test_a_disk_that_went_away_spoils_the_verdict(
    watched: WatchedDisk, statistics: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> DiskCounters:
        raise OSError("No such device")

    monkeypatch.setattr(statistics, "counters", gone)
    assert weighed(watched) is None
    assert watched.is_settled(restarted=False), "there is nothing to wait for"
    verdict = watched.judge(dropped=0)
    assert (verdict.reason, verdict.detail) == (Reason.CHANNEL_FAILED, "No such device")
    watched.compare_anew()
    monkeypatch.undo()
    assert weighed(watched) == 0
    assert watched.judge(dropped=0).trusted
