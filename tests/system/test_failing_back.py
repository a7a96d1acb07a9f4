"""A disk moves to a new home, is worked on there, and goes back to where it came from: only what changed travels."""

import subprocess
from functools import partial
from pathlib import Path

import pytest

from demo.mounting import attached
from tests.system.failing_back import MIB, adopt, home, judged_equal, make_old_disk, move, work_on
from tests.system.faulty_folder import FaultyFolder, Rule, obstacle
from tests.system.migration_rig import PATIENCE_S, Rig
from tests.system.remnants import assert_nothing_left
from wherry.process import run

pytestmark = pytest.mark.root

SIZE = 256 * MIB
FILLING = 64 * MIB
MOST_SHARE = 0.1
"""How much of what is in use may travel at most, when a hundredth of it has changed."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The disk of a server that is about to move."""
    path = tmp_path / "old.raw"
    make_old_disk(path, SIZE, tmp_path, FILLING)
    return path


@pytest.fixture
def launched(old: Path, tmp_path: Path) -> Path:
    """Its copy at the new home, where it has been worked on."""
    with home(tmp_path / "first", old) as rig:
        task_id = rig.create_task(syncing=False)
        move(rig, task_id)
        copy = rig.images / task_id / "disk-0.raw"
        assert copy.read_bytes() == old.read_bytes()
        rig.stop_all()
    work_on(copy, tmp_path)
    return copy


def assert_little_was_sent(rig: Rig, task_id: str) -> None:
    figures = rig.plane.show_replication(task_id)
    assert figures.read_bytes >= FILLING
    assert 0 < figures.wire_bytes < MOST_SHARE * FILLING, figures.wire_bytes


def has_sent(rig: Rig, task_id: str, wanted: int) -> bool:
    figures = rig.figures(task_id)
    return figures is not None and figures.sent_bytes > wanted


def test_a_launched_target_goes_back_to_the_old_image(launched: Path, old: Path, tmp_path: Path) -> None:
    before = old.stat().st_ino
    with home(tmp_path / "second", launched) as rig:
        task_id = rig.create_task(syncing=False)
        said = adopt(rig, task_id, old, options=("--admin-file", str(rig.folder / "data/admin.json")))
        assert said.returncode == 0, said.stderr
        assert f"100 % of {SIZE:,} bytes read" in said.stderr
        assert said.stdout == f"disk 0: {old}, {SIZE:,} bytes\n"
        move(rig, task_id)
        assert_little_was_sent(rig, task_id)
        assert old.stat().st_ino == before
        assert old.read_bytes() == launched.read_bytes()
        assert judged_equal(rig, task_id, old, launched)
        run(["e2fsck", "-fn", str(old)], timeout_s=60)
        rig.plane.delete_task(task_id)
        rig.until("the withdrawal", lambda: "task_withdrawn" in rig.programs["receiver"].words())
        rig.stop_all()
    assert old.exists(), "only a person removes a disk"
    assert sorted(path.name for path in (rig.images / task_id).iterdir() if path.suffix == ".raw") == []
    assert_nothing_left(tmp_path / "second", rig.images / task_id, tmp_path / "nothing")


def test_a_launched_target_goes_back_to_a_block_device(launched: Path, old: Path, tmp_path: Path) -> None:
    # A sector more than the copy: what is beyond the source's end stays as it is.
    with old.open("ab") as file:
        file.write(b"beyond the end ".ljust(512, b"!"))
    with attached(old) as device, home(tmp_path / "second", launched) as rig:
        task_id = rig.create_task(syncing=True)
        assert adopt(rig, task_id, device).returncode == 0
        rig.plane.update_task_status(task_id, "start")
        rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
        # The receiver has the device for itself: nobody can mount it by mistake.
        refused = subprocess.run(["mount", str(device), str(tmp_path)], capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert "busy" in refused.stderr or "already mounted" in refused.stderr
        with launched.open("r+b") as file:
            file.seek(SIZE - 64 * 1024)
            file.write(b"at the last moment")
        rig.plane.update_task_status(task_id, "cutover")
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        assert_little_was_sent(rig, task_id)
        assert judged_equal(rig, task_id, device, launched)
        rig.stop_all()
        assert device.read_bytes()[:SIZE] == launched.read_bytes()
        run(["e2fsck", "-fn", str(device)], timeout_s=60)
    assert old.read_bytes()[SIZE:] == b"beyond the end ".ljust(512, b"!")
    assert_nothing_left(tmp_path / "second", rig.images / task_id, tmp_path / "nothing")


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_a_receiver_that_dies_while_it_applies_goes_on_to_the_new_state(
    launched: Path, old: Path, tmp_path: Path
) -> None:
    with FaultyFolder(tmp_path) as place, home(tmp_path / "second", launched) as rig:
        before = old.read_bytes()
        old.rename(place.backing / old.name)
        task_id = rig.create_task(syncing=False)
        assert adopt(rig, task_id, place.path / old.name).returncode == 0
        place.strike(Rule("write", old.name, "HOLD", after=2))
        rig.plane.update_task_status(task_id, "start")
        rig.until("the log being applied", lambda: place.has_fired)
        receiver = rig.programs["receiver"]
        rig.without = {"receiver"}
        assert receiver.process is not None
        receiver.process.kill()
        place.heal()  # a call that is held holds its process
        receiver.process.wait(PATIENCE_S)
        assert (place.backing / old.name).read_bytes() not in {before, launched.read_bytes()}
        receiver.start()
        rig.without = set()
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        assert_little_was_sent(rig, task_id)
        assert (place.backing / old.name).read_bytes() == launched.read_bytes()
        assert judged_equal(rig, task_id, place.path / old.name)
        rig.stop_all()
        assert_nothing_left(tmp_path / "second", rig.images / task_id, tmp_path / "nothing")


def test_in_place_nothing_goes_through_a_log(launched: Path, old: Path, tmp_path: Path) -> None:
    with home(tmp_path / "second", launched) as rig:
        task_id = rig.create_task(syncing=False)
        assert adopt(rig, task_id, old, options=("--in-place",)).returncode == 0
        move(rig, task_id)
        assert_little_was_sent(rig, task_id)
        assert judged_equal(rig, task_id, old)


def test_the_receiver_is_killed_again_and_again_and_the_disk_is_the_old_one_until_it_is_the_new_one(
    launched: Path, old: Path, tmp_path: Path
) -> None:
    before = old.read_bytes()
    with attached(old) as device, home(tmp_path / "second", launched) as rig:
        task_id = rig.create_task(syncing=False, speed_limit=1)
        assert adopt(rig, task_id, device).returncode == 0
        receiver = rig.programs["receiver"]
        rig.plane.update_task_status(task_id, "start")
        for wanted in (150_000, 300_000, 450_000):
            rig.until("bytes", partial(has_sent, rig, task_id, wanted))
            rig.without = {"receiver"}
            receiver.kill()
            assert device.read_bytes() == before
            receiver.start()
            rig.without = set()
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        figures = rig.plane.show_replication(task_id)
        assert figures.wire_bytes < MOST_SHARE * FILLING
        assert judged_equal(rig, task_id, device)
        rig.stop_all()
    assert old.read_bytes() == launched.read_bytes()
    assert_nothing_left(tmp_path / "second", rig.images / task_id, tmp_path / "nothing")
