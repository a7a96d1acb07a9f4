"""The proof that tracking loses nothing: copy a filesystem under all kinds of writes, following the tracker alone.

The copy takes no more than the blocks that the tracker names, not the granules that they lie in.

WHERRY_SOAK_SEEDS=N runs N seeds of each filesystem instead of one, see `soaking`.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.disks_tracking_rig import (
    KINDS,
    Copy,
    TrackerProcess,
    check_filesystem,
    memory_folder,
    options,
    swap_file,
    tracked,
    writers,
    written_blocks,
)
from tests.system.soaking import SEEDS
from wherry.disks.freezing import Freeze
from wherry.disks.layout import read_layout
from wherry.disks.tracking.remains import trace_folder
from wherry.disks.tracking.tracker import Tracker
from wherry.disks.tracking.trust import Reason
from wherry.disks.usedmap import UsedMap

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

PASSES = 6
NAME = f"proof-{os.getpid()}"
PLANS = {
    "ext4": Plan("ext4", 96 * MIB),
    "xfs": Plan("xfs", 320 * MIB),
    "btrfs": Plan("btrfs", 256 * MIB),
}


@dataclass
class Proof:
    """A disk that is written to, the copy that follows it, and who tells the copier what to copy."""

    disk: LoopDisk
    tracker: Tracker
    copy: Copy
    used_map: UsedMap
    seed: str
    scans: list[str] = field(default_factory=list)
    """Why everything was looked at, each time."""

    def copy_all(self) -> None:
        """Pass 0: copy what is used, which is looked up after tracking has begun."""
        first = self.tracker.cut()
        assert not first.trusted
        self.copy.take(self.used_map.extents())
        self.tracker.commit(first.epoch)

    def copy_changes(self) -> None:
        """Copy what was written, or all that is used when the tracker says that it may not know."""
        time.sleep(0.25)
        cut = self.tracker.cut()
        if not cut.trusted:
            self.scans.append(cut.disks[0].reason)
            self.copy.take(self.used_map.extents())
        assert self.copy.take(written_blocks(cut.disks[0])) > 0, "the writers don't write"
        self.tracker.commit(cut.epoch)

    def finish(self) -> None:
        """Freeze, copy the rest, and compare every used block."""
        with Freeze(self.disk.mount_points, 60.0) as freeze:
            freeze.freeze()
            last = self.tracker.drain()
            assert last.trusted, last.disks[0].reason
            assert last.exact
            self.copy.take(written_blocks(last.disks[0]))
            used = self.used_map.extents(flush=False)
            self.copy.take(self.copy.missing(used))
            # Freezing stops writers, but no discards: fstrim goes on, and so does btrfs by itself. ext4 may write its
            # super block a little later. So look once more.
            after = self.tracker.drain()
            assert after.exact
            self.copy.take(written_blocks(after.disks[0], fresh=True))
            different = self.copy.differences(used)
            assert freeze.still_frozen()
        self.tracker.commit(after.epoch)
        self.copy.close()
        assert different == []


@contextlib.contextmanager
def proving(kind: str, seed: str, folder: Path) -> Iterator[Proof]:
    """Lend a disk with one filesystem and a tracker; check the filesystem of the copy when all is done."""
    with (
        memory_folder() as memory,
        LoopDisk(folder / "disk", [PLANS[kind]]) as disk,
        Tracker(NAME, [tracked(disk)], options(memory)) as tracker,
    ):
        copy = Copy(disk, folder / "copy.img")
        try:
            with UsedMap(read_layout(disk.device)) as used_map:
                yield Proof(disk, tracker, copy, used_map, seed)
        finally:
            tracker.discard()
        check_filesystem(kind, folder / "copy.img", folder / "mount")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_no_block_is_lost(kind: str, seed: int, tmp_path: Path) -> None:
    with proving(kind, str(seed), tmp_path) as proof:
        (mount_point,) = proof.disk.mount_points
        proof.tracker.begin()
        assert "ftrace" in proof.tracker.channels, proof.tracker.obstacles
        # Swapping isn't frozen, so it ends before the freeze.
        with swap_file(mount_point), writers(proof.seed, mount_point, [*KINDS, "swap"]):
            time.sleep(0.3)
            proof.copy_all()
            for _ in range(PASSES // 2):
                proof.copy_changes()
        with writers(f"{proof.seed} again", mount_point):
            for _ in range(PASSES // 2):
                proof.copy_changes()
            proof.finish()
        assert proof.scans == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loss_is_caught_and_healed_by_a_scan(seed: int, tmp_path: Path) -> None:
    with proving("ext4", f"loss {seed}", tmp_path) as proof, trace_folder() as tracefs:
        (mount_point,) = proof.disk.mount_points
        proof.tracker.begin()
        with writers(proof.seed, mount_point):
            proof.copy_all()
            proof.copy_changes()
            switch = tracefs / "instances" / f"wherry-{NAME}" / "tracing_on"
            switch.write_text("0")
            time.sleep(0.3)
            switch.write_text("1")
            proof.copy_changes()
            assert [scan.partition(":")[0] for scan in proof.scans] == [Reason.MISSING.value], "the loss wasn't noticed"
            proof.copy_changes()
            assert len(proof.scans) == 1, "the loss was held against the passes after it"
            proof.finish()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tracker_that_is_killed_under_writes_loses_nothing(seed: int, tmp_path: Path) -> None:
    """The first one sees the beginning, the second the end, and what came between them is in the ring and the map."""
    with proving("ext4", f"kill {seed}", tmp_path) as proof:
        (mount_point,) = proof.disk.mount_points
        with writers(proof.seed, mount_point):
            with TrackerProcess(NAME, proof.tracker.folder, proof.disk.device) as first:
                assert first.ask("cut")["trusted"] is False
                proof.copy.take(proof.used_map.extents())
                first.ask("commit")
                time.sleep(0.5)
            time.sleep(0.3)
            proof.tracker.begin()
            assert proof.tracker.resumed
            for _ in range(2):
                proof.copy_changes()
            assert proof.scans == [], "the ring had room for all"
            proof.finish()
