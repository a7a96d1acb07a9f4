"""A receiver whose disk is full says so; with room made, the same task goes on."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.migration_rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small filesystem")]

MIB = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "source.img"
    path.write_bytes(random.Random(1).randbytes(24 * MIB))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def rig(tmp_path: Path, image: Path, small: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, image, images=small)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def test_a_full_disk_is_told_to_the_user_and_with_room_made_the_task_goes_on(
    rig: Rig, image: Path, small: Path
) -> None:
    task_id = rig.create_task(syncing=False)
    rig.plane.update_task_status(task_id, "start")

    def told() -> bool:
        words = rig.words_of(task_id)
        return all(part in words for part in ("WHERRY.2024", "full", "cause:", "fix:"))

    rig.until("the words", told)
    assert rig.state(task_id) == "RUNNING"

    subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
    assert (small / task_id / "disk-0.raw").read_bytes() == image.read_bytes()
    figures = rig.figures(task_id)
    assert figures is not None
    tries = rig.programs["agent"].words().count("receiver_lost")
    assert figures.sent_bytes < 24 * MIB + tries * 16 * MIB, "what had arrived was sent again"
