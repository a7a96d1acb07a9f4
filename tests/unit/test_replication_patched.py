"""Passes in which only blocks of granules are sent: what they carry, and what becomes of patches that don't fit."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.unit.replication_doubles import note_frames
from tests.unit.replication_pair import MIB, Place, Served, noise, reads, source
from wherry.disks.extents import Extent
from wherry.replication.frames import FrameType
from wherry.replication.granules import GRANULE_SIZE, granule_count
from wherry.replication.granuleset import GranuleSet, Numbers
from wherry.replication.patches import BLOCK_SIZE, Masks
from wherry.replication.sending import PassFigures, PassMemory, PassReport, SourceTables

SIZE = 6 * MIB + 1536
COUNT = granule_count(SIZE)
WHOLE = {0: [Extent(0, SIZE)]}


@dataclass
class Marks:
    """What a tracker says: the blocks of each granule."""

    masks: Masks

    def of(self, granules: Numbers) -> Masks:
        return self.masks[granules]


class Source:
    """A disk that is written block by block, the tracker that saw it, and sessions for it."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place = place
        self.content = noise(SIZE, seed)
        self.chance = random.Random(seed)
        self.disks = [source(self.content)]
        self.memory = PassMemory()
        self.masks = np.zeros(COUNT, dtype=np.uint16)
        self.known: dict[int, int] = {}
        served = self.place.connect(self.disks, tables := self.tables())
        served.session.commit(False, 1, served.session.run_pass(0, self.disks, WHOLE, self.memory).covered)
        served.close()
        tables.close()
        reads(self.disks[0])

    def tables(self) -> SourceTables:
        return self.place.tables(self.disks)

    def write(self, granule: int, *blocks: int, seen: bool = True) -> None:
        """Write blocks of a granule; *seen*: by the tracker."""
        for block in blocks:
            start = granule * GRANULE_SIZE + block * BLOCK_SIZE
            end = max(start, min(start + BLOCK_SIZE, SIZE))
            self.content[start:end] = self.chance.randbytes(end - start)
            self.masks[granule] |= 1 << block if seen else 0

    @property
    def dirty(self) -> GranuleSet:
        return GranuleSet.of_mask(self.masks > 0)

    def run(self, served: Served, *, used: Mapping[int, list[Extent]] = WHOLE) -> PassReport:
        session = served.session
        blocks = {0: Marks(self.masks)}
        return session.run_pass(session.next_pass, self.disks, used, self.memory, dirty={0: self.dirty}, blocks=blocks)

    def finish(self, served: Served) -> PassFigures:
        """Run and commit the pass; both sides must be equal, and proven."""
        report = self.run(served)
        session = served.session
        session.commit(True, 9, report.covered)
        half = session.half(9, report.covered)
        self.masks[:] = 0
        served.close()
        assert self.place.image() == self.content
        assert session.checkpoint is not None
        assert self.place.replica.half(session.checkpoint) == half
        return report.figures


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def origin(place: Place) -> Source:
    return Source(place, 1)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[FrameType, int]]:
    return note_frames(monkeypatch)


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("compress", [True, False])
def test_of_granules_in_which_little_was_written_only_that_is_sent(
    place: Place, origin: Source, connections: int, compress: bool
) -> None:
    for granule in range(0, COUNT - 1, 3):
        origin.write(granule, granule % 16, (granule * 5) % 16)
    written = int(np.bitwise_count(origin.masks).sum()) * BLOCK_SIZE
    served = place.connect(origin.disks, origin.tables(), connections=connections, compress=compress)
    figures = origin.finish(served)
    assert figures.patched_bytes == figures.changed_bytes == written
    assert (figures.unfit_bytes, figures.resent_bytes) == (0, 0)
    assert figures.read_bytes == 32 * GRANULE_SIZE


