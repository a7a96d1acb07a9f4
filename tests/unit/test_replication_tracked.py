"""Passes over what a tracker saw written: what they read, what stays known, and after which breaks."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.unit.replication_doubles import note_frames
from tests.unit.replication_pair import MIB, Place, noise, reads, source
from wherry.disks.extents import Extent
from wherry.replication.errors import ConnectionLost, NeverRead, SourceStateFailed
from wherry.replication.frames import FrameType
from wherry.replication.granules import GRANULE_SIZE, granule_count
from wherry.replication.granuleset import GranuleSet
from wherry.replication.messages import Digests
from wherry.replication.sending import Dirty, PassMemory, SourceDisk, SourceTables
from wherry.replication.stream import FrameStream

SIZE = 6 * MIB + 1536
COUNT = granule_count(SIZE)
WHOLE = {0: [Extent(0, SIZE)]}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many digests the receiver told, one number a message."""
    counts: list[int] = []
    send = FrameStream.send_message

    def counting(self: FrameStream, message: object) -> None:
        if isinstance(message, Digests):
            counts.append(len(message.digests) // 16)
        send(self, message)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameStream, "send_message", counting)
    return counts


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[FrameType, int]]:
    return note_frames(monkeypatch)


def written(*granules: int) -> GranuleSet:
    return GranuleSet.of_runs([(granule, 1) for granule in granules], COUNT)


def write(disk: bytearray, granule: int, seed: int = 0) -> None:
    start = granule * GRANULE_SIZE
    size = min(GRANULE_SIZE, len(disk) - start)
    disk[start : start + size] = random.Random(f"{granule} {seed}").randbytes(size)


