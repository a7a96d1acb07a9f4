"""Freezing real filesystems: it holds writers, it ends at the limit, and no death of a process leaves it frozen."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from demo.mounting import mounted
from tests.system.waiting_writer import PLENTY_S, Writer, watchdogs
from wherry.disks.freezenote import FreezeNote, NotedFilesystem
from wherry.disks.freezing import Freeze, FreezeRefused
from wherry.disks.watchdog import FIFREEZE, FITHAW
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

HURRY = Path("/sys/kernel/rcu_expedited")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopDisk]:
    plans = (Plan("ext4", 32 * MIB), Plan("xfs", 320 * MIB), Plan("btrfs", 128 * MIB))
    with LoopDisk(tmp_path_factory.mktemp("freezing"), plans) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stays_frozen(disk: LoopDisk) -> Iterator[None]:
    yield
    left = [mount_point for mount_point in disk.mount_points if thaw_by_hand(mount_point)]
    assert left == []


def thaw_by_hand(mount_point: Path) -> bool:
    """Thaw as `fsfreeze --unfreeze` does, and return whether there was something to thaw."""
    descriptor = os.open(mount_point, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, FITHAW, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PLENTY_S
    while not condition():
        assert time.monotonic() < until, f"not within {PLENTY_S} s: {what}"
        time.sleep(0.01)


def test_all_filesystems_wait_together_and_go_on_after_the_thaw(disk: LoopDisk) -> None:
    with Freeze(disk.mount_points, PLENTY_S) as freeze:
        freeze.freeze()
        started = time.monotonic()
        writers = [Writer(mount_point) for mount_point in disk.mount_points]
        assert all(writer.is_waiting() for writer in writers)
        assert freeze.still_frozen()
        outcome = freeze.thaw()
        assert all(writer.finish() > started for writer in writers)
    assert not outcome.expired
    assert 200 * len(writers) <= outcome.frozen_ms < PLENTY_S * 1000
    assert not freeze.still_frozen()
    assert freeze.thaw() is outcome
    assert watchdogs(os.getpid()) == []


def test_the_watchdog_thaws_at_the_limit(disk: LoopDisk) -> None:
    with Freeze(disk.mount_points, 0.5) as freeze:
        started = time.monotonic()
        freeze.freeze()
        assert freeze.still_frozen()
        writers = [Writer(mount_point) for mount_point in disk.mount_points]
        assert all(writer.finish() >= started + 0.5 for writer in writers)
        assert not freeze.still_frozen()
        outcome = freeze.thaw()
    assert outcome.expired
    assert 500 <= outcome.frozen_ms < 2000


def test_no_read_that_is_called_consistent_came_after_the_thaw(disk: LoopDisk) -> None:
    """Race still_frozen() against the limit: whatever it vouches for, the writer hadn't got on by then."""
    mount_point = disk.mount_points[0]
    for _ in range(5):
        with Freeze([mount_point], 0.15) as freeze:
            freeze.freeze()
            writer = Writer(mount_point)
            vouched_at = 0.0
            while True:
                read_at = time.monotonic()
                if not freeze.still_frozen():
                    break
                vouched_at = read_at
            assert vouched_at < writer.finish()


