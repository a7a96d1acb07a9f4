"""Which checkpoints are kept, and that a refusal harms nobody."""

from collections.abc import Mapping
from pathlib import Path

from wherry.receiver.checkpoints import CheckpointKeeper
from wherry.receiver.drivers.image import ImageDriver
from wherry.replication.errors import SnapshotRefused
from wherry.replication.replica import Checkpoint


class Replica:
    """Makes files as a filesystem with reflinks would."""

    refuses = False

    def get(self, _task_id: str) -> "Replica":
        return self

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        folder.mkdir()
        path = folder / "disk-0.raw"
        path.write_text(str(checkpoint))
        if self.refuses:
            raise SnapshotRefused(path=path, reason="no reflinks")
        return {0: path}


def checkpoint(number: int, *, consistent: bool = True) -> Checkpoint:
    return Checkpoint(number, consistent, 1, {})


def kept(folder: Path) -> dict[str, str]:
    return {path.name: (path / "disk-0.raw").read_text() for path in sorted((folder / "task").glob("*checkpoint*"))}


def test_the_newest_consistent_checkpoints_are_kept(tmp_path: Path) -> None:
    keeper = CheckpointKeeper(ImageDriver(tmp_path), Replica(), 2)
    for number in range(9, 12):
        keeper.committed("task", checkpoint(number))
    keeper.committed("task", checkpoint(12, consistent=False))
    assert kept(tmp_path) == {"checkpoint-00000010": "10", "checkpoint-00000011": "11"}


def test_what_a_killed_receiver_left_half_made_is_replaced(tmp_path: Path) -> None:
    (ImageDriver(tmp_path).replica_directory("task") / ".checkpoint.new").mkdir()
    CheckpointKeeper(ImageDriver(tmp_path), Replica(), 1).committed("task", checkpoint(3))
    assert kept(tmp_path) == {"checkpoint-00000003": "3"}


def test_a_filesystem_without_reflinks_keeps_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    replica = Replica()
    replica.refuses = True
    CheckpointKeeper(ImageDriver(tmp_path), replica, 1).committed("task", checkpoint(3))
    assert kept(tmp_path) == {}


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    CheckpointKeeper(ImageDriver(tmp_path), Replica(), 0).committed("task", checkpoint(3))
    assert not (tmp_path / "task").exists()
