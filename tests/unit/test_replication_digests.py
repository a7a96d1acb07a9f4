"""Digest tables, in memory, in a file, and one over the other."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.replication.digests import FileTable, MemoryTable, Overlay, pick, put, runs_of, same_granules
from wherry.replication.granules import UNKNOWN_DIGEST, ZERO_DIGEST, as_digests
from wherry.replication.storage import FileStorage


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture
def table(tmp_path: Path) -> FileTable:
    return FileTable(FileStorage().create(tmp_path / "table", 3000 * 16), 3000)


def test_a_new_table_in_a_file_says_zero_everywhere(table: FileTable) -> None:
    assert table.get(0, 3000) == ZERO_DIGEST * 3000
    assert list(table.unknown_runs()) == []


def test_a_new_table_in_memory_says_unknown_everywhere() -> None:
    table = MemoryTable(10)
    assert table.get(3, 2) == UNKNOWN_DIGEST * 2
    assert table.differing(0, ZERO_DIGEST * 10).all()


def test_marks_are_found_as_runs(table: FileTable) -> None:
    table.mark_unknown(0, 2)
    table.mark_unknown(1000, 1500)
    table.mark_unknown(2999, 1)
    table.set(1500, digest(7))
    assert list(table.unknown_runs()) == [(0, 2), (1000, 500), (1501, 999), (2999, 1)]


def test_a_table_in_a_file_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "table"
    table = FileTable(FileStorage().create(path, 16 * 5), 5)
    table.set(1, digest(1) + digest(2))
    table.flush()
    table.close()
    again = FileTable(FileStorage().open(path), 5)
    assert again.get(0, 5) == ZERO_DIGEST + digest(1) + digest(2) + ZERO_DIGEST * 2


def test_a_half_of_a_digest_that_differs_is_a_difference() -> None:
    table = MemoryTable(3)
    table.set(0, digest(1) + digest(1 << 64) + digest(5))
    assert table.differing(0, digest(2) + digest(2 << 64) + digest(5)).tolist() == [True, True, False]
    assert same_granules(digest(1) + digest(2), digest(1) + digest(3)).tolist() == [True, False]


@given(st.lists(st.tuples(st.integers(0, 2990), st.integers(1, 40)), max_size=12))
def test_an_overlay_shows_its_own_writes_over_what_lies_below(writes: list[tuple[int, int]]) -> None:
    below = MemoryTable(3000)
    overlay = Overlay(below)
    expected = [UNKNOWN_DIGEST] * 3000
    for number, (first, wanted) in enumerate(writes):
        count = min(wanted, 3000 - first)
        overlay.set(first, b"".join(digest(number + 1) for _ in range(count)))
        expected[first : first + count] = [digest(number + 1)] * count
    assert overlay.get(0, 3000) == b"".join(expected)
    assert below.get(0, 3000) == UNKNOWN_DIGEST * 3000
    for first, digests in overlay.changes():
        below.set(first, digests)
    assert below.get(0, 3000) == b"".join(expected)


@given(st.lists(st.booleans()))
def test_runs_are_the_true_values(values: list[bool]) -> None:
    rebuilt = [False] * len(values)
    for first, count in runs_of(np.array(values, dtype=np.bool_)):
        rebuilt[first : first + count] = [True] * count
        assert first == 0 or not values[first - 1]
    assert rebuilt == values


@given(numbers=st.sets(st.integers(0, 2999), min_size=1, max_size=40))
def test_scattered_digests_are_put_and_picked(numbers: set[int]) -> None:
    below = MemoryTable(3000)
    for each in range(3000):
        below.set(each, digest(each))
    table = Overlay(below)
    some = np.array(sorted(numbers), dtype=np.int64)
    before = b"".join(map(digest, some.tolist()))
    assert pick(table, some).tobytes() == before
    after = b"".join(digest(10_000 + number) for number in some.tolist())
    put(table, some, as_digests(after))
    assert pick(table, some).tobytes() == after
    assert below.get(0, 3000) == b"".join(map(digest, range(3000)))
    rest = [number for number in range(3000) if number not in numbers]
    assert all(table.get(number, 1) == digest(number) for number in rest)
    assert {page // 1024 for page, _ in table.changes()} == {number // 1024 for number in numbers}
