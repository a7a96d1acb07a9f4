"""The image driver on a real folder."""

import os
from pathlib import Path

import pytest

from wherry.receiver.drivers import Driver
from wherry.receiver.drivers.image import ImageDriver


def test_a_disk_is_a_sparse_file_of_its_size(tmp_path: Path) -> None:
    driver: Driver = ImageDriver(tmp_path)
    path = driver.create_disk("task-1", 0, 1 << 30)
    figures = path.stat()
    assert figures.st_size == 1 << 30
    assert figures.st_blocks * 512 < 1 << 20
    assert path.parent == driver.replica_directory("task-1")


def test_an_existing_disk_is_found_and_keeps_its_bytes(tmp_path: Path) -> None:
    driver = ImageDriver(tmp_path)
    path = driver.create_disk("task-1", 3, 4096)
    path.write_bytes(b"x" * 4096)
    assert driver.create_disk("task-1", 3, 4096) == path
    assert path.read_bytes() == b"x" * 4096


def test_a_disk_grows_but_is_never_cut(tmp_path: Path) -> None:
    driver = ImageDriver(tmp_path)
    path = driver.create_disk("task-1", 0, 4096)
    path.write_bytes(b"x" * 4096)
    assert driver.create_disk("task-1", 0, 8192) == path
    assert path.read_bytes() == b"x" * 4096 + bytes(4096)
    with pytest.raises(FileExistsError):
        driver.create_disk("task-1", 0, 4096)
    assert path.stat().st_size == 8192


@pytest.mark.parametrize("task_id", ["", "..", "a/b", "../x", "x" * 37, "a\n"])
def test_an_id_that_could_leave_the_folder_is_refused(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(ValueError, match="not a task id"):
        ImageDriver(tmp_path).replica_directory(task_id)


def test_replicas_are_the_folders_that_are_there(tmp_path: Path) -> None:
    driver = ImageDriver(tmp_path)
    driver.replica_directory("b")
    driver.replica_directory("a")
    (tmp_path / "file").write_text("")
    (tmp_path / ".hidden").mkdir()
    assert driver.replicas() == ["a", "b"]


def test_free_room_is_what_the_filesystem_says(tmp_path: Path) -> None:
    figures = os.statvfs(tmp_path)
    assert 0 < ImageDriver(tmp_path).free_bytes() <= figures.f_blocks * figures.f_frsize
