"""Marks of epochs, and the memory that they live in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.disks.tracking import marks
from wherry.disks.tracking import memory as memory_module
from wherry.disks.tracking.memory import DiskMemory, Identity, Number
from wherry.disks.tracking.trust import Reason

COUNT = 3000
Run = tuple[int, int]
runs = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.integers(1, COUNT)).map(lambda run: (run[0], min(sum(run), COUNT))),
    max_size=12,
)


def mark(array: marks.Bytes, pieces: Sequence[Run], epoch: int) -> None:
    first = np.array([start for start, _ in pieces], dtype=np.int64)
    last = np.array([end - 1 for _, end in pieces], dtype=np.int64)
    marks.mark(array, first, last, epoch)


@given(st.lists(runs, min_size=1, max_size=6))
def test_what_was_written_after_the_floor_is_dirty(epochs: list[list[Run]]) -> None:
    array = np.zeros(COUNT, np.uint8)
    last_epoch = np.zeros(COUNT, np.int64)
    for epoch, pieces in enumerate(epochs, start=1):
        mark(array, pieces, epoch)
        for start, end in pieces:
            last_epoch[start:end] = epoch
    for floor in range(len(epochs) + 1):
        found = marks.dirty(array, floor, len(epochs))
        assert np.array_equal(found, last_epoch > floor)


def test_values_come_again_and_the_old_marks_are_taken_away_first() -> None:
    array = np.zeros(10, np.uint8)
    mark(array, [(3, 4)], 7)
    assert marks.value_of(7) == marks.value_of(7 + 255)
    assert {marks.value_of(epoch) for epoch in range(1000)} == set(range(1, 256))
    marks.make_room(array, 7 + 255)
    assert not array.any()


def test_more_epochs_than_values_are_all_dirty() -> None:
    assert marks.dirty_values(0, 255)[1:].all()
    assert marks.dirty_values(10, 1000)[1:].all()
    assert not marks.dirty_values(0, 255)[0]
    assert int(marks.dirty_values(300, 303).sum()) == 3
    assert not marks.dirty_values(5, 5).any()


@given(runs, st.integers(1, 70_000))
def test_extents_of_granules(pieces: list[Run], short: int) -> None:
    granules = marks.no_granules(COUNT)
    for start, end in pieces:
        granules[start:end] = True
    size = COUNT * 65536 - min(short, 65535)
    found = marks.granule_extents(granules, 65536, size)
    again = marks.no_granules(COUNT)
    for offset, length in found:
        assert offset % 65536 == 0
        assert offset + length <= size
        assert not again[max(0, offset // 65536 - 1)], "two runs touch"
        again[offset // 65536 : -(-(offset + length) // 65536)] = True
    assert np.array_equal(again, granules)


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def everywhere_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "is_memory", lambda _path: True)


def identity(**changes: object) -> Identity:
    fields: dict[str, object] = {
        "boot_id": "a boot",
        "device": (8, 0),
        "disk_sequence": 9,
        "size": 10 * 65536 - 5,
        "granule_size": 65536,
    }
    return Identity(**(fields | changes))  # type: ignore[arg-type]


def test_a_new_memory_knows_nothing(tmp_path: Path) -> None:
    memory = DiskMemory(tmp_path / "a.marks", identity())
    assert memory.obstacle is memory.suspicion is Reason.BEGINNING
    assert (len(memory.marks), memory.get(Number.EPOCH), memory.get(Number.FLOOR)) == (10, 1, 0)
    memory.close()


def test_a_memory_is_gone_on_with(tmp_path: Path) -> None:
    memory = DiskMemory(tmp_path / "a.marks", identity())
    memory.marks[9] = 77
    memory.put(Number.SEEN, 1 << 40)
    memory.put(Number.RING_BASELINE, -5)
    memory.commit(1)
    # Not closed: it was killed.
    again = DiskMemory(tmp_path / "a.marks", identity())
    assert again.obstacle is again.suspicion is Reason.NONE
    assert (again.marks[9], again.get(Number.SEEN), again.get(Number.RING_BASELINE)) == (77, 1 << 40, -5)
    memory.close()
    again.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boot_id": "another"}, Reason.REBOOTED),
        ({"disk_sequence": 10}, Reason.DISK_CHANGED),
        ({"device": (8, 16)}, Reason.DISK_CHANGED),
        ({"size": 20 * 65536}, Reason.DISK_CHANGED),
        ({"version": 1}, Reason.BEGINNING),
    ],
)
def test_a_memory_of_something_else_is_of_no_use(tmp_path: Path, changes: dict[str, object], reason: Reason) -> None:
    first = DiskMemory(tmp_path / "a.marks", identity())
    first.marks[:] = 1
    first.close()
    memory = DiskMemory(tmp_path / "a.marks", identity(**changes))
    assert memory.obstacle is memory.suspicion is reason
    assert not memory.marks.any()
    memory.remove()
    assert not (tmp_path / "a.marks").exists()


@settings(max_examples=30)
@given(content=st.binary(max_size=5000))
def test_rubbish_is_no_memory(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("memory") / "a.marks"
    path.write_bytes(content)
    memory = DiskMemory(path, identity())
    assert memory.obstacle is Reason.BEGINNING
    memory.remove()


def test_a_memory_that_was_cut_short_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "a.marks"
    DiskMemory(path, identity()).close()
    with path.open("r+b") as file:
        file.truncate(4100)
    memory = DiskMemory(path, identity())
    assert memory.obstacle is Reason.DISK_CHANGED
    memory.close()


def test_trust_comes_back_with_the_commit_of_the_epoch_in_which_it_was_lost(tmp_path: Path) -> None:
    memory = DiskMemory(tmp_path / "a.marks", identity())
    memory.commit(1)
    memory.suspect(Reason.DROPPED, 4)
    memory.suspect(Reason.MISSING, 6)
    assert memory.suspicion is Reason.DROPPED
    for epoch in (3, 4, 5):
        memory.commit(epoch)
        assert memory.suspicion is Reason.DROPPED
    memory.commit(6)
    assert memory.suspicion.name == "NONE"
    memory.commit(2)
    assert memory.get(Number.FLOOR) == 6
    memory.close()


def test_a_folder_on_a_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "is_memory", lambda _path: False)
    with pytest.raises(ValueError, match="lies on a disk"):
        DiskMemory(tmp_path / "a.marks", identity())
