"""A filesystem under writes follows to a receiver in patches, and ends equal; also when the tracker's blocks are wrong.

A real tracker, a real disk and the real ends of a session. The receiver tries every patch on its medium, so that a
block that the tracker has missed is never taken over in silence.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path

import numpy as np
import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.disks_tracking_rig import check_filesystem, memory_folder, options, tracked, writers
from tests.system.soaking import SEEDS
from tests.unit.replication_pair import Place
from wherry.disks.direct import DiskReader
from wherry.disks.extents import Extent
from wherry.disks.freezing import Freeze
from wherry.disks.layout import read_layout
from wherry.disks.tracking.tracker import Cut, Tracker
from wherry.disks.usedmap import UsedMap
from wherry.replication.granuleset import Numbers
from wherry.replication.patches import BlockMarks, Masks
from wherry.replication.sending import PassFigures, PassMemory, PassReport, SourceDisk, SourceSession

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

NAME = f"patches-{getpid()}"
PASSES = 5
LATE_ROUNDS = 4
KINDS = ("buffered", "direct", "mapped", "churn", "holes")


@dataclass
class Forgetful:
    """Blocks of a tracker that has missed one in four of those that were written."""

    honest: BlockMarks
    chance: random.Random

    def of(self, granules: Numbers) -> Masks:
        masks = self.honest.of(granules)
        kept = [sum(1 << block for block in range(16) if self.chance.random() < 0.75) for _ in granules]
        few = masks & np.array(kept, dtype=np.uint16)
        return np.where(few > 0, few, masks)


@dataclass
class Follower:
    """Sends what a tracker names, over a session."""

    session: SourceSession
    disks: list[SourceDisk]
    forgetful: random.Random | None
    memory: PassMemory = field(default_factory=PassMemory)
    done: list[PassFigures] = field(default_factory=list)

    def follow(self, cut: Cut, used: Mapping[int, Sequence[Extent]]) -> PassReport:
        assert cut.trusted or self.session.next_pass == 0, cut.disks[0].reason
        blocks: Mapping[int, BlockMarks] = cut.blocks
        if self.forgetful is not None:
            blocks = {index: Forgetful(marks, self.forgetful) for index, marks in cut.blocks.items()}
        dirty = None if self.session.next_pass == 0 else cut.granules
        report = self.session.run_pass(
            self.session.next_pass, self.disks, used, self.memory, dirty=dirty, blocks=blocks
        )
        self.done.append(report.figures)
        return report


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_disk_that_is_followed_in_patches_ends_equal(seed: int, forgetful: bool, tmp_path: Path) -> None:
    receiver = tmp_path / "receiver"
    receiver.mkdir()
    place = Place(receiver)
    with (
        memory_folder() as memory,
        LoopDisk(tmp_path / "disk", [Plan("ext4", 96 * MIB)]) as disk,
        Tracker(NAME, [tracked(disk)], options(memory)) as tracker,
        DiskReader(disk.device) as reader,
        UsedMap(read_layout(disk.device)) as used_map,
    ):
        disks = [SourceDisk(0, "disk", disk.size, reader)]
        served = place.connect(disks, connections=2)
        session = served.session
        follower = Follower(session, disks, random.Random(seed) if forgetful else None)
        try:
            tracker.begin()
            (mount_point,) = disk.mount_points
            with writers(f"patches {seed}", mount_point, KINDS):
                for number in range(PASSES):
                    cut = tracker.cut()
                    report = follower.follow(cut, {0: used_map.extents()})
                    session.commit(False, number, report.covered)
                    tracker.commit(cut.epoch)
                session.hold()
                with Freeze(disk.mount_points, 60.0) as freeze:
                    freeze.freeze()
                    report = follower.follow(tracker.drain(), {})
                    # Discards go on while a filesystem is frozen.
                    for _ in range(LATE_ROUNDS):
                        cut = tracker.drain()
                        if not cut.disks[0].fresh.any():
                            break
                        report = follower.follow(cut, {})
                    session.commit(True, PASSES, report.covered)
                    picture = tmp_path / "picture.img"
                    picture.write_bytes(disk.image.read_bytes())
                    assert freeze.still_frozen()
            session.settle()
            half = session.half(PASSES, report.covered)
            served.close()
        finally:
            tracker.discard()
        copy = place.image()
    assert place.replica.half(PASSES) == half
    place.close()
    content = picture.read_bytes()
    for first, count in report.covered[0]:
        assert copy[first << 16 : (first + count) << 16] == content[first << 16 : (first + count) << 16]
    assert sum(figures.patched_bytes for figures in follower.done)
    if forgetful:
        assert sum(figures.unfit_bytes for figures in follower.done), "nobody noticed the missing blocks"
    check_filesystem("ext4", receiver / "disk0.img", tmp_path / "mount")
