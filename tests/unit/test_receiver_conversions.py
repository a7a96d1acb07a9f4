"""Which kept checkpoints are converted, and that a failure leaves nothing and harms nobody."""

import os
from pathlib import Path

from wherry.process import ProgramFailed
from wherry.receiver.conversions import Conversions
from wherry.receiver.drivers.image import ImageDriver


class FullImages(ImageDriver):
    def free_bytes(self) -> int:
        return 0


def copy(raw: Path, target: Path) -> None:
    target.write_bytes(raw.read_bytes())


def refuse(raw: Path, target: Path) -> None:
    copy(raw, target)
    raise ProgramFailed(command="qemu-img", status=1, stderr="no space left")


def kept(folder: Path, number: int) -> Path:
    raw = folder / "task" / f"checkpoint-{number:08}" / "disk-0.raw"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(bytes([number]) * 8192)
    return raw


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "task")) for path in folder.rglob("*") if "qcow2" in path.name)


def test_each_kept_checkpoint_is_converted_and_leftovers_are_swept(tmp_path: Path) -> None:
    raws = [kept(tmp_path, 1), kept(tmp_path, 2)]
    (tmp_path / "task/.qcow2.new").mkdir()
    (tmp_path / "task/.qcow2.new/disk.qcow2").write_bytes(b"half")
    Conversions(ImageDriver(tmp_path), copy).settle("task")
    assert [raw.with_suffix(".qcow2").read_bytes() for raw in raws] == [raw.read_bytes() for raw in raws]
    assert len(names(tmp_path)) == 2


def test_what_is_converted_stays(tmp_path: Path) -> None:
    kept(tmp_path, 1).with_suffix(".qcow2").write_bytes(b"made before")
    Conversions(ImageDriver(tmp_path), copy).settle("task")
    assert (tmp_path / "task/checkpoint-00000001/disk-0.qcow2").read_bytes() == b"made before"


def test_a_refusal_leaves_nothing(tmp_path: Path) -> None:
    kept(tmp_path, 1)
    Conversions(ImageDriver(tmp_path), refuse).settle("task")
    assert names(tmp_path) == []


def test_nothing_is_begun_without_room(tmp_path: Path) -> None:
    raw = kept(tmp_path, 1)
    with raw.open("rb") as file:
        os.fsync(file.fileno())
    Conversions(FullImages(tmp_path), copy).settle("task")
    assert names(tmp_path) == []
