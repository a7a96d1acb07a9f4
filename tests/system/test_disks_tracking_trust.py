"""What the tracker tells of real disks, and that it notices whatever makes it miss a write."""

import contextlib
import dataclasses
import mmap
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from demo.loopdisk import MIB, obstacle
from demo.mounting import attached, partitioned
from tests.system.disks_tracking_rig import TrackerProcess, memory_folder, options
from wherry.disks.tracking.disk import GRANULE_SIZE, TrackedDisk
from wherry.disks.tracking.ebpf import await_programs
from wherry.disks.tracking.kernel_folders import find_bpffs
from wherry.disks.tracking.remains import Remains, trace_folder
from wherry.disks.tracking.ringbuffer import Completions
from wherry.disks.tracking.tracker import Cut, Tracker, TrackingUnavailable
from wherry.disks.tracking.trust import Reason
from wherry.disks.tracking.watched import WatchedDisk
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SIZE = 64 * MIB
take = WatchedDisk.take
NAME = f"trust-{os.getpid()}"


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as lent:
        yield lent
        remains = Remains(NAME, lent)
        remains.remove()
        assert not lent.exists()
        assert find_bpffs(remains.own_bpffs) != remains.own_bpffs
        with trace_folder() as tracefs:
            assert not (tracefs / "instances" / remains.kernel_name).exists()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    with blank_disk(tmp_path / "disk.img") as node:
        yield node


@contextlib.contextmanager
def blank_disk(image: Path, size: int = SIZE) -> Iterator[Path]:
    with image.open("wb") as file:
        file.truncate(size)
    with attached(image) as node:
        yield node


def disk_of(device: Path, index: int = 0, size: int = SIZE) -> TrackedDisk:
    return TrackedDisk(index, device.stat().st_rdev, size)


def write(device: Path, offsets: Sequence[int], length: int = 4096) -> None:
    """Write past the page cache, so that all is on the disk when this returns."""
    descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, length) as buffer:
            for offset in offsets:
                os.pwrite(descriptor, buffer, offset)
    finally:
        os.close(descriptor)


def granules(cut: Cut, index: int = 0) -> list[int]:
    return [int(number) for number in np.flatnonzero(cut.disks[index].granules)]


def started(tracker: Tracker) -> Tracker:
    """Begin and have all looked at once, so that what comes next can be trusted."""
    tracker.begin()
    first = tracker.cut()
    assert [dirty.trust.reason for dirty in first.disks.values()] == [Reason.BEGINNING] * len(tracker.disks)
    tracker.commit(first.epoch)
    return tracker


def settled(tracker: Tracker) -> Cut:
    """Cut, and have all copied."""
    cut = tracker.cut()
    tracker.commit(cut.epoch)
    return cut


def test_marks_stay_until_they_are_committed(folder: Path, device: Path) -> None:
    with started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        write(device, [0, 5 * GRANULE_SIZE + 4096])
        first = tracker.cut()
        write(device, [9 * GRANULE_SIZE])
        second = tracker.cut()
        assert (granules(first), granules(second)) == ([0, 5], [0, 5, 9])
        assert np.flatnonzero(second.disks[0].fresh).tolist() == [9]
        assert first.exact
        assert second.exact
        tracker.commit(first.epoch)
        assert granules(tracker.cut()) == [9]
        tracker.commit(second.epoch)
        assert granules(tracker.cut()) == []


def test_long_requests_discards_and_zeroing_are_seen_whole(folder: Path, device: Path) -> None:
    with started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        write(device, [3 * MIB - 4096], length=2 * MIB)
        assert granules(settled(tracker)) == list(range(47, 80))
        run(["blkdiscard", "--offset", str(MIB), "--length", str(20 * MIB), str(device)])
        assert granules(settled(tracker)) == list(range(16, 16 + 320))
        run(["blkdiscard", "--zeroout", "--offset", str(30 * MIB), "--length", str(MIB), str(device)])
        assert granules(settled(tracker)) == list(range(480, 496))
        run(["blkdiscard", str(device)])
        assert len(granules(settled(tracker))) == SIZE // GRANULE_SIZE


def test_reading_marks_nothing(folder: Path, device: Path) -> None:
    with started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        run(["dd", f"if={device}", "of=/dev/null", "bs=1M", "iflag=direct", "status=none"])
        assert granules(tracker.cut()) == []


