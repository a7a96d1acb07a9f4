"""kill -9 of agent and watchdog while a live disk is frozen: it's thawed in any case, and the task comes to its end.

The frozen hook is the event: it takes a picture of the disk, says so, and holds the freeze until it's told to go on.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.migration_rig import Rig
from tests.system.remnants import assert_nothing_left
from tests.system.waiting_writer import Writer, watchdogs
from wherry.agent.main import freeze_note

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

LIMIT_S = 120
HOOK = """#!/bin/sh
cp --sparse=always {image} {folder}/picture.$$
mv {folder}/picture.$$ {folder}/picture.img
touch {folder}/frozen
while test ! -e {folder}/go; do sleep 0.02; done
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 32 * MIB), Plan("ext4", 32 * MIB))) as made:
        for mount_point in made.mount_points:
            (mount_point / "content").write_bytes(os.urandom(4 * MIB))
        yield made


@pytest.fixture
def rig(disk: LoopDisk, tmp_path: Path) -> Iterator[Rig]:
    hook = tmp_path / "hook"
    hook.write_text(HOOK.format(image=disk.image, folder=tmp_path))
    hook.chmod(0o700)
    rig = Rig(tmp_path, disk.device, ("--max-freeze", str(LIMIT_S), "--frozen-hook", str(hook)))
    try:
        rig.start()
        yield rig
    finally:
        (tmp_path / "go").touch()
        rig.end()


def agent_pid(rig: Rig) -> int:
    process = rig.programs["agent"].process
    assert process is not None
    return process.pid


def kill_the_agent(rig: Rig, writers: list[Writer]) -> None:
    """The watchdog thaws at once, long before the limit and before another agent comes."""
    rig.programs["agent"].kill()
    for writer in writers:
        writer.finish()
    rig.programs["agent"].start()


def kill_both(rig: Rig, writers: list[Writer]) -> None:
    """Nobody thaws until the next agent comes, which does it before anything else."""
    (number,) = watchdogs(agent_pid(rig))
    os.kill(number, signal.SIGSTOP)  # so that it hears nothing of the agent's end
    rig.programs["agent"].kill()
    os.kill(number, signal.SIGKILL)
    assert all(writer.is_waiting() for writer in writers)
    assert freeze_note(rig.folder / "agent").path.exists()
    rig.programs["agent"].start()
    for writer in writers:
        writer.finish()
    rig.until("the agent's word", lambda: "left_frozen" in rig.programs["agent"].words())


def kill_the_watchdog(rig: Rig, writers: list[Writer]) -> None:
    """The agent itself thaws when it's through."""
    (number,) = watchdogs(agent_pid(rig))
    os.kill(number, signal.SIGKILL)
    assert all(writer.is_waiting() for writer in writers)
    (rig.folder / "go").touch()
    for writer in writers:
        writer.finish()


def test_whoever_is_killed_while_a_live_disk_is_frozen_it_is_thawed_and_moved(
    rig: Rig, disk: LoopDisk, tmp_path: Path
) -> None:
    task_id = rig.create_task(syncing=True)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")
    (disk.mount_points[0] / "more").write_bytes(os.urandom(MIB))
    rig.plane.update_task_status(task_id, "cutover")
    for kill in (kill_the_agent, kill_both, kill_the_watchdog):
        rig.until(f"the freeze of {kill.__name__}", (tmp_path / "frozen").exists)
        (tmp_path / "frozen").unlink()
        writers = [Writer(mount_point) for mount_point in disk.mount_points]
        assert all(writer.is_waiting() for writer in writers)
        kill(rig, writers)
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")

    figures = rig.plane.show_replication(task_id)
    assert figures.passes[-1].consistent
    assert figures.frozen_ms < LIMIT_S * 1000
    proof = tmp_path / "proof.json"
    proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
    replica = rig.images / task_id
    for image in (replica / "disk-0.raw", tmp_path / "picture.img"):
        judged = rig.wherry("verify", str(proof), str(image), "--ca-file", rig.admin.ca_file)
        assert judged.returncode == 0, judged.stdout + judged.stderr
    assert not freeze_note(rig.folder / "agent").path.exists()
    rig.stop_all()
    assert_nothing_left(tmp_path, replica, tmp_path / "disk")
