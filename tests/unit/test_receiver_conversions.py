"""Which checkpoints are converted, from what, and that a failure leaves nothing and harms nobody."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wherry.durable import write_file
from wherry.process import ProgramFailed
from wherry.receiver.conversions import Conversions
from wherry.receiver.drivers.image import ImageDriver
from wherry.replication.record import Checkpoint, ReplicaDisk, ReplicaRecord, encode_record


class Images(ImageDriver):
    """A folder of images with as much room as a test wants."""

    free = 1 << 30

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = threading.Event()

    def free_bytes(self) -> int:
        self.asked.set()
        return self.free


def copy(raw: Path, target: Path) -> None:
    target.write_bytes(raw.read_bytes())


def refuse(raw: Path, target: Path) -> None:
    copy(raw, target)
    raise ProgramFailed(command="qemu-img", status=1, stderr="no space left")


def settle(images: Path, convert: Callable[[Path, Path], None] = copy, most: int = 1) -> None:
    Conversions(Images(images), convert, most).settle("task")


def kept(folder: Path, number: int) -> Path:
    raw = folder / "task" / f"checkpoint-{number:08}" / "disk-0.raw"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(bytes([number]) * 8192)
    return raw


def stand_at(
    folder: Path, number: int, *, consistent: bool = True, proven: bool = True, applying: bool = False
) -> None:
    """Make the replica of two disks as it is on a filesystem without reflinks."""
    directory = folder / "task"
    directory.mkdir(exist_ok=True)
    disks = [ReplicaDisk(index, f"d{index}", 8192, directory / f"disk-{index}.raw") for index in range(2)]
    for disk in disks:
        disk.path.write_bytes(bytes([16 * disk.index + number]) * disk.size)
    record = ReplicaRecord("task", disks, Checkpoint(number, consistent, 1, {}), number + 1 if applying else None, "i")
    write_file(directory / "replica.json", encode_record(record))
    if proven:
        (directory / f"half-{number}.proven.json").touch()


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "task")) for path in folder.rglob("*") if "qcow2" in path.name)


def test_each_kept_checkpoint_is_converted_and_leftovers_are_swept(tmp_path: Path) -> None:
    raws = [kept(tmp_path, 1), kept(tmp_path, 2)]
    (tmp_path / "task/.qcow2.new").mkdir()
    (tmp_path / "task/.qcow2.new/disk.qcow2").write_bytes(b"half")
    settle(tmp_path)
    assert [raw.with_suffix(".qcow2").read_bytes() for raw in raws] == [raw.read_bytes() for raw in raws]
    assert len(names(tmp_path)) == 2


def test_what_is_converted_stays(tmp_path: Path) -> None:
    kept(tmp_path, 1).with_suffix(".qcow2").write_bytes(b"made before")
    settle(tmp_path)
    assert (tmp_path / "task/checkpoint-00000001/disk-0.qcow2").read_bytes() == b"made before"


def test_a_proven_image_is_converted_where_none_was_kept(tmp_path: Path) -> None:
    stand_at(tmp_path, 4)
    settle(tmp_path)
    settle(tmp_path, refuse)
    assert names(tmp_path) == ["checkpoint-00000004/disk-0.qcow2", "checkpoint-00000004/disk-1.qcow2"]
    assert (tmp_path / "task/checkpoint-00000004/disk-1.qcow2").read_bytes() == bytes([20]) * 8192
    assert (tmp_path / "task/disk-1.raw").exists()


def test_an_image_is_not_converted_beside_the_kept_one(tmp_path: Path) -> None:
    stand_at(tmp_path, 4)
    kept(tmp_path, 4)
    settle(tmp_path)
    assert names(tmp_path) == ["checkpoint-00000004/disk-0.qcow2"]


@pytest.mark.parametrize("state", [{"consistent": False}, {"proven": False}, {"applying": True}])
def test_an_image_that_may_move_is_left_alone(tmp_path: Path, state: dict[str, bool]) -> None:
    stand_at(tmp_path, 4, **state)
    settle(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("number", "applying"), [(4, True), (5, False)])
def test_a_conversion_that_was_overtaken_is_thrown_away(tmp_path: Path, number: int, applying: bool) -> None:
    stand_at(tmp_path, 4)

    def overtaken(raw: Path, target: Path) -> None:
        copy(raw, target)
        stand_at(tmp_path, number, applying=applying)

    settle(tmp_path, overtaken)
    assert names(tmp_path) == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in (4, 6, 8):
        stand_at(tmp_path, number)
        settle(tmp_path, most=2)
    folders = sorted(path.name for path in (tmp_path / "task").glob("checkpoint-*"))
    assert folders == ["checkpoint-00000006", "checkpoint-00000008"]


def test_a_refusal_leaves_nothing(tmp_path: Path) -> None:
    kept(tmp_path, 1)
    stand_at(tmp_path, 4)
    settle(tmp_path, refuse)
    assert names(tmp_path) == []


def test_nothing_is_begun_without_room_and_it_is_tried_again(tmp_path: Path) -> None:
    stand_at(tmp_path, 4)
    with (tmp_path / "task/disk-0.raw").open("rb") as file:
        os.fsync(file.fileno())
    images, made = Images(tmp_path), threading.Event()
    images.free = 0

    def convert(raw: Path, target: Path) -> None:
        assert images.free
        copy(raw, target)
        made.set()

    conversions = Conversions(images, convert, 1, retry_s=0.01)
    thread = threading.Thread(target=conversions.run)
    thread.start()
    try:
        assert images.asked.wait(60)
        images.free = 1 << 30
        assert made.wait(60)
    finally:
        conversions.end()
        thread.join(60)
    assert len(names(tmp_path)) == 2


def test_a_damaged_replica_keeps_nobody_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/replica.json").write_text("{")
    stand_at(tmp_path, 4)
    conversions = Conversions(Images(tmp_path), copy, 1)
    conversions.look("a")
    conversions.look("task")
    conversions.end()
    conversions.run()
    assert len(names(tmp_path)) == 2