def test_each_disk_has_its_own_marks(folder: Path, device: Path, tmp_path: Path) -> None:
    with blank_disk(tmp_path / "second.img", 48 * MIB + 512) as second:
        disks = [disk_of(device, 3), disk_of(second, 7, 48 * MIB + 512)]
        with started(Tracker(NAME, disks, options(folder))) as tracker:
            write(second, [48 * MIB], length=512)
            cut = tracker.cut()
            assert (granules(cut, 3), granules(cut, 7)) == ([], [768])
            (extent,) = cut.disks[7].extents()
            assert (extent.offset, extent.length) == (48 * MIB, 512), "the last granule is short"


def test_what_is_written_to_a_partition_lies_on_the_disk(folder: Path, device: Path) -> None:
    run(["sfdisk", "--quiet", "--no-reread", str(device)], stdin=b"start=20480, size=20480\n")
    with partitioned(device) as (node,), started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        write(node, [MIB])
        assert granules(tracker.cut()) == [(10 * MIB + MIB) // GRANULE_SIZE]


@pytest.mark.parametrize("channel", ["ftrace", "ebpf"])
def test_either_channel_alone_sees_everything_or_says_that_it_did_not(folder: Path, device: Path, channel: str) -> None:
    chance = random.Random(7)
    wanted = {other: other == channel for other in ("ftrace", "ebpf")}
    with started(Tracker(NAME, [disk_of(device)], options(folder, **wanted))) as tracker:
        assert tracker.channels == (channel,)
        for _ in range(5):
            offsets = [chance.randrange(SIZE // 4096) * 4096 for _ in range(200)]
            write(device, offsets)
            cut = settled(tracker)
            # Some kernels run no BPF program for a request that completes in an unlucky moment.
            if channel == "ftrace" or cut.trusted:
                assert granules(cut) == sorted({offset // GRANULE_SIZE for offset in offsets})
            else:
                assert cut.disks[0].trust.reason is Reason.MISSING


# --- losses ----------------------------------------------------------------------------------------------------------


def test_an_overflowing_ring_is_noticed_and_the_next_pass_trusted(folder: Path, device: Path) -> None:
    with started(Tracker(NAME, [disk_of(device)], options(folder, ring_bytes=8192, interval_s=60.0))) as tracker:
        write(device, [number * 4096 for number in range(2000)])
        cut = tracker.cut()
        assert cut.disks[0].trust.reason is Reason.DROPPED
        assert "overflowed" in cut.disks[0].reason
        assert not tracker.cut().trusted, "nothing was looked at meanwhile"
        tracker.commit(tracker.cut().epoch)
        write(device, [0])
        after = tracker.cut()
        assert after.trusted
        assert granules(after) == [0]


@pytest.mark.parametrize(
    ("file", "off", "on"),
    [
        ("events/block/block_rq_complete/filter", "dev == 0", None),
        ("events/block/block_rq_complete/enable", "0", "1"),
        ("tracing_on", "0", "1"),
    ],
)
def test_tracing_that_somebody_switched_off_for_a_moment_is_noticed(
    folder: Path, device: Path, file: str, off: str, on: str | None
) -> None:
    with trace_folder() as tracefs, started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        switch = tracefs / "instances" / f"wherry-{NAME}" / file
        before = switch.read_text()
        write(device, [0])
        switch.write_text(off)
        write(device, [20 * GRANULE_SIZE])
        switch.write_text(on or before)
        write(device, [40 * GRANULE_SIZE])
        cut = tracker.cut()
        assert cut.disks[0].trust.reason is Reason.MISSING
        tracker.commit(cut.epoch)
        write(device, [0])
        assert tracker.cut().exact


def test_a_loss_is_noticed_under_steady_writing_too(folder: Path, device: Path) -> None:
    code = "import os,mmap\nb=mmap.mmap(-1,4096)\nf=os.open({!r},os.O_WRONLY|os.O_DIRECT)\nwhile True: os.pwrite(f,b,0)"
    with trace_folder() as tracefs, started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        switch = tracefs / "instances" / f"wherry-{NAME}" / "tracing_on"
        with subprocess.Popen([sys.executable, "-c", code.format(str(device))]) as writer:
            try:
                time.sleep(0.3)
                assert settled(tracker).trusted
                switch.write_text("0")
                time.sleep(0.1)
                switch.write_text("1")
                assert settled(tracker).disks[0].trust.reason is Reason.MISSING
                # The sectors that are missing aren't known exactly while it goes on; in the end they are.
                cuts = [settled(tracker) for _ in range(20)]
                assert cuts[-1].trusted, cuts[-1].disks[0].reason
            finally:
                writer.kill()


def test_without_statistics_nothing_is_trusted(folder: Path, device: Path) -> None:
    switch = Path("/sys/block") / device.name / "queue" / "iostats"
    switch.write_text("0")
    try:
        with Tracker(NAME, [disk_of(device)], options(folder)) as tracker:
            tracker.begin()
            assert settled(tracker).disks[0].trust.reason is Reason.BEGINNING
            assert settled(tracker).disks[0].trust.reason is Reason.NO_STATISTICS
    finally:
        switch.write_text("1")


def test_writing_behind_the_old_end_of_a_disk_that_grew_is_noticed(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "growing.img"
    with blank_disk(image) as device, started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
        os.truncate(image, 2 * SIZE)
        run(["losetup", "--set-capacity", str(device)])
        write(device, [SIZE - 4096])
        assert settled(tracker).trusted
        write(device, [SIZE + MIB])
        assert tracker.cut().disks[0].trust.reason is Reason.BEYOND_END


def test_a_disk_without_requests_is_named(folder: Path, device: Path) -> None:
    zram = Path("/dev/zram0")
    if not zram.exists():
        pytest.skip("there is no device without block requests here")
    disks = [disk_of(device, 0), TrackedDisk(1, zram.stat().st_rdev, MIB)]
    with Tracker(NAME, disks, options(folder)) as tracker:
        tracker.begin()
        settled(tracker)
        cut = tracker.cut()
        assert cut.disks[0].trusted
        assert cut.disks[1].trust.reason is Reason.UNTRACKABLE
        assert not cut.trusted
        assert list(cut.granules) == [0]
        assert "zram" in tracker.obstacles["1"]
    with Tracker(NAME, disks[1:], options(folder)) as tracker, pytest.raises(TrackingUnavailable, match="zram"):
        tracker.begin()


def test_memory_on_a_disk_is_refused(folder: Path, device: Path, tmp_path: Path) -> None:
    with (
        Tracker(NAME, [disk_of(device)], options(tmp_path / "memory")) as tracker,
        pytest.raises(TrackingUnavailable, match="lies on a disk"),
    ):
        tracker.begin()


# --- the process ends ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def killed_after(folder: Path, device: Path, *, before_kill: Sequence[int] = ()) -> Iterator[None]:
    """Have a process track, commit a cut, and be killed after *before_kill* was written."""
    with TrackerProcess(NAME, folder, device) as process:
        assert not process.resumed
        assert process.ask("cut") == {"trusted": False, "granules": 0}
        process.ask("commit")
        write(device, before_kill)
        if before_kill:
            time.sleep(0.5)  # it drains the ring: what it has taken out is in the memory only
    yield


def test_a_killed_tracker_is_gone_on_with(folder: Path, device: Path) -> None:
    with killed_after(folder, device, before_kill=[3 * GRANULE_SIZE]):
        write(device, [5 * GRANULE_SIZE])
    with Tracker(NAME, [disk_of(device)], options(folder)) as tracker:
        tracker.begin()
        assert tracker.resumed
        write(device, [7 * GRANULE_SIZE])
        cut = tracker.cut()
        assert cut.exact
        assert granules(cut) == [3, 5, 7]


def test_cuts_that_were_not_committed_outlive_the_process(folder: Path, device: Path) -> None:
    with killed_after(folder, device):
        pass
    for round_number in range(3):
        with TrackerProcess(NAME, folder, device) as process:
            write(device, [round_number * GRANULE_SIZE])
            assert process.ask("cut") == {"trusted": True, "granules": round_number + 1}


def test_what_the_ring_could_not_hold_is_remembered_by_the_program(folder: Path, device: Path) -> None:
    """The ring is gone altogether; the program's count decides whether its marks are all."""
    with killed_after(folder, device, before_kill=[0]):
        with trace_folder() as tracefs:
            (tracefs / "instances" / f"wherry-{NAME}").rmdir()
        write(device, [number * GRANULE_SIZE for number in range(100, 200)])
    with Tracker(NAME, [disk_of(device)], options(folder)) as tracker:
        tracker.begin()
        assert tracker.channels == ("ftrace", "ebpf"), tracker.obstacles
        cut = settled(tracker)
        if cut.trusted:
            assert granules(cut) == [0, *range(100, 200)]
        else:  # this kernel didn't run the program each time
            assert cut.disks[0].trust.reason is Reason.LOST_WHILE_DOWN
        assert settled(tracker).exact


def test_without_the_program_a_lost_ring_is_a_loss(folder: Path, device: Path) -> None:
    with killed_after(folder, device):
        with trace_folder() as tracefs:
            (tracefs / "instances" / f"wherry-{NAME}").rmdir()
        write(device, [0])
    with Tracker(NAME, [disk_of(device)], options(folder, ebpf=False)) as tracker:
        tracker.begin()
        assert settled(tracker).disks[0].trust.reason is Reason.LOST_WHILE_DOWN
        assert settled(tracker).exact


def test_a_process_that_took_events_and_died_before_it_marked_them_is_found_out(folder: Path, device: Path) -> None:
    with killed_after(folder, device):
        write(device, [0, GRANULE_SIZE])
        with trace_folder() as tracefs:
            for ring in (tracefs / "instances" / f"wherry-{NAME}" / "per_cpu").glob("*/trace_pipe_raw"):
                descriptor = os.open(ring, os.O_RDONLY | os.O_NONBLOCK)
                with contextlib.suppress(BlockingIOError):
                    os.read(descriptor, 4096)
                os.close(descriptor)
    with Tracker(NAME, [disk_of(device)], options(folder, ebpf=False)) as tracker:
        tracker.begin()
        assert tracker.cut().disks[0].trust.reason is Reason.LOST_WHILE_DOWN


def test_a_process_that_dies_in_the_middle_of_a_batch_loses_nothing(
    folder: Path, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has taken pages out of the ring, and marked and counted a part of them."""
    tracker = started(Tracker(NAME, [disk_of(device)], options(folder, ebpf=False, interval_s=60.0)))
    write(device, [number * GRANULE_SIZE for number in range(0, 1000, 7)])
    with monkeypatch.context() as patched:
        patched.setattr(WatchedDisk, "take", take_some)
        with pytest.raises(KeyboardInterrupt):
            tracker.cut()
    # As it's after a kill: what is left in the ring isn't drained.
    instance, tracker._instance = tracker._instance, None
    tracker.close()
    assert instance is not None
    instance.close()
    with Tracker(NAME, [disk_of(device)], options(folder, ebpf=False)) as again:
        again.begin()
        cut = again.cut()
        assert cut.exact, cut.disks[0].reason
        assert granules(cut) == list(range(0, 1000, 7))


def take_some(watched: WatchedDisk, completions: Completions) -> int:
    few = Completions(
        *(column[:20] for column in dataclasses.astuple(completions)),
    )
    take(watched, few)
    raise KeyboardInterrupt


def test_after_a_reboot_nothing_is_known(folder: Path, device: Path) -> None:
    with killed_after(folder, device):
        write(device, [0])
    (memory,) = folder.glob("*.marks")
    content = memory.read_bytes()
    running = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    assert content.count(running) == 1
    memory.write_bytes(content.replace(running, running[::-1]))
    with Tracker(NAME, [disk_of(device)], options(folder)) as tracker:
        tracker.begin()
        assert not tracker.resumed
        assert settled(tracker).disks[0].trust.reason is Reason.REBOOTED
        assert settled(tracker).exact


def test_another_disk_with_the_same_number_is_not_mistaken(folder: Path, tmp_path: Path) -> None:
    with blank_disk(tmp_path / "first.img") as device, killed_after(folder, device):
        number = device.name.removeprefix("loop")
    with blank_disk(tmp_path / "second.img") as device:
        if device.name.removeprefix("loop") != number:
            pytest.skip("another process took the loop device meanwhile")
        with Tracker(NAME, [disk_of(device)], options(folder)) as tracker:
            tracker.begin()
            assert settled(tracker).disks[0].trust.reason is Reason.DISK_CHANGED


def test_a_disk_that_is_added_begins_alone(folder: Path, device: Path, tmp_path: Path) -> None:
    with (
        killed_after(folder, device, before_kill=[GRANULE_SIZE]),
        blank_disk(tmp_path / "second.img") as second,
        Tracker(NAME, [disk_of(device, 0), disk_of(second, 1)], options(folder)) as tracker,
    ):
        tracker.begin()
        assert not tracker.resumed
        write(second, [0])
        cut = settled(tracker)
        assert cut.disks[0].trusted
        assert (granules(cut, 0), granules(cut, 1)) == ([1], [0])
        assert cut.disks[1].trust.reason is Reason.BEGINNING
        assert settled(tracker).exact


def test_tracing_of_others_is_left_alone(folder: Path, device: Path) -> None:
    with trace_folder() as tracefs:
        other = tracefs / "instances" / f"wherry-{NAME}-other"
        other.mkdir()
        try:
            switches = [tracefs / "events/block/block_rq_complete/enable", other / "events/block/enable"]
            before = [switch.read_text() for switch in switches]
            with started(Tracker(NAME, [disk_of(device)], options(folder))) as tracker:
                assert [switch.read_text() for switch in switches] == before
                tracker.discard()
            assert other.is_dir()
        finally:
            other.rmdir()


def test_the_kernel_can_wait_for_programs_here() -> None:
    assert await_programs()
