"""The redo log: torn at every byte, with every kind of tail, and what a scan makes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.replication_doubles import SimulatedStorage, control_frame, data_frame, pack_runs, zero_frame
from wherry.replication.errors import StorageFailed, StorageFull
from wherry.replication.frames import Opened
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import BeginPass, CommitPass, Covered
from wherry.replication.redo import RedoLog
from wherry.replication.storage import FileStorage

PATH = Path("/state/pass-00000004.redo")
NUMBER = 4


def frames() -> list[Opened]:
    contents = [b"abcd" * (GRANULE_SIZE // 4), bytes(range(256)) * 512, b"x" * 700]
    return [
        data_frame(0, NUMBER, 0, contents[0]),
        zero_frame(0, NUMBER, 3 * GRANULE_SIZE, 2 * GRANULE_SIZE),
        data_frame(1, NUMBER, GRANULE_SIZE, contents[1]),
        data_frame(0, NUMBER, 9 * GRANULE_SIZE, contents[2], pack=False),
    ]


def written(storage: SimulatedStorage, *, commit: bool) -> list[int]:
    """Write a log; return where its records end."""
    log = RedoLog.create(storage, PATH, NUMBER)
    ends = [log.size]
    for opened in frames():
        log.append(opened.head, opened.stored)
        ends.append(log.size)
    if commit:
        for message in (
            Covered(disk=0, runs=pack_runs([(0, 10)])),
            CommitPass(number=NUMBER, consistent=True, taken_at=5),
        ):
            log.append(*control_frame(message))
            ends.append(log.size)
    log.sync()
    return ends


def read(log: RedoLog | None) -> list[Opened]:
    assert log is not None
    # A payload is valid until the next one is asked for.
    return [replace(record.opened, raw=bytes(record.opened.raw)) for record in log.records() if record.message is None]


def contents(opened: list[Opened]) -> list[tuple[int, int, bytes]]:
    return [(each.header.disk, each.header.offset, bytes(each.raw)) for each in opened]


def test_a_log_gives_back_its_frames() -> None:
    storage = SimulatedStorage()
    written(storage, commit=False)
    log = RedoLog.open(storage, PATH, NUMBER)
    assert contents(read(log)) == contents(frames())
    assert log is not None
    assert not log.committed


@pytest.mark.parametrize("commit", [False, True])
def test_a_log_torn_at_any_byte_keeps_the_frames_before(commit: bool) -> None:
    storage = SimulatedStorage()
    ends = written(storage, commit=commit)
    whole = bytes(storage.files[PATH].content)
    for length in range(len(whole) + 1):
        storage.files[PATH].content[:] = whole[:length]
        log = RedoLog.open(storage, PATH, NUMBER)
        kept = sum(end <= length for end in ends)
        if not kept:
            assert log is None
            continue
        assert contents(read(log)) == contents(frames())[: kept - 1]
        assert log is not None
        assert log.committed is (commit and length == len(whole))
        assert log.size == len(storage.files[PATH].content) == ends[kept - 1]


def test_a_log_with_any_byte_changed_keeps_the_frames_before() -> None:
    storage = SimulatedStorage()
    ends = written(storage, commit=True)
    whole = bytes(storage.files[PATH].content)
    for position in range(len(whole)):
        spoiled = bytearray(whole)
        spoiled[position] ^= 0x10
        storage.files[PATH].content[:] = spoiled
        log = RedoLog.open(storage, PATH, NUMBER)
        kept = sum(end <= position for end in ends)
        assert log is None if not kept else contents(read(log)) == contents(frames())[: kept - 1]


def test_frames_behind_a_torn_one_never_come_back() -> None:
    storage = SimulatedStorage()
    ends = written(storage, commit=False)
    storage.files[PATH].content[ends[0] + 70] ^= 1
    log = RedoLog.open(storage, PATH, NUMBER)
    assert log is not None
    first = frames()[0]
    # The very bytes that were torn are written again: what lay behind them must be gone by now.
    log.append(first.head, first.stored)
    log.sync()
    assert contents(read(RedoLog.open(storage, PATH, NUMBER))) == contents([first])


def test_zeros_after_the_last_record_are_cut() -> None:
    storage = SimulatedStorage()
    ends = written(storage, commit=False)
    storage.files[PATH].content.extend(bytes(10_000))
    log = RedoLog.open(storage, PATH, NUMBER)
    assert log is not None
    assert log.size == len(storage.files[PATH].content) == ends[-1]


def test_a_log_of_another_pass_is_none() -> None:
    storage = SimulatedStorage()
    written(storage, commit=True)
    assert RedoLog.open(storage, PATH, NUMBER + 1) is None


def test_frames_of_another_pass_end_the_log() -> None:
    storage = SimulatedStorage()
    log = RedoLog.create(storage, PATH, NUMBER)
    foreign = data_frame(0, NUMBER - 1, 0, b"x" * GRANULE_SIZE)
    log.append(foreign.head, foreign.stored)
    log.sync()
    assert read(RedoLog.open(storage, PATH, NUMBER)) == []


def test_a_log_that_begins_with_something_else_is_none() -> None:
    storage = SimulatedStorage()
    file = storage.create(PATH, 0)
    frame = frames()[0]
    file.write([frame.head, frame.stored, *control_frame(BeginPass(number=NUMBER))], 0)
    assert RedoLog.open(storage, PATH, NUMBER) is None


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_after_a_refused_write_or_sync_only_what_was_durable_is_left(operation: str) -> None:
    storage = SimulatedStorage()
    log = RedoLog.create(storage, PATH, NUMBER)
    one, two = frames()[0], frames()[2]
    log.append(one.head, one.stored)
    log.sync()
    storage.refuse = lambda asked, _path: 28 if asked == operation else 0
    with pytest.raises(StorageFull):  # noqa: PT012 - whichever of the two is refused
        log.append(two.head, two.stored)
        log.sync()
    storage.refuse = lambda _asked, _path: 0
    assert contents(read(RedoLog.open(storage, PATH, NUMBER))) == contents([one])


def test_a_write_without_room_costs_only_the_frame_itself() -> None:
    storage = SimulatedStorage()
    log = RedoLog.create(storage, PATH, NUMBER)
    one, two = frames()[0], frames()[2]
    log.append(one.head, one.stored)
    storage.refuse = lambda asked, _path: 28 if asked == "write" else 0
    with pytest.raises(StorageFull):
        log.append(two.head, two.stored)
    storage.refuse = lambda _asked, _path: 0
    assert contents(read(RedoLog.open(storage, PATH, NUMBER))) == contents([one])


def test_a_medium_that_refuses_everything_leaves_a_tail_that_is_cut_later() -> None:
    storage = SimulatedStorage()
    log = RedoLog.create(storage, PATH, NUMBER)
    storage.refuse = lambda _asked, _path: 5
    with pytest.raises(StorageFailed):
        log.append(frames()[0].head, frames()[0].stored[:10])
    storage.refuse = lambda _asked, _path: 0
    assert read(RedoLog.open(storage, PATH, NUMBER)) == []


def test_real_files_do_the_same(tmp_path: Path) -> None:
    path = tmp_path / "pass-00000004.redo"
    log = RedoLog.create(FileStorage(), path, NUMBER)
    for opened in frames():
        log.append(opened.head, opened.stored)
    log.sync()
    log.close()
    with path.open("ab") as file:
        file.write(b"torn" * 99)
    again = RedoLog.open(FileStorage(), path, NUMBER)
    assert contents(read(again)) == contents(frames())
    assert again is not None
    assert path.stat().st_size == again.size
    again.close()