def test_the_death_of_the_freezing_process_thaws(disk: LoopDisk) -> None:
    script = (
        "import sys, time; from wherry.disks.freezing import Freeze\n"
        "freeze = Freeze(sys.argv[1:], 300); freeze.freeze(); print('frozen', flush=True); time.sleep(300)"
    )
    command = [sys.executable, "-c", script, *map(str, disk.mount_points)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"frozen\n"
            writers = [Writer(mount_point) for mount_point in disk.mount_points]
            assert all(writer.is_waiting() for writer in writers)
        finally:
            killed_at = time.monotonic()
            process.kill()
        assert all(writer.finish() < killed_at + 5 for writer in writers)


def hurried() -> str:
    return HURRY.read_text().strip()


@pytest.mark.skipif(not HURRY.exists(), reason="this kernel can't be told to hurry")
def test_the_kernel_hurries_while_filesystems_are_frozen_and_not_a_moment_longer(
    disk: LoopDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    freeze_one = Freeze._freeze_one

    def look(self: Freeze, *arguments: Any) -> None:
        freeze_one(self, *arguments)
        seen.append(hurried())

    monkeypatch.setattr(Freeze, "_freeze_one", look)
    assert hurried() == "0"
    with Freeze(disk.mount_points, PLENTY_S) as freeze:
        assert hurried() == "0"
        freeze.freeze()
        wait_until(lambda: hurried() == "0", "the hurry is over")
        freeze.thaw()
    assert seen == ["1"] * len(disk.mount_points)

    def die(self: Freeze, *_arguments: Any) -> None:
        assert hurried() == "1"
        raise FreezeRefused(mount_point="/", reason="this test says so")

    monkeypatch.setattr(Freeze, "_freeze_one", die)
    with Freeze(disk.mount_points, PLENTY_S) as freeze, pytest.raises(FreezeRefused):
        freeze.freeze()
    assert hurried() == "0"


def test_ending_the_watchdog_politely_thaws(disk: LoopDisk) -> None:
    with Freeze(disk.mount_points, PLENTY_S) as freeze:
        freeze.freeze()
        writer = Writer(disk.mount_points[0])
        (number,) = watchdogs(os.getpid())
        os.kill(number, signal.SIGTERM)
        writer.finish()
        assert not freeze.still_frozen()
        assert freeze.thaw().expired


def test_what_is_frozen_is_noted_as_long_as_it_is(disk: LoopDisk, tmp_path: Path) -> None:
    note = FreezeNote(tmp_path / "folder" / "note")
    with Freeze(disk.mount_points, PLENTY_S, note=note) as freeze:
        assert not note.path.exists()
        freeze.freeze()
        assert note.path.exists()
        # As another process would, should nobody be left of this one.
        assert sorted(FreezeNote(note.path).make_good()) == sorted(map(str, disk.mount_points))
        assert not freeze.still_frozen()
        assert freeze.thaw().expired
    assert not note.path.exists()
    assert note.make_good() == []


def test_what_is_mounted_by_now_where_something_was_frozen_is_left_alone(disk: LoopDisk, tmp_path: Path) -> None:
    first, second, *_ = disk.mount_points
    note = FreezeNote(tmp_path / "note")
    note.write([NotedFilesystem(str(first), (250, 250)), NotedFilesystem(str(tmp_path / "gone"), (8, 1))])
    with Freeze([first], PLENTY_S) as freeze:
        freeze.freeze()
        assert note.make_good() == []
        assert freeze.still_frozen()
    for odd in (b"", b"{", b'[{"mount_point": 1}]'):
        note.path.write_bytes(odd)
        assert note.make_good() == []
    Writer(second).finish()


def test_nothing_is_vouched_for_without_a_watchdog(disk: LoopDisk) -> None:
    with Freeze(disk.mount_points, PLENTY_S) as freeze:
        freeze.freeze()
        (number,) = watchdogs(os.getpid())
        os.kill(number, signal.SIGKILL)
        wait_until(lambda: not freeze.still_frozen(), "the loss of the watchdog is noticed")
        assert Writer(disk.mount_points[0]).is_waiting()
        freeze.thaw()


def test_a_thaw_by_a_stranger_is_noticed(disk: LoopDisk) -> None:
    with Freeze(disk.mount_points, PLENTY_S) as freeze:
        freeze.freeze()
        run(["fsfreeze", "--unfreeze", str(disk.mount_points[1])])
        assert not freeze.still_frozen()
        assert freeze.thaw().expired


def test_a_filesystem_that_is_frozen_already_rolls_all_back(disk: LoopDisk) -> None:
    first = disk.mount_points[0]
    descriptor = os.open(first, os.O_RDONLY)
    fcntl.ioctl(descriptor, FIFREEZE, 0)
    try:
        # The one that is frozen already was mounted first, so that the others have been frozen when it refuses.
        with Freeze(disk.mount_points, PLENTY_S) as freeze:
            with pytest.raises(FreezeRefused, match=f"{first} can't be frozen: Device or resource busy"):
                freeze.freeze()
            for mount_point in disk.mount_points[1:]:
                Writer(mount_point).finish()
            assert not freeze.still_frozen()
            assert Writer(first).is_waiting(), "the freeze of the other program was lifted"
    finally:
        fcntl.ioctl(descriptor, FITHAW, 0)
        os.close(descriptor)


def test_one_filesystem_by_several_names_is_frozen_once(disk: LoopDisk, tmp_path: Path) -> None:
    ext4, _, btrfs = disk.mount_points
    bind = tmp_path / "bind"
    bind.mkdir()
    subvolume = btrfs / "subvolume"
    run(["btrfs", "subvolume", "create", str(subvolume)])
    run(["mount", "--bind", str(ext4), str(bind)])
    try:
        with Freeze([ext4, bind, ext4, btrfs, subvolume], PLENTY_S) as freeze:
            freeze.freeze()
            assert freeze.still_frozen()
            assert not freeze.thaw().expired
    finally:
        run(["umount", str(bind)])


def test_a_filesystem_in_a_file_on_another_one_is_frozen_first(disk: LoopDisk, tmp_path: Path) -> None:
    outer = disk.mount_points[1]
    inner = LoopDisk(outer / "inner", (Plan("ext4", 16 * MIB, mount=False),))
    # Its path tells nothing of what it lies on; only the order of mounting does.
    with inner, mounted(inner.partitions[0].device, tmp_path / "inner") as mount_point:
        (mount_point / "dirty").write_bytes(os.urandom(MIB))
        with Freeze([outer, mount_point], 5.0) as freeze:
            freeze.freeze()
            assert freeze.still_frozen()
            assert not freeze.thaw().expired


def test_a_freeze_that_hangs_is_thawed_too(disk: LoopDisk, tmp_path: Path) -> None:
    """In the wrong order the inner filesystem waits for the outer one in the middle of its freeze."""
    outer = disk.mount_points[1]
    inner = LoopDisk(outer / "inner", (Plan("ext4", 16 * MIB, mount=False),))
    with inner, mounted(inner.partitions[0].device, tmp_path / "inner") as mount_point:
        (mount_point / "dirty").write_bytes(os.urandom(MIB))
        with Freeze([outer, mount_point], 0.5) as freeze:
            freeze._filesystems.reverse()
            started = time.monotonic()
            freeze.freeze()
            assert time.monotonic() - started >= 0.5, "it didn't hang"
            assert not freeze.still_frozen()
            assert freeze.thaw().expired
        Writer(mount_point).finish()


def test_filesystems_that_know_no_freeze_are_named(disk: LoopDisk, tmp_path: Path) -> None:
    run(["mount", "-t", "tmpfs", "none", str(tmp_path)])
    try:
        with Freeze([*disk.mount_points, tmp_path], PLENTY_S) as freeze:
            freeze.freeze()
            assert freeze.not_frozen == (str(tmp_path),)
            assert freeze.still_frozen()
    finally:
        run(["umount", str(tmp_path)])


def test_a_mount_point_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FreezeRefused, match="No such file"):
        Freeze([tmp_path / "gone"], 1.0)
    assert watchdogs(os.getpid()) == []