def test_much_goes_as_whole_granules_and_so_does_the_short_one_at_the_end(
    place: Place, origin: Source, sent: list[tuple[FrameType, int]]
) -> None:
    origin.write(3, *range(8))
    origin.write(9, *range(9))
    origin.write(COUNT - 1, 0)
    origin.write(20, 1)
    origin.content[40 * GRANULE_SIZE : 41 * GRANULE_SIZE] = bytes(GRANULE_SIZE)
    origin.masks[40] = 1
    figures = origin.finish(place.connect(origin.disks, origin.tables()))
    zeros = [frame for frame in sent if frame[0] is FrameType.ZERO]
    assert (FrameType.PATCH, 9 * BLOCK_SIZE) in sent
    assert (FrameType.GATHER, GRANULE_SIZE + 1536) in sent
    assert figures.patched_bytes == 9 * BLOCK_SIZE
    assert len(sent) == 2 + len(zeros)


def test_a_second_session_without_tables_of_its_own_patches_what_it_reads_itself_only(
    place: Place, origin: Source
) -> None:
    origin.write(3, 1)
    served = place.connect(origin.disks)
    assert origin.finish(served).patched_bytes == 0
    origin.write(3, 2)
    assert origin.finish(place.connect(origin.disks, origin.tables())).patched_bytes == 0, "never read by these tables"


def test_a_missing_mark_is_caught_by_the_receiver_and_the_granule_sent_as_a_whole(
    place: Place, origin: Source, sent: list[tuple[FrameType, int]]
) -> None:
    for granule in (2, 30, 31, 60):
        origin.write(granule, 4)
    origin.write(30, 9, seen=False)
    figures = origin.finish(place.connect(origin.disks, origin.tables()))
    assert sent == [(FrameType.PATCH, 4 * BLOCK_SIZE), (FrameType.DATA, GRANULE_SIZE)]
    assert figures.unfit_bytes == GRANULE_SIZE
    assert figures.changed_bytes == 4 * BLOCK_SIZE + GRANULE_SIZE
    # What follows isn't affected.
    origin.write(30, 5)
    assert origin.finish(place.connect(origin.disks, origin.tables())).unfit_bytes == 0


def test_a_medium_that_does_not_hold_what_was_written_to_it_is_healed(place: Place, origin: Source) -> None:
    origin.write(7, 2)
    place.replica.close()
    with (place.directory / "disk0.img").open("r+b") as image:
        image.seek(7 * GRANULE_SIZE + 9 * BLOCK_SIZE)
        image.write(b"rot")
    place.reopen()
    assert origin.finish(place.connect(origin.disks, origin.tables())).unfit_bytes == GRANULE_SIZE


def test_what_is_written_while_it_is_read_costs_its_granule(place: Place, origin: Source) -> None:
    origin.write(7, 2)
    reader = origin.disks[0].reader
    read = reader.read_into

    def late(buffer: memoryview, offset: int) -> int:
        if offset == 7 * GRANULE_SIZE and not origin.masks[0]:
            origin.write(7, 11, seen=False)
            origin.masks[0] = 1
        return read(buffer, offset)

    reader.read_into = late  # type: ignore[method-assign, assignment]
    assert origin.finish(place.connect(origin.disks, origin.tables())).unfit_bytes == GRANULE_SIZE


@pytest.mark.parametrize("restarted", ["nobody", "agent", "receiver"])
@pytest.mark.parametrize("lies", [False, True])
def test_a_broken_pass_goes_on_and_patches_nothing_twice(
    place: Place, origin: Source, restarted: str, lies: bool, sent: list[tuple[FrameType, int]]
) -> None:
    for granule in range(10, 40):
        origin.write(granule, granule % 16)
    if lies:
        origin.write(12, 0, seen=False)
    tables = origin.tables()
    served = place.connect(origin.disks, tables)
    if lies:
        # The connection is lost before the receiver is asked.
        served.session._mend = lambda *arguments: (True, arguments[-1])  # type: ignore[method-assign]
    assert origin.run(served).figures.patched_bytes == 30 * BLOCK_SIZE
    served.lose()
    if restarted == "agent":
        tables.close()
        tables = origin.tables()
    elif restarted == "receiver":
        place.reopen()
    sent.clear()
    origin.write(11, 1)
    origin.write(39, 1)
    origin.write(50, 1)
    served = place.connect(origin.disks, tables)
    assert served.session.open_pass == 1
    origin.finish(served)
    assert [length for kind, length in sent if kind is FrameType.PATCH] == [BLOCK_SIZE]
    assert sum(length for kind, length in sent if kind is not FrameType.PATCH) == (2 + lies) * GRANULE_SIZE
    tables.close()


