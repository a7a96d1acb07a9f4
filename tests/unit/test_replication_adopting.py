"""Disks that were there before: they're read once, what differs is stored, and they stay whole until it's all there."""

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
from wherry.errors import WherryError
from wherry.replication.adopting import adopt
from wherry.replication.errors import AdoptionRefused, DiskExchanged, DisksDiffer, ReplicaBusy, TargetTooSmall
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, granule_count, granule_digests
from wherry.replication.messages import CommitPass, Covered, DiskLine
from wherry.replication.replica import Replica
from wherry.replication.turn import DirectoryLock

SIZE = 9 * GRANULE_SIZE + 4096
DISKS = (Path("/dev/old-a"), Path("/dev/old-b"))


def content(seed: int, size: int = SIZE) -> bytes:
    """Return a disk whose granules tell them apart, with a hole in it."""
    disk = bytearray().join(bytes([seed, number % 251]) * (GRANULE_SIZE // 2) for number in range(granule_count(size)))
    disk[3 * GRANULE_SIZE : 4 * GRANULE_SIZE] = bytes(GRANULE_SIZE)
    return bytes(disk[:size])


def changed(disk: bytes) -> bytes:
    """Return *disk* with two granules changed, one of them emptied, and the last one."""
    now = bytearray(disk)
    now[GRANULE_SIZE + 100] ^= 255
    now[5 * GRANULE_SIZE : 6 * GRANULE_SIZE] = bytes(GRANULE_SIZE)
    now[-1] ^= 255
    return bytes(now)


OLD = (content(1), content(2))
NEW = (changed(OLD[0]), changed(OLD[1]))
SECOND = (changed(NEW[0]), OLD[1])


def old_disks(*, cut_at: int | None = None) -> SimulatedStorage:
    files = {path: SimulatedFile(bytearray(disk), disk) for path, disk in zip(DISKS, OLD, strict=True)}
    return SimulatedStorage(files, cut_at=cut_at)


def media(storage: SimulatedStorage) -> tuple[bytes, ...]:
    return tuple(bytes(storage.files[path].content) for path in DISKS)


def never(_index: int, _size: int) -> Path:
    raise AssertionError("disks that were adopted aren't made")


def open_replica(storage: SimulatedStorage, directory: Path) -> Replica:
    return Replica.open(directory, "task", never, storage=storage)


def lines(*sizes: int) -> list[DiskLine]:
    return [DiskLine(index=index, name=f"vd{index}", size=size) for index, size in enumerate(sizes)]


def send(replica: Replica, disks: tuple[bytes, ...]) -> int:
    """Store what differs as the open pass; return how many granules that were."""
    number, sent = replica.next_pass, 0
    replica.begin(number)
    for index, disk in enumerate(disks):
        known = replica.digests(index, 0, granule_count(len(disk)))
        for granule in range(granule_count(len(disk))):
            data = disk[granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE]
            if granule_digests(data) == known[granule * DIGEST_SIZE : (granule + 1) * DIGEST_SIZE]:
                continue
            place = granule * GRANULE_SIZE
            frame = data_frame(index, number, place, data) if any(data) else zero_frame(index, number, place, len(data))
            replica.check(frame)
            replica.store(frame)
            sent += 1
    replica.sync()
    return sent


def commit(replica: Replica, disks: tuple[bytes, ...]) -> None:
    covered = {index: [(0, granule_count(len(disk)))] for index, disk in enumerate(disks)}
    frames = [control_frame(Covered(disk=index, runs=pack_runs(runs))) for index, runs in covered.items()]
    message = CommitPass(number=replica.next_pass, consistent=True, taken_at=1)
    replica.commit(message, covered, [*frames, control_frame(message)], lambda _: None)


def run_pass(replica: Replica, disks: tuple[bytes, ...]) -> int:
    with replica.session(lambda: None):
        replica.prepare(lines(*map(len, disks)))
        sent = send(replica, disks)
        commit(replica, disks)
    return sent


def adopted(storage: SimulatedStorage, directory: Path, *, in_place: bool = False) -> None:
    adopt(directory, "task", DISKS, in_place=in_place, storage=storage)


def test_only_what_differs_is_stored_and_the_disks_stay_whole_until_the_commit(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None):
        replica.prepare(lines(SIZE, SIZE))
        assert replica.next_pass == 0
        assert send(replica, NEW) == 6
        assert media(storage) == OLD
        commit(replica, NEW)
    assert media(storage) == NEW
    assert replica.checkpoint is not None
    assert replica.checkpoint.number == 0
    assert [(disk.name, disk.path) for disk in replica.disks] == [("vd0", DISKS[0]), ("vd1", DISKS[1])]
    assert run_pass(replica, SECOND) == 2 + 3
    assert media(storage) == SECOND
    replica.close()


def test_a_pass_that_broke_off_is_gone_on_with(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    first = open_replica(storage, tmp_path)
    with first.session(lambda: None):
        first.prepare(lines(SIZE, SIZE))
        send(first, (NEW[0], OLD[1]))
    first.close()
    second = open_replica(storage, tmp_path)
    with second.session(lambda: None):
        second.prepare(lines(SIZE, SIZE))
        assert second.open_pass == 0
        assert send(second, NEW) == 3
        commit(second, NEW)
    second.close()
    assert media(storage) == NEW


def test_in_place_it_s_written_straight_to_the_disks(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path, in_place=True)
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None):
        replica.prepare(lines(SIZE, SIZE))
        assert send(replica, NEW) == 6
        assert media(storage) == NEW
        commit(replica, NEW)
    replica.close()
    assert not [path for path in storage.files if path.suffix == ".redo"]


def fail_back(storage: SimulatedStorage, directory: Path) -> None:
    """Adopt, and run the two passes, or what is missing of them."""
    adopt(directory, "task", DISKS, storage=storage)
    replica = open_replica(storage, directory)
    try:
        while replica.next_pass < 2:
            run_pass(replica, (NEW, SECOND)[replica.next_pass])
    finally:
        replica._release()


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_after_a_power_cut_at_any_step_the_disks_are_the_old_ones_or_at_a_checkpoint(
    tmp_path: Path, kept: float
) -> None:
    whole = old_disks()
    fail_back(whole, tmp_path)
    assert whole.steps > 30
    seen = set()
    for cut_at in range(1, whole.steps + 1):
        storage = old_disks(cut_at=cut_at)
        with pytest.raises(PowerCut):
            fail_back(storage, tmp_path)
        left = storage.after_power_cut(cut_at, kept)
        replica = open_replica(left, tmp_path)
        if replica.disks:
            number = None if replica.checkpoint is None else replica.checkpoint.number
            seen.add(number)
            assert media(left) == {None: OLD, 0: NEW, 1: SECOND}[number]
            if replica.open_pass is None:
                told = [replica.digests(index, 0, granule_count(SIZE)) for index in range(2)]
                assert told == list(map(granule_digests, media(left)))
        replica._release()
        fail_back(left, tmp_path)
        assert media(left) == SECOND
        assert not [path for path in left.files if path.suffix == ".redo"]
    assert seen == {None, 0, 1}


def test_what_was_read_before_a_kill_isn_t_read_again_and_what_was_read_as_a_whole_is(tmp_path: Path) -> None:
    storage, told = old_disks(), list[tuple[int, int]]()

    def killed(done: int, total: int) -> None:
        told.append((done, total))
        raise PowerCut

    with pytest.raises(PowerCut):
        adopt(tmp_path, "task", DISKS, storage=storage, progress=killed)
    for granules in (10, 20):
        told.clear()
        adopt(tmp_path, "task", DISKS, storage=storage, progress=lambda *both: told.append(both))
        assert told[-1] == (granules * GRANULE_SIZE, granules * GRANULE_SIZE)


def test_what_was_written_to_a_disk_between_two_adoptions_is_seen(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    storage.files[DISKS[0]] = SimulatedFile(bytearray(NEW[0]), NEW[0])
    adopted(storage, tmp_path)
    replica = open_replica(storage, tmp_path)
    assert run_pass(replica, NEW) == 3
    replica.close()
    assert media(storage) == NEW


def test_once_a_source_has_begun_to_send_nothing_is_read(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None):
        replica.prepare(lines(SIZE, SIZE))
        send(replica, NEW)
    replica.close()
    adopt(tmp_path, "task", DISKS, storage=storage, progress=lambda *_: pytest.fail("it was read"))
    replica = open_replica(storage, tmp_path)
    assert replica.open_pass == 0
    run_pass(replica, NEW)
    replica.close()
    assert adopt(tmp_path, "task", DISKS, storage=storage).begun
    assert media(storage) == NEW


def test_another_disk_under_the_same_name_is_never_written(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    storage.files[DISKS[0]], storage.files[DISKS[1]] = storage.files[DISKS[1]], storage.files[DISKS[0]]
    with pytest.raises(DiskExchanged, match="/dev/old-a isn't the disk"):
        open_replica(storage, tmp_path)
    assert media(storage) == (OLD[1], OLD[0])
    storage.files[DISKS[0]], storage.files[DISKS[1]] = storage.files[DISKS[1]], storage.files[DISKS[0]]
    replica = open_replica(storage, tmp_path)
    assert run_pass(replica, NEW) == 6
    replica.close()


def test_another_disk_in_the_middle_of_an_adoption_is_read_from_the_start(tmp_path: Path) -> None:
    storage = old_disks()

    def killed(_done: int, _total: int) -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        adopt(tmp_path, "task", DISKS, storage=storage, progress=killed)
    storage.files[DISKS[0]] = SimulatedFile(bytearray(OLD[1]), OLD[1])
    adopted(storage, tmp_path)
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None):
        assert replica.digests(0, 0, granule_count(SIZE)) == granule_digests(OLD[1])
    replica.close()


@pytest.mark.parametrize(
    ("task_id", "disks", "words"),
    [
        ("other", DISKS, "belongs to task task"),
        ("task", DISKS[:1], "and not /dev/old-a"),
        ("task", (DISKS[1], DISKS[0]), "and not /dev/old-b, /dev/old-a"),
    ],
)
def test_another_task_or_other_disks_are_refused(
    tmp_path: Path, task_id: str, disks: tuple[Path, ...], words: str
) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    with pytest.raises(AdoptionRefused, match=words):
        adopt(tmp_path, task_id, disks, storage=storage)


def test_a_replica_with_disks_of_its_own_is_refused(tmp_path: Path) -> None:
    storage = old_disks()

    def make(index: int, size: int) -> Path:
        return storage.make_disk(Path(f"/images/{index}"), size)

    replica = Replica.open(tmp_path, "task", make, storage=storage)
    run_pass(replica, NEW)
    with pytest.raises(ReplicaBusy):
        adopted(storage, tmp_path)
    replica.close()
    with pytest.raises(AdoptionRefused, match="made for it"):
        adopted(storage, tmp_path)
    assert media(storage) == OLD


def test_while_another_program_has_the_folder_nothing_is_adopted(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(ReplicaBusy):
        adopted(old_disks(), tmp_path)
    lock.release()
    adopted(old_disks(), tmp_path)


Sizes = tuple[int, ...]
MORE = SIZE + 4096


@pytest.mark.parametrize(
    ("sizes", "refusal", "words"),
    [
        ((SIZE,), DisksDiffer, r"has 1 disk\(s\), 2 were adopted"),
        ((SIZE, SIZE, SIZE), DisksDiffer, r"has 3 disk\(s\), 2 were adopted"),
        ((SIZE, MORE), TargetTooSmall, f"has {SIZE} bytes, {MORE} are needed"),
    ],
)
def test_a_source_that_doesn_t_fit_is_refused_before_anything_is_stored(
    tmp_path: Path, sizes: Sizes, refusal: type[WherryError], words: str
) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    replica = open_replica(storage, tmp_path)
    with replica.session(lambda: None), pytest.raises(refusal, match=words):
        replica.prepare(lines(*sizes))
    assert run_pass(replica, NEW) == 6
    replica.close()


def test_of_a_disk_that_is_larger_the_rest_isn_t_touched(tmp_path: Path) -> None:
    storage = old_disks()
    adopted(storage, tmp_path)
    less = 7 * GRANULE_SIZE + 512
    small = (NEW[0][:less], NEW[1])
    replica = open_replica(storage, tmp_path)
    # The granule that has become short is another one, though it's equal; so is the next one that changed.
    assert run_pass(replica, small) == 2 + 3
    assert media(storage) == (small[0] + OLD[0][less:], NEW[1])
    assert [disk.size for disk in replica.disks] == [less, SIZE]
    with replica.session(lambda: None), pytest.raises(DisksDiffer):
        replica.prepare(lines(less - 512, SIZE))
    # Later it grows into the room that there is.
    assert run_pass(replica, NEW) == 1
    assert media(storage) == NEW
    replica.close()
