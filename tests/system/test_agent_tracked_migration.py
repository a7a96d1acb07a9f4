"""A live disk under writers moves by what its tracker saw, equal, in passes that read little; and without a tracker."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.disks_tracking_rig import check_filesystem, writers
from tests.system.migration_rig import Rig
from wherry.contract.speed import SpeedLimits, SpeedPeriod
from wherry.contract.wherry import ReplicationFigures
from wherry.disks.tracking.remains import Remains, memory_folder, trace_folder
from wherry.disks.tracking.trust import Reason
from wherry.process import run
from wherry.replication.frames import HEADER_SIZE, FrameType, decode_header

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

CONTENT = 96 * MIB
SOURCE = Path(__file__).parents[2] / "src" / "wherry"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 160 * MIB), Plan("xfs", 320 * MIB))) as made:
        for mount_point in made.mount_points:
            (mount_point / "content").write_bytes(b"that stays as it is. " * (CONTENT // 42))
        yield made


@pytest.fixture
def rig(disk: LoopDisk, tmp_path: Path) -> Iterator[Rig]:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ncp --sparse=always {disk.image} {tmp_path}/picture.img\n")
    hook.chmod(0o700)
    rig = Rig(tmp_path, disk.device, ("--max-freeze", "30", "--frozen-hook", str(hook)))
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


@contextlib.contextmanager
def busy(disk: LoopDisk) -> Iterator[None]:
    first, second = disk.mount_points
    with writers("one", first, ["direct"]), writers("two", second, ["churn", "mapped"]):
        yield


def synchronising(rig: Rig) -> str:
    task_id = rig.create_task(syncing=True)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
    further(rig, task_id, 2)
    return task_id


def further(rig: Rig, task_id: str, count: int) -> ReplicationFigures:
    """Wait for *count* more committed passes."""
    before = len(rig.plane.show_replication(task_id).passes)
    rig.until("more passes", lambda: len(rig.plane.show_replication(task_id).passes) >= before + count)
    return rig.plane.show_replication(task_id)


def cut_over(rig: Rig, task_id: str) -> ReplicationFigures:
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", 120.0)
    return rig.plane.show_replication(task_id)


def assert_equal(rig: Rig, task_id: str, folder: Path) -> None:
    """Both the copy and the source at the frozen point are what was proven, and the copy's filesystems are sound."""
    proof = folder / "proof.json"
    proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
    copy = rig.images / task_id / "disk-0.raw"
    for image in (copy, folder / "picture.img"):
        judged = rig.wherry("verify", str(proof), str(image), "--ca-file", rig.admin.ca_file)
        assert judged.returncode == 0, judged.stdout + judged.stderr
    spare = folder / "spare.img"
    run(["cp", "--sparse=always", str(copy), str(spare)])
    check_filesystem("ext4", spare, folder / "mount")


def resident_bytes(process_id: int) -> int:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def assert_idle_agent_is_small(rig: Rig) -> None:
    """Under 100 MB, though a pass has had a buffer for everything and the freeze has locked it into memory."""
    process = rig.programs["agent"].process
    assert process is not None
    rig.until("the memory to be given back", lambda: resident_bytes(process.pid) < 100_000_000)


def assert_nothing_left(task_id: str) -> None:
    assert not memory_folder(task_id).exists()
    with trace_folder() as tracefs:
        assert not (tracefs / "instances" / f"wherry-{task_id}").exists()


def test_passes_read_what_was_written_and_a_killed_agent_goes_on_without_a_scan(
    rig: Rig, disk: LoopDisk, tmp_path: Path
) -> None:
    with busy(disk):
        task_id = synchronising(rig)
        agent = rig.programs["agent"]
        agent.kill()
        agent.start()
        further(rig, task_id, 2)
        assert agent.terminate() == 0
        agent.start()
        further(rig, task_id, 1)
        figures = cut_over(rig, task_id)
    assert figures.tracking.startswith("ftrace")
    first, *others = figures.passes
    assert first.scan_reason == Reason.BEGINNING.value
    assert first.read_bytes > 2 * CONTENT * 0.9
    assert [done.scan_reason for done in others if done.scan] == []
    assert max(done.read_bytes for done in others) < figures.used_bytes / 5
    assert sum(done.patched_bytes for done in others), "no block was sent by itself"
    assert figures.passes[-1].consistent
    assert_idle_agent_is_small(rig)
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)


