"""Pass 0 in place: marks before data, digests after, and few syncs of the table."""

from pathlib import Path

import pytest

from tests.unit.replication_doubles import SimulatedStorage, data_frame, zero_frame
from wherry.replication.digests import FileTable
from wherry.replication.granules import DIGEST_SIZE, GRANULE_SIZE, UNKNOWN_DIGEST, ZERO_DIGEST, granule_digests
from wherry.replication.landing import Landing
from wherry.replication.medium import resolve_unknown

COUNT = 2500
TABLE, DISK = Path("/table"), Path("/disk")


class Bench:
    """A landing on a disk of 2,500 granules whose storage writes down what it's asked."""

    def __init__(self) -> None:
        self.storage = SimulatedStorage()
        self.asked: list[tuple[str, str]] = []
        self.storage.refuse = self._note
        self.table = FileTable(self.storage.create(TABLE, COUNT * DIGEST_SIZE), COUNT)
        self.storage.make_disk(DISK, 0)
        self.disk = self.storage.open(DISK)
        self.landing = Landing(self.disk, self.table)
        self.asked.clear()

    def _note(self, operation: str, path: Path) -> int:
        self.asked.append((operation, path.name))
        return 0

    def land(self, granule: int, data: bytes) -> None:
        self.landing.write(data_frame(0, 0, granule * GRANULE_SIZE, data))

    def seal(self) -> None:
        self.disk.sync()
        self.landing.seal()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def granule(mark: bytes) -> bytes:
    return mark * (GRANULE_SIZE // len(mark))


def test_the_mark_is_durable_before_the_data_are_written(bench: Bench) -> None:
    bench.land(3, granule(b"ab"))
    assert bench.asked == [("write", "table"), ("sync", "table"), ("write", "disk")]
    assert bench.table.get(3, 1) == UNKNOWN_DIGEST


def test_the_digest_comes_after_the_data_are_durable(bench: Bench) -> None:
    bench.land(3, granule(b"ab"))
    assert bench.table.get(3, 1) == UNKNOWN_DIGEST
    assert bench.landing.get(3, 1) == granule_digests(granule(b"ab"))
    bench.seal()
    assert bench.table.get(3, 1) == granule_digests(granule(b"ab"))


def test_one_sync_of_the_table_serves_a_window(bench: Bench) -> None:
    for number in range(1024):
        bench.land(number, granule(b"x"))
    assert bench.asked.count(("sync", "table")) == 1
    bench.land(1024, granule(b"x"))
    assert bench.asked.count(("sync", "table")) == 2


def test_what_was_marked_but_not_written_is_as_before_in_truth_and_after_settling(bench: Bench) -> None:
    bench.table.set(5, granule_digests(granule(b"old")[:GRANULE_SIZE]))
    before = bench.table.get(5, 1)
    bench.land(3, granule(b"ab"))
    assert bench.table.get(5, 1) == UNKNOWN_DIGEST
    assert bench.landing.get(4, 2) == ZERO_DIGEST + before
    bench.seal()
    bench.landing.settle()
    assert bench.table.get(4, 2) == ZERO_DIGEST + before
    assert list(bench.table.unknown_runs()) == []


def test_a_granule_written_again_is_marked_again(bench: Bench) -> None:
    bench.land(3, granule(b"ab"))
    bench.seal()
    bench.asked.clear()
    bench.land(3, granule(b"cd"))
    assert bench.asked == [("write", "table"), ("sync", "table"), ("write", "disk")]
    assert bench.table.get(3, 1) == UNKNOWN_DIGEST
    bench.seal()
    assert bench.table.get(3, 1) == granule_digests(granule(b"cd"))


def test_a_frame_over_two_windows_marks_both(bench: Bench) -> None:
    bench.land(1022, granule(b"ab") * 4)
    assert list(bench.table.unknown_runs()) == [(0, 2048)]
    bench.seal()
    bench.landing.settle()
    assert bench.table.get(1022, 4) == granule_digests(granule(b"ab") * 4)


def test_zero_runs_are_digests_of_zero(bench: Bench) -> None:
    bench.land(10, granule(b"ab") * 3)
    bench.seal()
    bench.landing.write(zero_frame(0, 0, 11 * GRANULE_SIZE, GRANULE_SIZE))
    bench.seal()
    bench.landing.settle()
    assert bench.table.get(11, 1) == ZERO_DIGEST
    assert bytes(bench.storage.files[DISK].content[11 * GRANULE_SIZE : 12 * GRANULE_SIZE]) == bytes(GRANULE_SIZE)
    assert any(bench.storage.files[DISK].content[12 * GRANULE_SIZE : 13 * GRANULE_SIZE])


def test_marks_that_a_crash_left_are_resolved_from_the_medium(bench: Bench) -> None:
    bench.land(3, granule(b"ab") * 2)
    size = COUNT * GRANULE_SIZE
    assert resolve_unknown(bench.disk, bench.table, size) == 1024
    assert bench.table.get(3, 2) == granule_digests(granule(b"ab") * 2)
    assert resolve_unknown(bench.disk, bench.table, size) == 0
