"""Several disks in one task; disks that grow or are added while it runs or between its runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from tests.system.migration_rig import Rig
from wherry.contract.wherry import ReplicationFigures
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

CONTENT = 24 * MIB


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[LoopDisk]]:
    with (
        LoopDisk(tmp_path / "a", (Plan("ext4", 64 * MIB),)) as one,
        LoopDisk(tmp_path / "b", (Plan("ext4", 48 * MIB),)) as two,
    ):
        for disk in (one, two):
            (disk.mount_points[0] / "content").write_bytes(os.urandom(CONTENT))
        yield [one, two]


class Mover:
    """A rig that takes the picture of all disks at the frozen moment."""

    def __init__(self, folder: Path, disks: list[LoopDisk], moved: int) -> None:
        hook = folder / "hook"
        copies = (f"cp --sparse=always {disk.image} {folder}/picture-{place}" for place, disk in enumerate(disks))
        hook.write_text("\n".join(["#!/bin/sh -e", *copies, ""]))
        hook.chmod(0o700)
        self.folder = folder
        self.disks = disks
        self.rig = Rig(folder, disks[0].device, ("--max-freeze", "20", "--frozen-hook", str(hook)))
        self.name(moved)

    def name(self, count: int) -> None:
        """Have the agent move the first *count* disks, from its next start on."""
        options = [option for option in self.rig.agent_options if not option.startswith("/dev/") and option != "--disk"]
        further = [word for disk in self.disks[1:count] for word in ("--disk", str(disk.device))]
        self.rig.agent_options = [*options, *further]

    def begin(self) -> str:
        task_id = self.rig.create_task(syncing=True)
        self.go_on(task_id)
        return task_id

    def go_on(self, task_id: str) -> None:
        self.rig.plane.update_task_status(task_id, "start")
        self.rig.until("the synchronisation", lambda: self.rig.state(task_id) == "SYNCING")
        self.further(task_id)

    def further(self, task_id: str, count: int = 2) -> None:
        before = len(self.rig.plane.show_replication(task_id).passes)
        self.rig.until("more passes", lambda: len(self.rig.plane.show_replication(task_id).passes) >= before + count)

    def finish(self, task_id: str, count: int) -> ReplicationFigures:
        """Cut over, and hold the copies of *count* disks and the frozen pictures against the proof."""
        self.rig.plane.update_task_status(task_id, "cutover")
        self.rig.until("the end", lambda: self.rig.state(task_id) == "MIGRATE_SUCCESS", 120.0)
        proof = self.folder / "proof.json"
        document = self.rig.plane.show_proof(task_id)
        proof.write_bytes(msgspec.json.encode(document))
        assert [disk.name for disk in document.disks] == [str(disk.device) for disk in self.disks[:count]]
        for name in ("picture-{}", f"images/{task_id}/disk-{{}}.raw"):
            files = [str(self.folder / name.format(place)) for place in range(count)]
            judged = self.rig.wherry("verify", str(proof), *files, "--ca-file", self.rig.admin.ca_file)
            assert judged.returncode == 0, judged.stdout + judged.stderr
        return self.rig.plane.show_replication(task_id)


@contextmanager
def running(mover: Mover) -> Iterator[Mover]:
    try:
        mover.rig.start()
        yield mover
    finally:
        mover.rig.end()


@pytest.fixture
def mover(disks: list[LoopDisk], tmp_path: Path) -> Iterator[Mover]:
    with running(Mover(tmp_path, disks, 2)) as made:
        yield made


@pytest.fixture
def first_alone(disks: list[LoopDisk], tmp_path: Path) -> Iterator[Mover]:
    with running(Mover(tmp_path, disks, 1)) as made:
        yield made


def grow(disk: LoopDisk, size: int) -> bytes:
    """Enlarge a disk, write something to its new end, and return that."""
    with disk.image.open("r+b") as file:
        file.truncate(size)
    run(["losetup", "--set-capacity", str(disk.device)])
    words = os.urandom(MIB)
    with disk.device.open("r+b", buffering=0) as device:
        device.seek(size - len(words))
        device.write(words)
        os.fsync(device.fileno())
    return words


def test_of_two_disks_the_one_that_does_not_change_costs_nothing(mover: Mover) -> None:
    task_id = mover.begin()
    (mover.disks[1].mount_points[0] / "more").write_bytes(os.urandom(4 * MIB))
    mover.further(task_id)
    figures = mover.finish(task_id, 2)
    first, *others = figures.passes
    assert first.sent_bytes > 2 * CONTENT * 0.9
    assert 4 * MIB < sum(done.read_bytes for done in others) < CONTENT
    assert [done.scan_reason for done in others if done.scan] == []


def test_a_disk_that_grows_while_the_task_runs_goes_over_whole_and_nothing_is_sent_twice(mover: Mover) -> None:
    task_id = mover.begin()
    disk = mover.disks[0]
    # No multiple of a granule, so that the last one is a short one, before and after.
    size = disk.size + 20 * MIB + 4096
    words = grow(disk, size)
    mover.rig.until("the new look", lambda: "disks_changed" in mover.rig.programs["agent"].words())
    mover.further(task_id)
    figures = mover.finish(task_id, 2)
    copy = (mover.folder / f"images/{task_id}/disk-0.raw").read_bytes()
    assert len(copy) == size
    assert copy[-len(words) :] == words
    assert figures.disk_bytes == size + mover.disks[1].size
    assert sum(done.sent_bytes for done in figures.passes[1:]) < CONTENT / 2


def test_a_disk_that_is_added_and_one_that_grows_between_two_runs_of_a_task(first_alone: Mover) -> None:
    mover = first_alone
    task_id = mover.begin()
    rig = mover.rig
    rig.plane.update_task_status(task_id, "stop")
    rig.until("the stop", lambda: rig.state(task_id) == "ABORT")
    agent = rig.programs["agent"]
    assert agent.terminate() == 0
    grow(mover.disks[0], mover.disks[0].size + 3 * MIB)
    mover.name(2)
    agent.arguments = [*agent.arguments, "--disk", str(mover.disks[1].device)]
    agent.start()
    rig.until("the agent", lambda: rig.plane.show_server(rig.source.id).connected)
    mover.go_on(task_id)
    figures = mover.finish(task_id, 2)
    assert sum(done.sent_bytes for done in figures.passes[1:]) < 1.5 * CONTENT


def test_a_disk_that_is_gone_is_missed(mover: Mover) -> None:
    task_id = mover.begin()
    rig = mover.rig
    agent = rig.programs["agent"]
    rig.plane.update_task_status(task_id, "stop")
    rig.until("the stop", lambda: rig.state(task_id) == "ABORT")
    assert agent.terminate() == 0
    words = list(agent.arguments)
    place = words.index(str(mover.disks[1].device))
    agent.arguments = words[: place - 1] + words[place + 1 :]
    agent.start()
    rig.until("the agent", lambda: rig.plane.show_server(rig.source.id).connected)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the refusal", lambda: "WHERRY.4012" in (rig.plane.show_task(task_id).error_json or ""))
    assert str(mover.disks[1].device) in rig.words_of(task_id)