def test_lost_events_are_noticed_and_healed_by_a_scan(rig: Rig, disk: LoopDisk, tmp_path: Path) -> None:
    with busy(disk):
        task_id = synchronising(rig)
        with trace_folder() as tracefs:
            switch = tracefs / "instances" / f"wherry-{task_id}" / "tracing_on"
            switch.write_text("0")
            (disk.mount_points[0] / "unseen").write_bytes(b"nobody saw it. " * MIB)
            run(["sync", "--file-system", str(disk.mount_points[0])])
            switch.write_text("1")
        further(rig, task_id, 2)
        figures = cut_over(rig, task_id)
    scans = [done for done in figures.passes[1:] if done.scan]
    # More than one on a slow machine, where a pass may end before the tracing is switched on again.
    assert {done.scan_reason.partition(": ")[0] for done in scans} == {Reason.MISSING.value}
    assert scans[0].read_bytes > 2 * CONTENT * 0.9
    assert "digest_scan" in rig.programs["agent"].words()
    assert figures.passes[-1].consistent
    assert not figures.passes[-1].scan
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)


def test_a_disk_that_cannot_be_tracked_moves_by_scans(rig: Rig, disk: LoopDisk, tmp_path: Path) -> None:
    statistics = Path(f"/sys/block/{disk.device.name}/queue/iostats")
    statistics.write_text("0")
    try:
        with busy(disk):
            task_id = synchronising(rig)
            figures = cut_over(rig, task_id)
    finally:
        statistics.write_text("1")  # it outlives the disk
    first, *others = [done.scan_reason for done in figures.passes]
    assert first == Reason.BEGINNING.value
    assert set(others) == {Reason.NO_STATISTICS.value}
    assert figures.passes[-1].read_bytes > 2 * CONTENT * 0.9
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)


def forget_tracking(_rig: Rig, task_id: str) -> None:
    """Let the kernel forget what it recorded, as if somebody had cleared it away."""
    Remains(task_id, memory_folder(task_id)).remove()


def pretend_a_reboot(rig: Rig, task_id: str) -> None:
    """Besides, let the agent's own tables be of another boot: they count for nothing then."""
    forget_tracking(rig, task_id)
    standing = rig.folder / f"agent/tasks/{task_id}.digests/standing"
    content = standing.read_bytes()
    noted = msgspec.json.decode(content.rstrip(b" "))
    standing.write_bytes(msgspec.json.encode({**noted, "boot_id": "another"}).ljust(len(content)))


@pytest.mark.parametrize("lose", [forget_tracking, pretend_a_reboot])
def test_after_a_loss_of_the_tracking_one_scan_finds_what_was_changed_and_hardly_anything_is_sent(
    rig: Rig, disk: LoopDisk, tmp_path: Path, lose: Callable[[Rig, str], None]
) -> None:
    task_id = synchronising(rig)
    agent = rig.programs["agent"]
    agent.kill()
    lose(rig, task_id)
    (disk.mount_points[1] / "unseen").write_bytes(os.urandom(4 * MIB))
    before = len(rig.plane.show_replication(task_id).passes)
    agent.start()
    figures = further(rig, task_id, 2)
    scan, after = figures.passes[before : before + 2]
    assert scan.scan_reason.partition(": ")[0] == Reason.BEGINNING.value
    assert scan.read_bytes > 2 * CONTENT * 0.9
    assert 4 * MIB < scan.sent_bytes < 12 * MIB
    assert not after.scan
    cut_over(rig, task_id)
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)


