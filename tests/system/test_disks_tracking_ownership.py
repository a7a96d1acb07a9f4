"""What a tracker leaves is cleared away once its owner is gone for good, and never while anybody may want it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from demo.mounting import attached
from tests.system.left_in_kernel import cleared_away
from tests.system.migration_rig import Rig
from wherry.agent.tracking import sweep_tracking
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.remains import Remains, memory_folder, trace_folder
from wherry.disks.tracking.tracker import Tracker, TrackerOptions
from wherry.durable import write_file

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SIZE = 64 * MIB
NAME = f"owned-{os.getpid()}"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    write_file(folder / "tracking", NAME.encode())
    return folder


@pytest.fixture
def tracker(tmp_path: Path, state: Path) -> Iterator[Tracker]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(SIZE)
    with attached(image) as device:
        disk = TrackedDisk(0, device.stat().st_rdev, SIZE)
        tracker = Tracker(NAME, [disk], TrackerOptions(owner=state))
        tracker.begin()
        yield tracker
        tracker.discard()


def is_left() -> bool:
    with trace_folder() as tracefs:
        instance = (tracefs / "instances" / f"wherry-{NAME}").exists()
    assert memory_folder(NAME).exists() is instance
    return instance


def test_what_an_agent_may_come_back_for_stays(tracker: Tracker) -> None:
    tracker.close()
    assert NAME not in sweep_tracking()
    assert is_left()


def test_what_is_in_use_stays(tracker: Tracker, state: Path) -> None:
    (state / "tracking").unlink()
    state.rmdir()
    assert NAME not in sweep_tracking()
    assert is_left()
    tracker.close()
    assert NAME in sweep_tracking()
    assert not is_left()


def test_what_its_agent_has_no_note_of_any_more_goes(tracker: Tracker, state: Path) -> None:
    tracker.close()
    write_file(state / "tracking", b"another task")
    assert NAME in sweep_tracking()
    assert not is_left()


def test_what_was_made_elsewhere_stays(tracker: Tracker, state: Path) -> None:
    tracker.close()
    (state / "tracking").unlink()
    note = Remains(NAME, memory_folder(NAME)).owner_path
    note.write_bytes(note.read_bytes().replace(b'"mounts":', b'"mounts":1'))
    assert NAME not in sweep_tracking()
    note.write_text("damaged")
    assert NAME not in sweep_tracking()
    assert is_left()


def test_the_next_agent_on_the_server_clears_up(tracker: Tracker, state: Path, tmp_path: Path) -> None:
    tracker.close()
    (state / "tracking").unlink()
    state.rmdir()
    source = tmp_path / "source.img"
    source.write_bytes(bytes(MIB))
    rig = Rig(tmp_path, source)
    try:
        rig.start()
        assert not is_left()
        assert "tracking_swept" in rig.programs["agent"].words()
    finally:
        rig.end()


# A session of its own, which is killed with the tracker at work.
KILLED = """
import os, sys
from pathlib import Path
from tests.system.left_in_kernel import cleared_away
from wherry.disks.tracking.tracker import TrackedDisk, Tracker, TrackerOptions
base, name, number, size = sys.argv[1:]
with cleared_away(Path(base)):
    tracker = Tracker(name, [TrackedDisk(0, int(number), int(size))], TrackerOptions(owner=Path(base) / "state"))
    tracker.begin()
    print("tracking", flush=True)
    sys.stdin.read()
"""


def test_sessions_of_tests_clear_up_after_those_that_were_killed(tracker: Tracker, state: Path, tmp_path: Path) -> None:
    tracker.discard()
    base = tmp_path / "pytest-1"
    (base / "state").mkdir(parents=True)
    (tmp_path / "pytest-2").mkdir()
    disk = tracker.disks[0]
    words = [sys.executable, "-c", KILLED, str(base), NAME, str(disk.device_number), str(disk.size)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"tracking\n"
        with cleared_away(tmp_path / "pytest-2"):
            assert is_left()
        other.kill()
        other.wait(60)
    assert is_left()
    with cleared_away(tmp_path / "pytest-2"):
        assert not is_left()
    assert state.exists()
