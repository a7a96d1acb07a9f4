"""A live disk is never frozen for longer than its operator allows, whatever happens; the task waits for its moment."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.migration_rig import Rig
from wherry.client.control_plane import ControlPlane

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

LIMIT_S = 1.5
BUSY = 3 * MIB
WRITER = """
import os, sys
with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        for place in range(0, int(sys.argv[2]), 1 << 20):
            os.pwrite(file.fileno(), os.urandom(1 << 20), place)
            os.fsync(file.fileno())
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path, (Plan("ext4", 48 * MIB),)) as made:
        (made.mount_points[0] / "file").write_bytes(b"content" * 100_000)
        yield made


@pytest.fixture
def rig(disk: LoopDisk, tmp_path: Path) -> Iterator[Rig]:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntest -e {tmp_path}/quick || sleep 30\necho frozen >> {tmp_path}/hook.log\n")
    hook.chmod(0o700)
    rig = Rig(tmp_path, disk.device, ("--max-freeze", str(LIMIT_S), "--frozen-hook", str(hook)))
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def longest_write_s(folder: Path, rig: Rig, plane: ControlPlane, task_id: str) -> float:
    """Write on the filesystem until the task fails; return how long the slowest write had to wait."""
    slowest, deadline = 0.0, time.monotonic() + 60
    while plane.show_task(task_id).state.value != "SYNC_FAIL":
        assert time.monotonic() < deadline, rig.programs["agent"].words()
        began = time.monotonic()
        with (folder / "live").open("wb") as file:
            file.write(b"x")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    return slowest


def test_a_hook_that_hangs_ends_in_a_thaw_and_an_error_that_can_be_acted_on(
    rig: Rig, disk: LoopDisk, tmp_path: Path
) -> None:
    task_id = rig.create_task(syncing=True)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
    rig.plane.update_task_status(task_id, "cutover")
    waited = longest_write_s(disk.mount_points[0], rig, rig.plane, task_id)
    assert 0.5 < waited < LIMIT_S + 1.0
    words = rig.words_of(task_id)
    for part in ("WHERRY.4005", "cause:", "fix:", "did not end within"):
        assert part in words, words
    assert "WHERRY.4005" in (rig.plane.show_task(task_id).error_json or "")
    assert rig.plane.show_server(rig.source.id).state.value == "error"
    assert not (tmp_path / "hook.log").exists()

    # The agent lives on; with the hook mended the same task comes to its end.
    (tmp_path / "quick").touch()
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
    assert (tmp_path / "hook.log").read_text() == "frozen\n"
    figures = rig.figures(task_id)
    assert figures is not None
    assert 0 < figures.frozen_ms < (LIMIT_S + 0.5) * 1000
    assert rig.plane.show_proof(task_id).disks[0].name == f"/dev/{disk.device.name}"


def test_a_server_that_writes_too_much_is_moved_on_and_cut_over_when_it_writes_less(
    disk: LoopDisk, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, disk.device, ("--max-freeze", "0.5"))
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(disk.mount_points[0] / "busy"), str(BUSY)])
    try:
        rig.start()
        # What is written in a moment takes one second to send.
        task_id = rig.create_task(syncing=True, speed_limit=24)
        rig.plane.update_task_status(task_id, "start")
        rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
        rig.plane.update_task_status(task_id, "cutover")
        words = rig.until(
            "the reason", lambda: words if "WHERRY.4009" in (words := rig.words_of(task_id)) else None, 120.0
        )
        for part in ("may be for 0.5 s only", "Most is written by:", "fix:", "--max-freeze"):
            assert part in words, words
        passes = len(rig.plane.show_replication(task_id).passes)
        rig.until("further passes", lambda: len(rig.plane.show_replication(task_id).passes) > passes + 1)
        figures = rig.plane.show_replication(task_id)
        # Should a forecast have been too bright, its freeze was given up at the limit: it made no checkpoint.
        assert not any(done.consistent for done in figures.passes)
        assert rig.state(task_id) == "SYNCING"
        writer.kill()
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", 120.0)
        figures = rig.plane.show_replication(task_id)
        assert figures.passes[-1].consistent
        assert figures.frozen_ms > 0
        assert rig.plane.show_proof(task_id).disks[0].name == f"/dev/{disk.device.name}"
    finally:
        writer.kill()
        writer.wait()
        rig.end()
