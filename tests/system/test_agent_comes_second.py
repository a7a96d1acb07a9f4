"""The source server comes first: reading slows down when its writes suffer, and its hooks are asked before a freeze."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.migration_rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

WRITER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
number = 0
while True:
    number += 1
    os.pwrite(file, b"%08d" % number * 512, 4096 * (number % 64))
    os.fdatasync(file)
    time.sleep(0.002)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 96 * MIB),)) as made:
        (made.mount_points[0] / "content").write_bytes(os.urandom(40 * MIB))
        yield made


@contextmanager
def running(disk: LoopDisk, folder: Path, *options: str) -> Iterator[Rig]:
    rig = Rig(folder, disk.device, options)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def script(folder: Path, name: str, words: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    return str(path)


def test_reading_slows_down_while_writes_take_longer_and_hurries_when_they_are_over(
    disk: LoopDisk, tmp_path: Path
) -> None:
    # So little that any write in company takes longer than that.
    with running(disk, tmp_path, "--max-added-latency", "0.0001", "--memory", "16", "--connections", "1") as rig:
        task_id = rig.create_task(syncing=True, speed_limit=60)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(disk.mount_points[0] / "written")]) as writer:
            try:
                rig.plane.update_task_status(task_id, "start")

                def held_back() -> bool:
                    figures = rig.figures(task_id)
                    return figures is not None and figures.bottleneck == "latency guard"

                rig.until("the slowing down", held_back)
                assert rig.state(task_id) == "RUNNING"
            finally:
                writer.kill()
        rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")


def test_hooks_stand_around_a_freeze_and_the_first_one_may_forbid_it(disk: LoopDisk, tmp_path: Path) -> None:
    told = tmp_path / "told"
    flush = disk.mount_points[0] / "flushed"
    refusal = f"test -e {tmp_path}/ready || {{ echo 'the database is busy' >&2; exit 3; }}"
    writes = f"dd if=/dev/urandom of={flush} bs=1M count=12 status=none"
    before = script(tmp_path, "before", f"echo before >> {told}\n{refusal}\n{writes}")
    frozen, after = (script(tmp_path, name, f"echo {name} >> {told}") for name in ("frozen", "after"))
    options = ("--before-freeze", before, "--frozen-hook", frozen, "--after-thaw", after)
    with running(disk, tmp_path, *options) as rig:
        task_id = rig.create_task(syncing=False)
        rig.plane.update_task_status(task_id, "start")
        rig.until("the refusal", lambda: "WHERRY.4005" in (rig.plane.show_task(task_id).error_json or ""))
        words = rig.words_of(task_id)
        assert "--before-freeze failed" in words
        assert "the database is busy" in words
        assert told.read_text().split() == ["before", "after"]
        figures = rig.figures(task_id)
        assert figures is not None
        assert figures.frozen_ms == 0

        (tmp_path / "ready").touch()
        told.unlink()
        rig.plane.update_task_status(task_id, "start")
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        assert told.read_text().split() == ["before", "frozen", "after"]
        *_, flushed, last = rig.plane.show_replication(task_id).passes
        # What the hook made the server write was there before the freeze.
        assert flushed.sent_bytes > 12 * MIB * 0.9
        assert last.consistent
        assert last.sent_bytes < 4 * MIB
