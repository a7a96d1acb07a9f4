"""The replica under power cuts: after every single step of storage, with everything, nothing or anything of it kept."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.replication_doubles import (
    PowerCut,
    SimulatedStorage,
    control_frame,
    data_frame,
    gather_frame,
    pack_runs,
    patch_frame,
    zero_frame,
)
from wherry.replication.errors import CheckpointGone, StorageFailed
from wherry.replication.frames import Opened
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, granule_count, granule_digests
from wherry.replication.messages import CommitPass, Committed, Covered, DiskLine
from wherry.replication.patches import BLOCK_SIZE
from wherry.replication.replica import Replica

SIZES = (11 * GRANULE_SIZE + 1536, 5 * GRANULE_SIZE)
IMAGES = Path("/images")
Content = tuple[bytes, ...]


def image(index: int) -> Path:
    return IMAGES / f"{index}"


@dataclass
class History:
    """What the driver knows for certain: answered commits with their content, and what sync has confirmed since."""

    checkpoint: int | None = None
    committing: int | None = None
    contents: dict[int, Content] = field(default_factory=dict)
    confirmed: dict[tuple[int, int], bytes] = field(default_factory=dict)
    stored: dict[tuple[int, int], bytes] = field(default_factory=dict)
    patched: int = 0

    def answer(self, checkpoint: int) -> None:
        self.checkpoint, self.committing = checkpoint, None
        self.confirmed.clear()

    def confirm(self) -> None:
        self.confirmed.update(self.stored)
        self.stored.clear()


def sources(seed: int) -> list[Content]:
    """Return the content of both disks at three moments; granules are few patterns, so that frames are short."""
    chance = random.Random(seed)
    moments: list[Content] = []
    current = [bytearray(size) for size in SIZES]
    for _moment in range(3):
        for disk in current:
            for first in chance.sample(range(granule_count(len(disk))), 4):
                pattern = b"" if chance.random() < 0.3 else chance.randbytes(8)
                start = first * GRANULE_SIZE
                length = min(GRANULE_SIZE, len(disk) - start)
                if chance.random() < 0.5 and length == GRANULE_SIZE:  # a few blocks of it
                    start, length = start + BLOCK_SIZE * chance.randrange(14), 2 * BLOCK_SIZE
                disk[start : start + length] = (pattern or bytes(8)) * (length // 8)
        moments.append(tuple(bytes(disk) for disk in current))
    return moments


def open_replica(storage: SimulatedStorage, directory: Path) -> Replica:
    return Replica.open(directory, "task", lambda index, size: storage.make_disk(image(index), size), storage=storage)


def differing(replica: Replica, content: Content) -> Iterator[tuple[int, int, bytes]]:
    """Yield the granules that a session would send: (disk, granule, data)."""
    for index, disk in enumerate(content):
        known = replica.digests(index, 0, granule_count(len(disk)))
        for granule in range(granule_count(len(disk))):
            data = disk[granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE]
            if granule_digests(data) != known[granule * DIGEST_SIZE : (granule + 1) * DIGEST_SIZE]:
                yield index, granule, data


def frames_of(
    number: int, found: list[tuple[int, int, bytes]], before: Content | None, chance: random.Random
) -> Iterator[tuple[int, list[int], Opened]]:
    """Yield disk, granules and frame: zeros and some of the data by themselves, the rest gathered or patched.

    *before*: what the checkpoint holds, over which patches may be laid.
    """
    for index, granule, data in found:
        if not any(data):
            yield index, [granule], zero_frame(index, number, granule * GRANULE_SIZE, len(data))
    for index in range(len(SIZES)):
        parts = {granule: data for disk, granule, data in found if disk == index and any(data)}
        masks = {granule: mask for granule, mask in masks_of(parts, before, index).items() if chance.random() < 0.7}
        if masks:
            yield index, list(masks), patch_frame(index, number, {each: (masks[each], parts[each]) for each in masks})
            parts = {granule: data for granule, data in parts.items() if granule not in masks}
        while parts:
            some = dict(list(parts.items())[: chance.randint(1, 3)])
            parts = {granule: data for granule, data in parts.items() if granule not in some}
            if len(some) == 1:
                ((granule, data),) = some.items()
                yield index, [granule], data_frame(index, number, granule * GRANULE_SIZE, data)
            else:
                yield index, list(some), gather_frame(index, number, some)


def masks_of(parts: dict[int, bytes], before: Content | None, index: int) -> dict[int, int]:
    """Return the blocks in which granules differ from *before*, of those that aren't wholly other or short."""
    masks: dict[int, int] = {}
    for granule, data in parts.items():
        if before is None or len(data) < GRANULE_SIZE:
            continue
        old = before[index][granule * GRANULE_SIZE : (granule + 1) * GRANULE_SIZE]
        starts = range(0, GRANULE_SIZE, BLOCK_SIZE)
        differs = [data[start : start + BLOCK_SIZE] != old[start : start + BLOCK_SIZE] for start in starts]
        if sum(differs) <= 8:
            masks[granule] = sum(1 << block for block, is_so in enumerate(differs) if is_so)
    return masks