def other_code(folder: Path, *, other_format: bool) -> dict[str, str]:
    """Return the environment of an agent of another version, perhaps with another format of the tracker's memory."""
    package = folder / "newer" / "wherry"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    changes = [("agent/main.py", 'log.info("registered"', 'log.info("registered by the newer code"')]
    if other_format:
        changes.append(("disks/tracking/memory.py", "\nVERSION = 2\n", "\nVERSION = 3\n"))
    for name, old, new in changes:
        text = (package / name).read_text()
        assert text.count(old) == 1
        (package / name).write_text(text.replace(old, new))
    return {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def test_an_agent_that_is_upgraded_in_the_first_pass_to_another_format_goes_on_where_it_was(
    rig: Rig, disk: LoopDisk, tmp_path: Path
) -> None:
    (disk.mount_points[1] / "noise").write_bytes(os.urandom(48 * MIB))
    with busy(disk):
        task_id = rig.create_task(syncing=True, speed_limit=100)
        rig.plane.update_task_status(task_id, "start")
        agent = rig.programs["agent"]

        def half_way() -> bool:
            figures = rig.figures(task_id)
            return figures is not None and figures.sent_bytes > 16 * MIB

        rig.until("half of pass 0", half_way)
        assert agent.terminate() == 0
        agent.environment = other_code(tmp_path, other_format=True)
        agent.start()
        rig.plane.update_speed(task_id, SpeedLimits(speed_limit=[SpeedPeriod(start="0:00", end="24:00", speed=0)]))
        rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
        further(rig, task_id, 2)
        figures = cut_over(rig, task_id)
    assert "registered by the newer code" in agent.words()
    # Bytes that went over twice as they were; what a writer changes in between isn't among them.
    assert sum(done.resent_bytes for done in figures.passes) < 2 * MIB
    assert [done.scan_reason for done in figures.passes[1:] if done.scan] == []
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)


def kinds_in(log: Path) -> set[FrameType]:
    """Return which kinds of frames a redo log holds."""
    content, place, found = log.read_bytes(), 0, set()
    while place + HEADER_SIZE <= len(content):
        header = decode_header(content[place : place + HEADER_SIZE])
        found.add(header.type)
        place += HEADER_SIZE + header.stored_length
    return found


def test_an_agent_that_is_upgraded_while_a_pass_of_small_and_large_writes_is_under_way(
    rig: Rig, disk: LoopDisk, tmp_path: Path
) -> None:
    task_id = synchronising(rig)
    agent, replica = rig.programs["agent"], rig.images / task_id
    rig.plane.update_speed(task_id, SpeedLimits(speed_limit=[SpeedPeriod(start="0:00", end="24:00", speed=40)]))
    rig.until("the limit", lambda: '"speed_windows"' in agent.words())
    before = rig.plane.show_replication(task_id)
    # The partition with the single blocks lies before the one with the large file: the pass comes to them first.
    with (disk.mount_points[0] / "content").open("r+b") as file:
        for place in range(0, CONTENT, CONTENT // 60):
            file.seek(place)
            file.write(os.urandom(4096))
        os.fsync(file.fileno())
    (disk.mount_points[1] / "large").write_bytes(os.urandom(24 * MIB))

    rig.until(
        "the middle of the pass",
        lambda: rig.plane.show_replication(task_id).sent_bytes - before.sent_bytes > 8 * MIB,
    )
    assert agent.terminate() == 0
    (log,) = replica.glob("pass-*.redo")
    assert log.stat().st_size > 4 * MIB
    assert FrameType.DATA in kinds_in(log)
    assert kinds_in(log) - {FrameType.DATA, FrameType.ZERO, FrameType.CONTROL}, "no single blocks were under way"
    agent.environment = other_code(tmp_path, other_format=False)
    agent.start()
    rig.plane.update_speed(task_id, SpeedLimits(speed_limit=[]))
    further(rig, task_id, 2)
    figures = cut_over(rig, task_id)
    assert "registered by the newer code" in agent.words()
    assert [done.scan_reason for done in figures.passes[1:] if done.scan] == []
    # Bytes that went over twice as they were.
    assert sum(done.resent_bytes for done in figures.passes) < 2 * MIB
    assert_equal(rig, task_id, tmp_path)
    assert_nothing_left(task_id)
