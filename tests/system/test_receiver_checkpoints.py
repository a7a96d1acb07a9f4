"""A receiver that keeps checkpoints on a filesystem with reflinks: they are what was proven, and take no room."""

import os
import random
from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from tests.system.migration_rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SIZE = 32 * MIB


def test_a_kept_checkpoint_is_the_proven_image_and_takes_no_room(images: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.img"
    source.write_bytes(random.Random(1).randbytes(SIZE))
    rig = Rig(tmp_path, source, images=images, receiver_options=("--keep-checkpoints", "2"))
    try:
        rig.start()
        task_id = rig.create_task(syncing=False)
        rig.plane.update_task_status(task_id, "start")
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        (kept,) = (images / task_id).glob("checkpoint-*/disk-0.raw")
        assert kept.read_bytes() == (images / task_id / "disk-0.raw").read_bytes() == source.read_bytes()
        figures = os.statvfs(images)
        used = (figures.f_blocks - figures.f_bfree) * figures.f_frsize
        assert used < 2 * SIZE, "the blocks are shared"
    finally:
        rig.end()
