"""The proof that tracking loses nothing: copy a filesystem under all kinds of writes, following the tracker alone.

WHERRY_SOAK_SEEDS=N runs N seeds of each filesystem instead of one.
"""

import os
import time
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.disks_tracking_rig import (
    KINDS,
    Copy,
    check_filesystem,
    memory_folder,
    options,
    swap_file,
    tracked,
    writers,
)
from wherry.disks.freezing import Freeze
from wherry.disks.layout import read_layout
from wherry.disks.tracking.tracker import Tracker
from wherry.disks.usedmap import UsedMap

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SEEDS = range(int(os.environ.get("WHERRY_SOAK_SEEDS", "1")))
PASSES = 6
PLANS = {
    "ext3": Plan("ext3", 96 * MIB),
    "ext4": Plan("ext4", 96 * MIB),
    "xfs": Plan("xfs", 320 * MIB),
    "btrfs": Plan("btrfs", 256 * MIB),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_no_block_is_lost(kind: str, seed: int, tmp_path: Path) -> None:
    with (
        memory_folder() as memory,
        LoopDisk(tmp_path / "disk", [PLANS[kind]]) as disk,
        Tracker(f"proof-{os.getpid()}", [tracked(disk)], options(memory)) as tracker,
    ):
        try:
            follow(kind, seed, disk, tracker, Copy(disk, tmp_path / "copy.img"))
        finally:
            tracker.discard()
        check_filesystem(kind, tmp_path / "copy.img", tmp_path / "mount")


def follow(kind: str, seed: int, disk: LoopDisk, tracker: Tracker, copy: Copy) -> None:
    (mount_point,) = disk.mount_points
    tracker.begin()
    assert "ftrace" in tracker.channels, tracker.obstacles
    with UsedMap(read_layout(disk.device)) as used_map:
        with swap_file(mount_point), writers(str(seed), mount_point, [*KINDS, "swap"]):
            time.sleep(0.3)
            first = tracker.cut()
            assert not first.trusted
            copy.take(used_map.extents())
            tracker.commit(first.epoch)
            for _ in range(PASSES - 3):
                run_pass(tracker, copy)
        with writers(f"{seed} again", mount_point):
            for _ in range(3):
                run_pass(tracker, copy)
            with Freeze(disk.mount_points, 60.0) as freeze:
                freeze.freeze()
                last = tracker.drain()
                assert last.trusted, last.disks[0].reason
                assert last.exact
                copy.take(last.disks[0].extents())
                used = used_map.extents(flush=False)
                copy.take(copy.missing(used))
                after = tracker.drain()
                assert after.exact
                # btrfs goes on discarding what is free: that changes no used block, as the comparison shows.
                assert kind == "btrfs" or not after.disks[0].fresh.any(), "something was written to a frozen disk"
                different = copy.differences(used)
                assert freeze.still_frozen()
            tracker.commit(after.epoch)
    copy.close()
    assert different == []


def run_pass(tracker: Tracker, copy: Copy) -> None:
    time.sleep(0.25)
    cut = tracker.cut()
    assert cut.trusted, cut.disks[0].reason
    assert copy.take(cut.disks[0].extents()) > 0, "the writers don't write"
    tracker.commit(cut.epoch)