def test_what_was_patched_in_vain_is_sent_even_if_nobody_uses_it_any_more(place: Place, origin: Source) -> None:
    origin.write(12, 3)
    origin.write(12, 5, seen=False)
    tables = origin.tables()
    served = place.connect(origin.disks, tables)
    served.session._mend = lambda *arguments: (True, arguments[-1])  # type: ignore[method-assign]
    origin.run(served)
    served.lose()
    served = place.connect(origin.disks, tables)
    report = origin.run(served, used={0: [Extent(0, 5 * GRANULE_SIZE)]})
    served.session.commit(True, 9, report.covered)
    served.close()
    start = 12 * GRANULE_SIZE
    assert place.image()[start : start + GRANULE_SIZE] == origin.content[start : start + GRANULE_SIZE]
    tables.close()


def test_a_commit_over_patches_that_do_not_fit_is_refused_and_the_next_session_heals(
    place: Place, origin: Source
) -> None:
    origin.write(12, 3)
    origin.write(12, 5, seen=False)
    tables = origin.tables()
    served = place.connect(origin.disks, tables)
    served.session._mend = lambda *arguments: (True, arguments[-1])  # type: ignore[method-assign]
    report = origin.run(served)
    with pytest.raises(Exception, match="1 granules that were patched") as caught:
        served.session.commit(True, 9, report.covered)
    assert caught.value.code == "WHERRY.2028"  # type: ignore[attr-defined]
    served.session.close()
    assert place.replica.checkpoint is not None
    assert place.replica.checkpoint.number == 0
    origin.finish(place.connect(origin.disks, tables))
    tables.close()


def test_a_frozen_pass_and_what_comes_in_late_to_it(place: Place, origin: Source) -> None:
    tables = origin.tables()
    served = place.connect(origin.disks, tables)
    origin.write(5, 1)
    served.session.hold()
    assert origin.run(served, used={}).figures.patched_bytes == BLOCK_SIZE
    origin.write(5, 2)
    origin.write(6, 2)
    report = origin.run(served, used={})
    assert report.figures.patched_bytes == BLOCK_SIZE, "the one that's under way goes as a whole"
    assert report.figures.changed_bytes == BLOCK_SIZE + GRANULE_SIZE
    served.session.commit(True, 5, report.covered)
    served.session.settle()
    half = served.session.half(5, report.covered)
    served.close()
    assert place.image() == origin.content
    assert place.replica.half(1) == half
    tables.close()


@pytest.mark.parametrize("seed", range(8))
def test_passes_cuts_and_lies_in_any_order_end_equal(tmp_path: Path, seed: int) -> None:
    place = Place(tmp_path)
    origin = Source(place, seed)
    chance = random.Random(f"order {seed}")
    tables = origin.tables()
    patched = 0
    try:
        for _ in range(8):
            for _ in range(chance.randrange(40)):
                origin.write(chance.randrange(COUNT), chance.randrange(16), seen=True)
            for granule in np.flatnonzero(origin.masks).tolist():
                if chance.random() < 0.05:
                    origin.write(granule, chance.randrange(16), seen=False)
            served = place.connect(origin.disks, tables, connections=chance.choice([1, 2]))
            if chance.random() < 0.4:
                origin.run(served)
                served.lose()
                if chance.random() < 0.5:
                    place.reopen()
                continue
            patched += origin.finish(served).patched_bytes
        origin.finish(place.connect(origin.disks, tables))
        assert patched
    finally:
        tables.close()
        place.close()