def run_pass(replica: Replica, content: Content, history: History, chance: random.Random) -> None:
    number = replica.next_pass
    replica.begin(number)
    # What the open pass has of an earlier run can't be patched any more.
    before = history.contents[number - 1] if number and replica.open_pass is None else None
    for index, granules, opened in frames_of(number, list(differing(replica, content)), before, chance):
        for granule in granules:
            history.confirmed.pop((index, granule), None)
        history.stored |= {
            (index, first + number): digests[number * DIGEST_SIZE :][:DIGEST_SIZE]
            for first, digests in opened.entries()
            for number in range(len(digests) // DIGEST_SIZE)
        }
        replica.check(opened)
        if opened.patch is None:
            replica.store(opened)
        else:
            fitting = replica.fits(opened)
            assert fitting.all()
            replica.store(opened, fitting)
            history.patched += 1
        if chance.random() < 0.4:
            replica.sync()
            history.confirm()
    replica.sync()
    history.confirm()
    history.committing, history.contents[number] = number, content

    def answered(committed: Committed) -> None:
        history.answer(committed.checkpoint)

    covered = {index: [(0, granule_count(len(disk)))] for index, disk in enumerate(content)}
    frames = [control_frame(Covered(disk=index, runs=pack_runs(runs))) for index, runs in covered.items()]
    message = CommitPass(number=number, consistent=True, taken_at=1)
    replica.commit(message, covered, [*frames, control_frame(message)], answered)


def migrate(storage: SimulatedStorage, directory: Path, moments: list[Content], history: History, seed: int) -> None:
    """Run the passes that are missing, in sessions that end now and then."""
    chance = random.Random(seed)
    history.stored.clear()  # what a power cut may have taken
    replica = open_replica(storage, directory)
    try:
        while replica.next_pass < len(moments):
            with replica.session(lambda: None):
                replica.prepare(
                    [DiskLine(index=index, name=f"d{index}", size=size) for index, size in enumerate(SIZES)]
                )
                # The session may have finished a commit that had broken off before it was answered.
                if history.committing is not None and history.committing < replica.next_pass:
                    history.answer(history.committing)
                if replica.next_pass < len(moments):
                    run_pass(replica, moments[replica.next_pass], history, chance)
        proof = replica.half(len(moments) - 1)
        assert [disk.size for disk in proof.disks] == list(SIZES)
    finally:
        # The process is gone in any case: only its lock has to be let go.
        replica._release()


def check_after(storage: SimulatedStorage, directory: Path, history: History) -> None:
    """Open what is left and hold it against what was promised."""
    replica = open_replica(storage, directory)
    try:
        checkpoint = replica.checkpoint
        number = None if checkpoint is None else checkpoint.number
        assert number in {history.checkpoint, history.checkpoint if history.committing is None else history.committing}
        for disk in replica.disks:
            medium = bytes(storage.files[disk.path].content)
            told = replica.digests(disk.index, 0, granule_count(disk.size))
            if number is not None:
                assert medium == history.contents[number][disk.index]
            if replica.open_pass is None:
                assert told == granule_digests(medium)
            if number == history.checkpoint:
                for (index, granule), digest in history.confirmed.items():
                    if index == disk.index:
                        assert told[granule * DIGEST_SIZE : (granule + 1) * DIGEST_SIZE] == digest
    finally:
        replica._release()


def steps_of(directory: Path, moments: list[Content], seed: int) -> int:
    storage = SimulatedStorage()
    migrate(storage, directory, moments, History(), seed)
    return storage.steps


@pytest.mark.parametrize("seed", range(5, 9))
def test_what_follows_patches_granules_too(tmp_path: Path, seed: int) -> None:
    history = History()
    migrate(SimulatedStorage(), tmp_path, sources(seed), history, seed)
    assert history.patched


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
def test_after_a_power_cut_at_any_step_nothing_confirmed_is_lost_and_no_digest_lies(
    tmp_path: Path, kept: float
) -> None:
    seed = 5
    moments = sources(seed)
    total = steps_of(tmp_path, moments, seed)
    assert total > 60
    for cut_at in range(1, total + 1):
        storage, history = SimulatedStorage(cut_at=cut_at), History()
        with pytest.raises(PowerCut):
            migrate(storage, tmp_path, moments, history, seed)
        left = storage.after_power_cut(cut_at, kept)
        check_after(left, tmp_path, history)
        migrate(left, tmp_path, moments, history, seed + 1)
        assert [bytes(left.files[image(index)].content) for index in range(2)] == list(moments[-1])
        assert not [path for path in left.files if path.suffix == ".redo"]


@pytest.mark.parametrize("seed", range(45))
def test_kills_and_power_cuts_one_after_the_other_change_nothing_of_that(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    moments = sources(seed)
    total = steps_of(tmp_path, moments, seed)
    storage, history = SimulatedStorage(cut_at=chance.randint(1, total)), History()
    with pytest.raises(PowerCut):
        migrate(storage, tmp_path, moments, history, seed)
    for attempt in range(6):
        if chance.random() < 0.5:
            storage = storage.after_kill()
        else:
            storage = storage.after_power_cut(chance.randrange(1 << 30), chance.choice([0.0, 0.3, 0.7, 1.0]))
        check_after(storage.after_power_cut(attempt, chance.choice([0.0, 0.5, 1.0])), tmp_path, history)
        storage.cut_at = chance.randint(1, 12)
        try:
            migrate(storage, tmp_path, moments, history, seed + attempt)
        except PowerCut:
            continue
        break
    storage = storage.after_power_cut(1, 0.5)
    migrate(storage, tmp_path, moments, history, seed)
    assert [bytes(storage.files[image(index)].content) for index in range(2)] == list(moments[-1])


# Seed 680 lets the removal of an applied log fail, so that nothing but the proof is left to be done.
@pytest.mark.parametrize("seed", [*range(40), 680])
def test_a_medium_that_refuses_now_and_then_only_delays(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    moments = sources(seed)
    storage, history = SimulatedStorage(), History()
    refusals = chance.randint(1, 12)

    def refuse(_operation: str, _path: Path) -> int:
        nonlocal refusals
        if refusals and chance.random() < 0.15:
            refusals -= 1
            return chance.choice([5, 28])
        return 0

    storage.refuse = refuse
    for attempt in range(40):
        try:
            migrate(storage, tmp_path, moments, history, seed + attempt)
        except StorageFailed:
            # Even if the power went right now, what was confirmed would be there.
            check_after(storage.after_power_cut(seed, chance.choice([0.0, 0.5, 1.0])), tmp_path, history)
        else:
            break
    assert [storage.files[image(index)].durable for index in range(2)] == list(moments[-1])


def test_what_broke_off_is_recovered_for_the_proof(tmp_path: Path) -> None:
    moments, storage = sources(7), SimulatedStorage()
    migrate(storage, tmp_path, moments, History(), 7)
    # As if the removal of the last applied log had not become durable; and now the medium refuses it.
    log = tmp_path / "pass-00000002.redo"
    storage.create(log, 8)
    storage.refuse = lambda operation, _path: 5 if operation == "remove" else 0
    replica = open_replica(storage, tmp_path)
    try:
        with pytest.raises(StorageFailed):
            replica.half(2)
        storage.refuse = lambda _operation, _path: 0
        with replica._turn.taken(lambda: None), pytest.raises(CheckpointGone):
            replica.half(2)
        assert replica.half(2).checkpoint == 2
        assert log not in storage.files
    finally:
        replica.close()
    with pytest.raises(CheckpointGone):
        replica.half(2)
