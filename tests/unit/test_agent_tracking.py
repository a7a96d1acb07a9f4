"""What a pass has to look at, by the tracker's word and without one; and whose tracking is left behind."""

from pathlib import Path

import numpy as np

from tests.unit.agent_doubles import DISK, MIB, Journal, Tracker
from wherry.agent.tracking import Keeper, Tracking
from wherry.disks.tracking.disk import TrackedDisk
from wherry.disks.tracking.tracker import Cut
from wherry.disks.tracking.trust import Reason


class Broken(Tracker):
    """Its kernel took the tracing away."""

    def cut(self) -> Cut:
        raise OSError("gone")


def test_trusted_marks_are_what_a_pass_looks_at() -> None:
    tracking = Tracking([DISK], Tracker(Journal(), [[1, 2], [5]]))
    tracking.begin()
    first, second = tracking.cut(), tracking.cut()
    assert np.flatnonzero(second.written[0]).tolist() == [1, 2, 5]
    assert np.flatnonzero(second.fresh[0]).tolist() == [5]
    assert not second.scan
    assert second.reason == ""
    tracking.commit(first)
    assert np.flatnonzero(tracking.cut().written[0]).tolist() == [5]


def test_a_doubt_lasts_until_the_scan_is_committed() -> None:
    tracking = Tracking([DISK], Tracker(Journal(), [Reason.LOST_WHILE_DOWN]))
    tracking.begin()
    assert tracking.cut().doubts == {0: Reason.LOST_WHILE_DOWN.value}
    again = tracking.cut()
    assert again.scan
    assert again.reason == Reason.LOST_WHILE_DOWN.value
    tracking.commit(again)
    assert not tracking.cut().scan


def test_a_disk_without_statistics_is_scanned_without_hope() -> None:
    tracking = Tracking([DISK], Tracker(Journal(), [Reason.NO_STATISTICS]))
    tracking.begin()
    changes = tracking.cut()
    assert (changes.doubts, changes.untracked) == ({}, {0: Reason.NO_STATISTICS.value})


def test_tracking_that_breaks_down_is_never_taken_for_nothing_was_written() -> None:
    tracker = Broken(Journal())
    tracking = Tracking([DISK], tracker)
    tracking.begin()
    assert tracking.cut().untracked == {0: "the tracking broke down: gone"}
    assert tracker.journal.lines == ["begin", "close tracker"]
    assert tracking.drain(1.0).scan


def test_tracking_begins_once_and_ends_for_good() -> None:
    tracker = Tracker(Journal())
    tracking = Tracking([DISK], tracker)
    tracking.begin()
    tracking.begin()
    tracking.discard()
    tracking.close()
    assert tracker.journal.lines == ["begin", "discard tracker"]


def test_image_files_leave_no_note(tmp_path: Path) -> None:
    tracking = Keeper(tmp_path).track("task-1", [DISK], [])
    assert tracking.cut().scan
    assert tracking.words == "none: no disk of the task is a block device"
    assert list(tmp_path.iterdir()) == []


def test_the_tracking_of_another_task_is_cleared_away(tmp_path: Path) -> None:
    removed: list[str] = []
    disks = [TrackedDisk(0, 0, MIB)]
    Keeper(tmp_path, removed.append).track("task-1", [DISK], disks)
    Keeper(tmp_path, removed.append).track("task-1", [DISK], disks)
    assert removed == []
    Keeper(tmp_path, removed.append).track("task-2", [DISK], disks)
    Keeper(tmp_path, removed.append).forget("task-1")
    assert removed == ["task-1"]
    Keeper(tmp_path, removed.append).forget("task-2")
    Keeper(tmp_path, removed.append).forget("task-2")
    assert removed == ["task-1", "task-2"]