@pytest.mark.parametrize("form", ["set", "mask", "extents"])
def test_only_what_was_written_is_read(place: Place, form: str) -> None:
    disk = noise(SIZE, 1)
    disks = [source(disk)]
    served = place.connect(disks)
    session, memory = served.session, PassMemory()
    session.commit(False, 1, session.run_pass(0, disks, WHOLE, memory).covered)
    assert reads(disks[0]) == set(range(COUNT))
    for granule in (3, 4, COUNT - 1):
        write(disk, granule)
    mask = np.zeros(COUNT, dtype=np.bool_)
    mask[[3, 4, 50, COUNT - 1]] = True
    extents = [Extent(3 * GRANULE_SIZE + 7, GRANULE_SIZE), Extent(50 * GRANULE_SIZE, 1), Extent(SIZE - 1, 1)]
    forms: dict[str, Dirty] = {"set": GranuleSet.of_mask(mask), "mask": mask, "extents": extents}
    report = session.run_pass(1, disks, WHOLE, memory, dirty={0: forms[form]})
    assert reads(disks[0]) == {3, 4, 50, COUNT - 1}
    assert report.figures.used_bytes == report.figures.read_bytes == 3 * GRANULE_SIZE + 1536
    assert report.figures.changed_bytes == 2 * GRANULE_SIZE + 1536
    assert report.covered == {0: [(0, COUNT)]}, "the checkpoint vouches for all, what wasn't read included"
    session.commit(True, 2, report.covered)
    half = session.half(2, report.covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(1) == half


def test_scattered_changes_travel_together_and_what_is_equal_stays(
    place: Place, sent: list[tuple[FrameType, int]]
) -> None:
    disk = noise(SIZE, 3)
    disks = [source(disk)]
    served = place.connect(disks)
    session, memory = served.session, PassMemory()
    session.commit(False, 1, session.run_pass(0, disks, WHOLE, memory).covered)
    sent.clear()
    changed = (2, 3, 9, 30, 31, 70, COUNT - 1)
    for granule in changed:
        write(disk, granule)
    disk[50 * GRANULE_SIZE : 51 * GRANULE_SIZE] = bytes(GRANULE_SIZE)
    report = session.run_pass(1, disks, WHOLE, memory, dirty={0: written(*changed, 8, 40, 50)})
    length = 6 * GRANULE_SIZE + 1536
    assert sorted(sent) == [(FrameType.ZERO, GRANULE_SIZE), (FrameType.GATHER, length)]
    assert report.figures.changed_bytes == length + GRANULE_SIZE
    sent.clear()
    again = session.run_pass(1, disks, WHOLE, memory)
    assert sent == []
    assert again.figures.read_bytes == SIZE
    commit = session.commit(True, 2, report.covered)
    assert (commit.received_bytes, commit.repeated_bytes) == (length, 0)
    half = session.half(2, report.covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(1) == half


def test_what_is_used_now_and_was_never_read_is_read(place: Place) -> None:
    disk = noise(SIZE, 2)
    disks = [source(disk)]
    served = place.connect(disks)
    session, memory = served.session, PassMemory()
    some = {0: [Extent(0, 10 * GRANULE_SIZE)]}
    more = {0: [Extent(0, 10 * GRANULE_SIZE), Extent(40 * GRANULE_SIZE, 5)]}
    session.commit(False, 1, session.run_pass(0, disks, some, memory).covered)
    reads(disks[0])
    # 30 is written and free: it isn't read. 5 is written, then free, and used again later without being written.
    report = session.run_pass(1, disks, more, memory, dirty={0: written(2, 30)})
    assert reads(disks[0]) == {2, 40}
    assert report.covered == {0: [(0, 10), (40, 1)]}
    session.commit(False, 1, report.covered)
    less = {0: [Extent(0, 5 * GRANULE_SIZE)]}
    write(disk, 5)
    report = session.run_pass(2, disks, less, memory, dirty={0: written(5)})
    assert reads(disks[0]) == set()
    session.commit(False, 1, report.covered)
    report = session.run_pass(3, disks, some, memory, dirty={0: written()})
    assert reads(disks[0]) == {5}
    session.commit(True, 1, report.covered)
    half = session.half(1, report.covered)
    served.close()
    assert place.replica.half(3) == half
    assert place.image()[: 10 * GRANULE_SIZE] == disk[: 10 * GRANULE_SIZE]


def test_a_frozen_pass_takes_the_map_of_the_pass_before_and_all_that_was_written(place: Place) -> None:
    disk = noise(SIZE, 3)
    disks = [source(disk)]
    served = place.connect(disks)
    session, memory = served.session, PassMemory()
    some = {0: [Extent(0, 10 * GRANULE_SIZE)]}
    session.commit(False, 1, session.run_pass(0, disks, some, memory).covered)
    reads(disks[0])
    for granule in (2, 60):
        write(disk, granule)
    session.hold()
    report = session.run_pass(1, disks, {}, memory, dirty={0: written(2, 60)})
    session.commit(True, 5, report.covered, timeout_s=5)
    session.settle()
    assert reads(disks[0]) == {2, 60}
    assert report.covered == {0: [(0, 10), (60, 1)]}
    half = session.half(5, report.covered)
    served.close()
    assert place.replica.half(1) == half
    assert place.image()[60 * GRANULE_SIZE : 61 * GRANULE_SIZE] == disk[60 * GRANULE_SIZE : 61 * GRANULE_SIZE]


def test_a_disk_that_is_not_trusted_is_read_as_a_whole_beside_one_that_is(place: Place) -> None:
    contents = [noise(SIZE, 4), noise(SIZE, 5)]
    disks = [source(content, index) for index, content in enumerate(contents)]
    used = {0: [Extent(0, SIZE)], 1: [Extent(0, SIZE)]}
    served = place.connect(disks)
    session, memory = served.session, PassMemory()
    session.commit(False, 1, session.run_pass(0, disks, used, memory).covered)
    for each in disks:
        reads(each)
    write(contents[1], 17)
    report = session.run_pass(1, disks, used, memory, dirty={0: written()})
    assert reads(disks[0]) == set()
    assert reads(disks[1]) == set(range(COUNT))
    session.commit(True, 1, report.covered)
    half = session.half(1, report.covered)
    served.close()
    assert [place.image(index) for index in (0, 1)] == contents
    assert place.replica.half(1) == half


def test_what_was_not_read_cannot_be_vouched_for(place: Place) -> None:
    disks = [source(noise(SIZE, 6))]
    served = place.connect(disks)
    session = served.session
    report = session.run_pass(0, disks, {0: [Extent(0, GRANULE_SIZE)]}, PassMemory())
    session.commit(True, 1, report.covered)
    with pytest.raises(NeverRead, match="2 granules"):
        session.half(1, {0: [(0, 3)]})
    served.close()


def begun(place: Place, disk: bytearray) -> tuple[list[SourceDisk], PassMemory]:
    """Commit pass 0 with tables that are kept."""
    disks = [source(disk)]
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    memory = PassMemory()
    served.session.commit(False, 1, served.session.run_pass(0, disks, WHOLE, memory).covered)
    served.close()
    tables.close()
    reads(disks[0])
    return disks, memory


def finish(place: Place, disks: list[SourceDisk], disk: bytearray, tables: SourceTables, dirty: GranuleSet) -> set[int]:
    """Run and commit the next pass in a new session; return what was read. Both sides must be equal, and proven."""
    served = place.connect(disks, tables)
    session = served.session
    number = session.next_pass
    report = session.run_pass(number, disks, WHOLE, PassMemory(), dirty={0: dirty})
    session.commit(True, 9, report.covered)
    half = session.half(9, report.covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(number) == half
    return reads(disks[0])


def test_the_next_agent_goes_on_without_any_table_from_the_receiver(place: Place, told: list[int]) -> None:
    disk = noise(SIZE, 7)
    disks, _memory = begun(place, disk)
    assert sum(told) == COUNT
    told.clear()
    write(disk, 33)
    tables = place.tables(disks)
    assert finish(place, disks, disk, tables, written(33)) == {33}
    assert not told
    tables.close()


@pytest.mark.parametrize("restarted", ["nobody", "agent", "receiver"])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_broken_pass_goes_on_with_what_arrived(
    place: Place, told: list[int], restarted: str, connections: int
) -> None:
    disk = noise(SIZE, 8)
    disks, memory = begun(place, disk)
    told.clear()
    dirty = written(*range(10, 60))
    for granule in range(10, 60):
        write(disk, granule)
    tables = place.tables(disks)
    served = place.connect(disks, tables, connections=connections, compress=False)
    report = served.session.run_pass(1, disks, {0: [Extent(0, 30 * GRANULE_SIZE)]}, memory, dirty={0: dirty})
    assert report.figures.changed_bytes == 20 * GRANULE_SIZE
    served.lose()
    assert not told, "the tables agreed with the checkpoint"
    if restarted == "agent":
        tables.close()
        tables = place.tables(disks)
    elif restarted == "receiver":
        place.reopen()
    reads(disks[0])
    served = place.connect(disks, tables)
    assert served.session.open_pass == 1
    assert told == [COUNT], "only the page of the redo log's granules"
    report = served.session.run_pass(1, disks, WHOLE, memory, dirty={0: dirty})
    assert report.figures.changed_bytes == 30 * GRANULE_SIZE, "what arrived isn't sent again"
    assert memory.resent_bytes == 0
    served.session.commit(True, 1, report.covered)
    half = served.session.half(1, report.covered)
    served.close()
    assert place.image() == disk
    assert place.replica.half(1) == half
    tables.close()


def test_what_was_sent_and_did_not_arrive_is_sent_again(place: Place) -> None:
    """The receiver loses what it hadn't made durable: the source must not believe its own marks."""
    disk = noise(SIZE, 9)
    disks, memory = begun(place, disk)
    before = place.directory / "before"
    place.replica.close()
    (place.directory / "state").rename(before)
    (place.directory / "state").mkdir()
    for path in before.iterdir():
        (place.directory / "state" / path.name).write_bytes(path.read_bytes())
    place.reopen()
    for granule in (20, 21):
        write(disk, granule)
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    served.session.run_pass(1, disks, WHOLE, memory, dirty={0: written(20, 21)})
    served.lose()
    place.replica.close()
    for path in (place.directory / "state").iterdir():
        path.unlink()
    (place.directory / "state").rmdir()
    before.rename(place.directory / "state")
    place.reopen()
    # The tracker's marks of the pass are still there; even without them the granules would be read again.
    assert finish(place, disks, disk, tables, written()) == {20, 21}
    tables.close()


@pytest.mark.parametrize("killed", ["before the commit is noted", "while held"])
def test_a_commit_that_the_agent_did_not_live_to_note(
    place: Place, told: list[int], killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = noise(SIZE, 10)
    disks, memory = begun(place, disk)
    told.clear()
    for granule in (20, 21):
        write(disk, granule)
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    if killed == "while held":
        served.session.hold()
    report = served.session.run_pass(
        1, disks, {} if killed == "while held" else WHOLE, memory, dirty={0: written(20, 21)}
    )
    monkeypatch.setattr(SourceTables, "committed", lambda *_: None)
    served.session.commit(True, 1, report.covered)
    monkeypatch.undo()
    served.close()
    tables.close()  # without settling, as a kill would
    again = place.tables(disks)
    write(disk, 5)
    reads(disks[0])
    read = finish(place, disks, disk, again, written(5))
    assert again.bases
    if killed == "while held":
        # Nothing was noted of the pass, so nothing is believed, and everything is read again.
        assert read == set(range(COUNT))
    else:
        assert read == {5}
    again.close()


@pytest.mark.parametrize("what", ["boot", "disks", "task", "no boot id", "garbage"])
def test_what_an_earlier_life_left_counts_for_nothing(place: Place, told: list[int], what: str) -> None:
    disk = noise(SIZE, 11)
    disks, _memory = begun(place, disk)
    told.clear()
    boot = {"boot": "another", "no boot id": ""}.get(what, "boot")
    if what == "garbage":
        (place.directory / "tables" / "standing").write_bytes(b"\xff" * 512)
    if what in {"disks", "task"}:
        task = "other" if what == "task" else "task"
        lines = [*(source(disk, index) for index in range(2 if what == "disks" else 1))]
        from tests.unit.replication_pair import lines as as_lines  # noqa: PLC0415

        tables = SourceTables.open(place.directory / "tables", task, as_lines(lines), boot)
        assert tables.bases == ()
        assert not tables[0].read
        tables.close()
        return
    tables = place.tables(disks, boot)
    assert tables.bases == ()
    assert finish(place, disks, disk, tables, written()) == set(range(COUNT))
    assert sum(told) == COUNT
    tables.close()


def test_another_replica_of_the_same_task_is_noticed(place: Place, told: list[int], tmp_path: Path) -> None:
    disk = noise(SIZE, 12)
    disks, memory = begun(place, disk)
    other = Place(tmp_path / "other")
    try:
        (tmp_path / "other").mkdir(exist_ok=True)
        served = other.connect(disks)
        served.session.commit(False, 1, served.session.run_pass(0, disks, {0: []}, memory).covered)
        served.close()
        told.clear()
        tables = place.tables(disks)
        assert finish(other, disks, disk, tables, written()) != set()
        assert sum(told) == COUNT
        tables.close()
    finally:
        other.close()


def test_nothing_is_written_to_the_state_folder_while_it_is_held(place: Place) -> None:
    disk = noise(SIZE, 13)
    disks, memory = begun(place, disk)
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    files = sorted((place.directory / "tables").iterdir())
    served.session.hold()
    before = [path.read_bytes() for path in files]
    write(disk, 20)
    report = served.session.run_pass(1, disks, {}, memory, dirty={0: written(20)})
    served.session.commit(True, 1, report.covered)
    assert [path.read_bytes() for path in files] == before
    served.session.settle()
    assert [path.read_bytes() for path in files] != before
    served.close()
    tables.close()
    again = place.tables(disks)
    assert again.bases == (1,)
    assert again[0].read == GranuleSet.full(COUNT)
    again.close()


def test_a_state_folder_that_refuses_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    disks = [source(bytearray(SIZE))]
    from tests.unit.replication_pair import lines as as_lines  # noqa: PLC0415

    with pytest.raises(SourceStateFailed) as caught:
        SourceTables.open(tmp_path / "file", "task", as_lines(disks))
    assert "--state" in caught.value.fix


def test_a_scan_that_was_broken_off_is_known_to_be_incomplete(place: Place) -> None:
    disk = noise(SIZE, 14)
    disks, memory = begun(place, disk)
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    reader = disks[0].reader
    reader.fail_at = 4 * MIB  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="vd0"):
        served.session.run_pass(1, disks, WHOLE, memory)
    reader.fail_at = None  # type: ignore[attr-defined]
    done = reads(disks[0])
    served.close()
    missing = set(range(COUNT)) - {
        granule for first, count in tables[0].read.runs() for granule in range(first, first + count)
    }
    assert missing
    assert 64 in missing
    assert finish(place, disks, disk, tables, written()) == missing
    assert done | missing == set(range(COUNT))
    tables.close()


def test_a_session_that_is_lost_in_the_frozen_pass_leaves_tables_that_are_true(place: Place) -> None:
    disk = noise(SIZE, 15)
    disks, memory = begun(place, disk)
    tables = place.tables(disks)
    served = place.connect(disks, tables)
    served.session.hold()
    write(disk, 20)
    report = served.session.run_pass(1, disks, {}, memory, dirty={0: written(20)})
    served.lose()
    with pytest.raises(ConnectionLost):
        served.session.commit(True, 1, report.covered)
    served.session.settle()
    reads(disks[0])
    assert finish(place, disks, disk, tables, written(20)) == {20}
    tables.close()
