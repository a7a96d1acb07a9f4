"""The receiver's halves: none is forgotten, none is handed in for a checkpoint that has gone by."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable
from wherry.client.patience import Patience, Steadfast
from wherry.contract.wherry import DiskRoot, ProofHalf
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.proofs import Proofs, was_handed_in
from wherry.replication.errors import CheckpointGone, StorageFailed
from wherry.replication.replica import Checkpoint

ROOT = DiskRoot(index=0, name="a", size=65536, granule_size=65536, covered=[[0, 1]], root="ab" * 32)


class Replica:
    """A replica at one checkpoint."""

    def __init__(self, number: int | None, *, consistent: bool = True) -> None:
        self.checkpoint = None if number is None else Checkpoint(number, consistent, 77, {0: [(0, 1)]})
        self.reads = 0
        self.moved_on = False
        self.refusals = 0
        self.recovers_to = 0

    def half(self, checkpoint: int) -> ProofHalf:
        self.reads += 1
        if self.refusals:
            self.refusals -= 1
            raise StorageFailed(path="disk-0.raw", reason="Input/output error")
        if self.moved_on:
            raise CheckpointGone(actual=checkpoint + 1, wanted=checkpoint)
        if self.recovers_to:
            self.checkpoint, self.recovers_to = Checkpoint(self.recovers_to, True, 77, {}), 0
            raise CheckpointGone(actual=self.checkpoint.number, wanted=checkpoint)
        return ProofHalf(checkpoint=checkpoint, taken_at=77, disks=[ROOT])


class Stage:
    def __init__(self, images: Path, replica: Replica) -> None:
        self.images = images
        self.driver = ImageDriver(images)
        self.replica = replica
        self.handed: list[tuple[str, int]] = []
        self.told: list[str] = []
        self.errors: list[Exception] = []
        self.stop = threading.Event()
        self.arrived = threading.Event()

    def present(self) -> list[str]:
        return self.driver.replicas()

    def get(self, _task_id: str) -> Replica:
        return self.replica

    def hand_in(self, task_id: str, half: ProofHalf) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.handed.append((task_id, half.checkpoint))
        self.arrived.set()

    def run(self, act: Callable[[Proofs], None]) -> None:
        """Begin a receiver's life, let it *act*, and end it once everything is done."""
        proofs = self._proofs()
        act(proofs)
        proofs.end()
        proofs.run()

    def run_until_handed_in(self, act: Callable[[Proofs], None]) -> None:
        """Do the same, but end it only once a half has arrived."""
        proofs = self._proofs()
        thread = threading.Thread(target=proofs.run)
        thread.start()
        try:
            act(proofs)
            assert self.arrived.wait(60)
        finally:
            proofs.end()
            thread.join(60)

    def _proofs(self) -> Proofs:
        sure = Steadfast(self.stop, Patience(first_s=0.0))
        return Proofs(self.driver, self, self.hand_in, sure, handed_in=self.told.append, retry_s=0.01)

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.images / "task-1").iterdir())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "task-1").mkdir()
    return Stage(tmp_path, Replica(4))


def catch_up(proofs: Proofs) -> None:
    proofs.catch_up("task-1")


def test_a_consistent_commit_is_proven(stage: Stage, tmp_path: Path) -> None:
    checkpoint = stage.replica.checkpoint
    assert checkpoint is not None
    stage.run(lambda proofs: proofs.committed("task-1", checkpoint))
    assert stage.handed == [("task-1", 4)]
    assert stage.files() == ["half-4.proven.json"]
    assert was_handed_in(tmp_path / "task-1", 4)
    assert stage.told == ["task-1"]


def test_a_commit_that_is_not_consistent_is_not(stage: Stage) -> None:
    stage.replica = Replica(4, consistent=False)
    checkpoint = stage.replica.checkpoint
    assert checkpoint is not None
    stage.run(lambda proofs: proofs.committed("task-1", checkpoint))
    stage.run(catch_up)
    assert stage.handed == []
    assert stage.replica.reads == 0


def test_a_receiver_that_was_killed_before_it_read_the_medium_makes_up_for_it(stage: Stage) -> None:
    stage.run(catch_up)
    assert stage.handed == [("task-1", 4)]


def test_a_receiver_that_was_killed_before_it_handed_in_does_not_read_again(stage: Stage) -> None:
    stage.errors = [ControlPlaneError("SMS.9004", "not now", status=403)]
    stage.run(catch_up)
    assert stage.files() == ["half-4.json"]
    assert stage.told == []
    stage.run(catch_up)
    assert stage.handed == [("task-1", 4)]
    assert stage.replica.reads == 1


def test_what_was_handed_in_is_not_handed_in_again(stage: Stage) -> None:
    stage.run(catch_up)
    stage.run(catch_up)
    assert stage.handed == [("task-1", 4)]
    assert stage.replica.reads == 1


def test_a_replica_that_moved_on_meanwhile_owes_nothing(stage: Stage) -> None:
    stage.replica.moved_on = True
    stage.run(catch_up)
    assert stage.handed == []
    assert stage.files() == []


def test_a_replica_that_recovers_to_a_later_checkpoint_owes_that_one(stage: Stage) -> None:
    stage.replica.recovers_to = 5
    stage.run_until_handed_in(catch_up)
    assert stage.handed == [("task-1", 5)]


def test_a_medium_that_refuses_delays_the_proof_only(stage: Stage) -> None:
    stage.replica.refusals = 3
    stage.run_until_handed_in(catch_up)
    assert stage.handed == [("task-1", 4)]


def test_a_task_without_a_replica_owes_nothing(stage: Stage) -> None:
    stage.run(lambda proofs: proofs.catch_up("task-2"))
    stage.replica = Replica(None)
    stage.run(catch_up)
    assert stage.handed == []
    assert not (stage.images / "task-2").exists()


def test_a_control_plane_that_is_away_delays_the_proof_only(stage: Stage) -> None:
    stage.errors = [ControlPlaneUnreachable(endpoint="x", reason="y")]
    stage.run(catch_up)
    assert stage.handed == [("task-1", 4)]


def test_the_end_of_the_receiver_leaves_the_half_for_the_next_start(stage: Stage) -> None:
    stage.errors = [ControlPlaneUnreachable(endpoint="x", reason="y")] * 100
    stage.stop.set()
    stage.run(catch_up)
    assert stage.handed == []
    assert stage.files() == ["half-4.json"]


def test_one_task_s_trouble_does_not_keep_the_others_back(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "task-0").mkdir()
    (tmp_path / "task-0" / "half-1.json").write_text("damaged")

    def both(proofs: Proofs) -> None:
        proofs.catch_up("task-0")
        proofs.catch_up("task-1")

    stage.run(both)
    assert ("task-1", 4) in stage.handed
