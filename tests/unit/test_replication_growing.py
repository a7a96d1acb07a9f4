"""A replica whose disks grow, or get company: nothing is lost by it, whenever the power goes."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.replication_doubles import (
    PowerCut,
    SimulatedFile,
    SimulatedStorage,
    control_frame,
    data_frame,
    pack_runs,
    zero_frame,
)
from wherry.replication.errors import DisksDiffer, TargetTooSmall
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, granule_count, granule_digests
from wherry.replication.growing import growth
from wherry.replication.messages import CommitPass, Covered, DiskLine
from wherry.replication.record import ReplicaDisk
from wherry.replication.replica import Replica

OLD = [5 * GRANULE_SIZE + 8192]
NEW = [9 * GRANULE_SIZE + 4096, 3 * GRANULE_SIZE]

Content = Sequence[bytes]


def image(index: int) -> Path:
    return Path(f"/images/disk-{index}")


def open_replica(storage: SimulatedStorage, directory: Path, *, grows: bool = True) -> Replica:
    def create(index: int, size: int) -> Path:
        path = storage.make_disk(image(index), size)
        file = storage.files[path]
        if grows and len(file.content) < size:
            content = bytes(file.content) + bytes(size - len(file.content))
            storage.files[path] = SimulatedFile(bytearray(content), content)
        return path

    return Replica.open(directory, "task", create, storage=storage)


def content(seed: int, sizes: Sequence[int]) -> Content:
    """Return disks of noise, of which the last granules are zeros but for the very last one."""
    chance = random.Random(seed)
    disks = []
    for size in sizes:
        disk = bytearray(chance.randbytes(size))
        disk[-2 * GRANULE_SIZE : -4096] = bytes(2 * GRANULE_SIZE - 4096)
        disks.append(bytes(disk))
    return disks


def lines(sizes: Sequence[int]) -> list[DiskLine]:
    return [DiskLine(index=index, name=f"d{index}", size=size) for index, size in enumerate(sizes)]


def store_what_differs(replica: Replica, disks: Content) -> None:
    number = replica.next_pass
    replica.begin(number)
    for index, disk in enumerate(disks):
        known = replica.digests(index, 0, granule_count(len(disk)))
        for granule in range(granule_count(len(disk))):
            data = disk[granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE]
            if granule_digests(data) != known[granule * DIGEST_SIZE : (granule + 1) * DIGEST_SIZE]:
                place = granule * GRANULE_SIZE
                opened = (
                    data_frame(index, number, place, data) if any(data) else zero_frame(index, number, place, len(data))
                )
                replica.check(opened)
                replica.store(opened)
    replica.sync()


def commit(replica: Replica, disks: Content) -> None:
    covered = {index: [(0, granule_count(len(disk)))] for index, disk in enumerate(disks)}
    frames = [control_frame(Covered(disk=index, runs=pack_runs(runs))) for index, runs in covered.items()]
    message = CommitPass(number=replica.next_pass, consistent=True, taken_at=1)
    replica.commit(message, covered, [*frames, control_frame(message)], lambda _: None)


def run_passes(storage: SimulatedStorage, directory: Path, moments: Sequence[Content], until: int) -> None:
    """Bring the replica to the checkpoint before *until*, over disks as large as they are in each moment."""
    replica = open_replica(storage, directory)
    try:
        while replica.next_pass < until:
            disks = moments[replica.next_pass]
            with replica.session(lambda: None):
                replica.prepare(lines([len(disk) for disk in disks]))
                store_what_differs(replica, disks)
                commit(replica, disks)
    finally:
        replica._release()


MOMENTS = [content(1, OLD), content(2, OLD), content(3, NEW)]


def at_checkpoint(directory: Path, passes: int, *, open_pass: bool = False) -> SimulatedStorage:
    storage = SimulatedStorage()
    run_passes(storage, directory, MOMENTS, passes)
    if open_pass:
        replica = open_replica(storage, directory)
        with replica.session(lambda: None):
            replica.prepare(lines(OLD))
            store_what_differs(replica, content(9, OLD))
        assert replica.open_pass == passes
        replica._release()
    return storage


def check(storage: SimulatedStorage, directory: Path, checkpoint: int) -> None:
    """The checkpoint is on the medium, and every digest is of what the medium holds."""
    replica = open_replica(storage, directory)
    try:
        assert replica.checkpoint is not None
        assert replica.checkpoint.number == checkpoint
        assert [disk.size for disk in replica.disks] in [OLD, NEW]
        kept = bytes(storage.files[image(0)].content)[: OLD[0]]
        if replica.checkpoint.number < 2:
            assert kept == MOMENTS[checkpoint][0]
        if replica.open_pass is None:
            for disk in replica.disks:
                medium = bytes(storage.files[disk.path].content)[: disk.size]
                assert replica.digests(disk.index, 0, granule_count(disk.size)) == granule_digests(medium)
    finally:
        replica._release()


@pytest.mark.parametrize("open_pass", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_a_power_cut_at_any_step_of_growing_costs_nothing(tmp_path: Path, kept: float, open_pass: bool) -> None:
    whole = at_checkpoint(tmp_path, 2, open_pass=open_pass)
    run_passes(whole, tmp_path, MOMENTS, 3)
    assert whole.steps > 10
    cut_at = 0
    while True:
        cut_at += 1
        storage = at_checkpoint(tmp_path, 2, open_pass=open_pass)
        storage.cut_at = storage.steps + cut_at
        try:
            run_passes(storage, tmp_path, MOMENTS, 3)
        except PowerCut:
            pass
        else:
            break
        left = storage.after_power_cut(cut_at, kept)
        replica = open_replica(left, tmp_path)
        reached = 1 if replica.checkpoint is None else replica.checkpoint.number
        replica._release()
        check(left, tmp_path, reached)
        run_passes(left, tmp_path, MOMENTS, 3)
        assert [bytes(left.files[image(index)].content) for index in range(2)] == list(MOMENTS[2])
    assert cut_at > 10


def test_a_disk_that_grows_before_the_first_commit_keeps_what_has_arrived(tmp_path: Path) -> None:
    storage = SimulatedStorage()
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None):
        replica.prepare(lines(OLD))
        store_what_differs(replica, MOMENTS[0])
    with replica.session(lambda: None):
        replica.prepare(lines(NEW))
        grown = MOMENTS[0][0] + bytes(NEW[0] - OLD[0])
        told = replica.digests(0, 0, granule_count(NEW[0]))
        assert told == granule_digests(grown)
        store_what_differs(replica, MOMENTS[2])
        commit(replica, MOMENTS[2])
    assert [disk.size for disk in replica.half(0).disks] == NEW
    replica._release()
    assert [bytes(storage.files[image(index)].content) for index in range(2)] == list(MOMENTS[2])


def test_a_target_that_cannot_grow_is_told(tmp_path: Path) -> None:
    storage = at_checkpoint(tmp_path, 2)
    replica = open_replica(storage, tmp_path, grows=False)
    with pytest.raises(TargetTooSmall, match=f"has {OLD[0]} bytes, {NEW[0]} are needed"), replica.session(lambda: None):
        replica.prepare(lines(NEW))
    replica._release()
    check(storage, tmp_path, 1)


def test_what_is_missing_or_smaller_is_refused_and_what_is_new_or_larger_grows() -> None:
    known = [ReplicaDisk(0, "a", 100, Path("/a")), ReplicaDisk(2, "b", 50, Path("/b"))]
    same, larger, new = DiskLine(0, "a", 100), DiskLine(2, "b", 51), DiskLine(1, "c", 7)
    assert growth(known, [larger, same, new]) == [new, larger]
    assert growth(known, [same, DiskLine(2, "b", 50)]) == []
    assert growth([], [larger, same]) == [same, larger]
    for short in ([same, new], [same, DiskLine(2, "b", 49)]):
        with pytest.raises(DisksDiffer, match="disk 2 with 50 bytes"):
            growth(known, short)
