"""Sessions over a socket pair: what arrives is what was sent, and only what differs is sent."""

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.replication_doubles import MemoryReader
from wherry.disks.extents import Extent
from wherry.replication.errors import (
    ConnectionLost,
    PassIncomplete,
    PeerRefused,
    SourceReadFailed,
)
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.pacing import Pace
from wherry.replication.receiving import SessionSummary, serve_session
from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.sending import PassFigures, PassMemory, SendOptions, SourceDisk, SourceSession
from wherry.replication.stream import FrameStream

MIB = 1024 * 1024


class Pair:
    """A receiver with its replica on files, and sessions to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.checkpoints: list[Checkpoint] = []
        self.pool = ThreadPoolExecutor(4)
        self.replica = self.open()
        self.sockets: list[socket.socket] = []

    def open(self) -> Replica:
        def create(index: int, size: int) -> Path:
            path = self.directory / f"disk{index}.img"
            with path.open("ab") as file:
                file.truncate(size)
            return path

        return Replica.open(self.directory / "state", "task", create)

    def stream(self) -> tuple[FrameStream, "Future[SessionSummary]"]:
        ours, theirs = socket.socketpair()
        self.sockets.append(ours)
        served = self.pool.submit(serve_session, FrameStream(theirs), self.replica, on_commit=self.checkpoints.append)
        return FrameStream(ours), served

    def session(
        self, disks: Sequence[SourceDisk], options: SendOptions | None = None
    ) -> tuple[SourceSession, "Future[SessionSummary]"]:
        stream, served = self.stream()
        lines = tuple(DiskLine(index=disk.index, name=disk.name, size=disk.size) for disk in disks)
        hello = Hello(task_id="task", source_id="source", disks=lines)
        return SourceSession.over(stream, hello, options=options or SendOptions(memory=8 * MIB)), served

    def image(self, index: int = 0) -> bytes:
        return (self.directory / f"disk{index}.img").read_bytes()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    for ours in made.sockets:
        ours.close()
    made.replica.close()
    made.pool.shutdown()


def content(size: int, seed: int = 0) -> bytearray:
    """Return a disk with zeros, text and noise in it."""
    chance = random.Random(seed)
    disk = bytearray(size)
    for start in range(0, size, 3 * GRANULE_SIZE):
        kind = chance.randrange(3)
        length = min(2 * GRANULE_SIZE + 4096, size - start)
        if kind:
            text = (f"granule {start} " * (length // 8 + 1)).encode()[:length]
            disk[start : start + length] = text if kind == 1 else chance.randbytes(length)
    return disk


def whole(disks: Sequence[SourceDisk]) -> dict[int, list[Extent]]:
    return {disk.index: [Extent(0, disk.size)] for disk in disks}


def source(disk: bytearray, index: int = 0) -> SourceDisk:
    return SourceDisk(index, f"/dev/vd{index}", len(disk), MemoryReader(disk))


@pytest.mark.parametrize("size", [GRANULE_SIZE - 512, GRANULE_SIZE, 5 * MIB + 12_345, 9 * MIB])
@pytest.mark.parametrize("compress", [True, False])
def test_pass_0_makes_an_equal_disk(pair: Pair, size: int, compress: bool) -> None:
    disk = content(size)
    disks = [source(disk)]
    session, served = pair.session(disks, SendOptions(memory=4 * MIB, compress=compress))
    assert session.checkpoint is None
    report = session.run_pass(0, disks, whole(disks), PassMemory())
    done = session.commit(True, 77, report.covered)
    half = session.half(77, report.covered)
    session.close()
    assert served.result(10).orderly
    assert pair.image() == disk
    assert report.complete
    assert report.figures.read_bytes == report.figures.used_bytes == size
    assert done.checkpoint == 0
    assert done.received_bytes == report.figures.changed_bytes
    assert done.repeated_bytes == report.figures.resent_bytes == 0
    assert [each.number for each in pair.checkpoints] == [0]
    assert pair.replica.half(0) == half


def test_later_passes_send_only_what_differs(pair: Pair) -> None:
    disk = content(8 * MIB, 1)
    disk[7 * GRANULE_SIZE] |= 1
    disks = [source(disk)]
    session, served = pair.session(disks)
    memory = PassMemory()
    session.commit(False, 1, session.run_pass(0, disks, whole(disks), memory).covered)
    disk[5 * GRANULE_SIZE] ^= 1
    disk[7 * GRANULE_SIZE : 8 * GRANULE_SIZE] = bytes(GRANULE_SIZE)
    before = pair.image()
    report = session.run_pass(1, disks, whole(disks), memory)
    assert report.figures.changed_bytes == 2 * GRANULE_SIZE
    assert pair.image() == before, "a later pass must not touch the medium before its commit"
    session.commit(True, 2, report.covered)
    half = session.half(2, report.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk
    assert pair.replica.half(1) == half


def test_only_used_granules_are_read_and_sent(pair: Pair) -> None:
    disk = content(6 * MIB, 2)
    disks = [source(disk)]
    used = {0: [Extent(MIB + 5, 10), Extent(4 * MIB, 3 * GRANULE_SIZE)]}
    session, served = pair.session(disks)
    report = session.run_pass(0, disks, used, PassMemory())
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert report.covered == {0: [(16, 1), (64, 3)]}
    expected = bytearray(len(disk))
    for start, length in ((MIB, GRANULE_SIZE), (4 * MIB, 3 * GRANULE_SIZE)):
        expected[start : start + length] = disk[start : start + length]
    assert pair.image() == expected
    reader = disks[0].reader
    assert isinstance(reader, MemoryReader)
    assert sorted(reader.reads) == [(MIB, GRANULE_SIZE), (4 * MIB, 3 * GRANULE_SIZE)]


def test_several_disks_travel_in_one_pass(pair: Pair) -> None:
    contents = {3: content(MIB, 3), 0: content(2 * MIB + 512, 4), 7: bytearray(MIB)}
    disks = [source(disk, index) for index, disk in contents.items()]
    session, served = pair.session(disks)
    report = session.run_pass(0, disks, whole(disks), PassMemory())
    session.commit(True, 1, report.covered)
    half = session.half(1, report.covered)
    session.close()
    served.result(10)
    for index, disk in contents.items():
        assert pair.image(index) == disk
    assert [line.index for line in half.disks] == [0, 3, 7]
    assert pair.replica.half(0) == half


def test_a_target_with_content_of_its_own_is_digested_first(pair: Pair) -> None:
    disk = content(4 * MIB, 5)
    there = bytearray(disk)
    there[GRANULE_SIZE * 9] ^= 0xFF
    (pair.directory / "disk0.img").write_bytes(there)
    disks = [source(disk)]
    session, served = pair.session(disks)
    report = session.run_pass(0, disks, whole(disks), PassMemory())
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert report.figures.changed_bytes == GRANULE_SIZE
    assert pair.image() == disk


@pytest.mark.parametrize("number", [0, 1])
def test_a_cut_connection_costs_only_what_was_under_way(pair: Pair, number: int) -> None:
    disk = content(24 * MIB, 6)
    disks = [source(disk)]
    memory = PassMemory()
    if number:
        session, served = pair.session(disks)
        session.commit(False, 1, session.run_pass(0, disks, whole(disks), memory).covered)
        session.close()
        served.result(10)
        disk[:] = content(24 * MIB, 66)
    session, served = pair.session(disks, SendOptions(memory=4 * MIB, compress=False))

    def cut(figures: PassFigures) -> None:
        if figures.sent_bytes > MIB:
            pair.sockets[-1].shutdown(socket.SHUT_RDWR)

    with pytest.raises(ConnectionLost):
        session.run_pass(number, disks, whole(disks), memory, cut, Pace(200))
    session.close()
    assert not served.result(10).orderly
    session, served = pair.session(disks)
    assert session.next_pass == number
    assert session.open_pass == (number or None)
    report = session.run_pass(number, disks, whole(disks), memory)
    done = session.commit(True, 2, report.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk
    # What the receiver had whole isn't sent again; the rest was in the socket's buffers at most.
    assert done.repeated_bytes == 0
    assert memory.resent_bytes <= 2 * MIB


def test_a_stop_ends_the_pass_at_an_extent_and_it_can_go_on(pair: Pair) -> None:
    disk = content(24 * MIB, 7)
    disks = [source(disk)]
    memory, stop = PassMemory(), threading.Event()
    session, served = pair.session(disks, SendOptions(memory=4 * MIB, compress=False))

    def halt(figures: PassFigures) -> None:
        if figures.sent_bytes > MIB:
            stop.set()

    report = session.run_pass(0, disks, whole(disks), memory, halt, Pace(200), stop=stop)
    assert not report.complete
    assert 0 < report.figures.read_bytes < len(disk)
    with pytest.raises(PassIncomplete):
        session.commit(True, 1, report.covered)
    again = session.run_pass(0, disks, whole(disks), memory)
    assert again.complete
    done = session.commit(True, 1, again.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk
    assert memory.resent_bytes == done.repeated_bytes == 0


def test_figures_come_at_most_four_times_a_second_and_grow(pair: Pair) -> None:
    disk = content(8 * MIB, 8)
    disks = [source(disk)]
    seen: list[tuple[float, PassFigures]] = []
    session, served = pair.session(disks, SendOptions(compress=False))
    report = session.run_pass(
        0, disks, whole(disks), PassMemory(), lambda figures: seen.append((time.monotonic(), figures)), Pace(40)
    )
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert len(seen) >= 3
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(seen[:-1])]
    assert min(gaps) >= 0.2
    sent = [figures.sent_bytes for _at, figures in seen]
    assert sent == sorted(sent)
    assert seen[-1][1] == report.figures
    assert all(figures.remaining_bytes + figures.read_bytes == figures.used_bytes for _at, figures in seen)
    assert 20 < report.figures.rate_mbit <= 45, "the pace is 40 Mbit/s"


def test_a_rate_limit_can_be_lifted_while_it_holds(pair: Pair) -> None:
    disk = bytearray(random.Random(9).randbytes(4 * MIB))
    disks = [source(disk)]
    pace = Pace(0.5)
    session, served = pair.session(disks)
    lifter = threading.Timer(0.3, pace.set_rate, (0,))
    lifter.start()
    began = time.monotonic()
    report = session.run_pass(0, disks, whole(disks), PassMemory(), None, pace)
    assert 0.2 < time.monotonic() - began < 5
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk


def test_a_bad_sector_of_the_source_names_its_place(pair: Pair) -> None:
    disk = content(4 * MIB, 10)
    reader = MemoryReader(disk)
    reader.fail_at = 2 * MIB + 5
    disks = [SourceDisk(0, "/dev/vda", len(disk), reader)]
    session, served = pair.session(disks)
    with pytest.raises(SourceReadFailed, match="vda") as caught:
        session.run_pass(0, disks, whole(disks), PassMemory())
    assert caught.value.details["offset"] == 2 * MIB
    session.close()
    assert served.result(10).orderly


def test_a_later_session_takes_over(pair: Pair) -> None:
    disk = content(4 * MIB, 11)
    disks = [source(disk)]
    memory = PassMemory()
    first, first_served = pair.session(disks)
    first.run_pass(0, disks, whole(disks), memory)
    second, second_served = pair.session(disks)
    assert not first_served.result(10).orderly
    report = second.run_pass(0, disks, whole(disks), memory)
    assert report.figures.changed_bytes == 0, "what the first session brought was stored before it was shut"
    with pytest.raises(ConnectionLost):
        first.run_pass(0, disks, whole(disks), memory)
    second.commit(True, 1, report.covered)
    first.close()
    second.close()
    assert second_served.result(10).orderly
    assert pair.image() == disk


def test_closing_the_replica_ends_its_session(pair: Pair) -> None:
    disks = [source(content(MIB, 12))]
    session, served = pair.session(disks)
    pair.replica.close()
    assert not served.result(10).orderly
    with pytest.raises(ConnectionLost):
        session.run_pass(0, disks, whole(disks), PassMemory())
    session.close()
    pair.replica = pair.open()


def test_disks_that_became_smaller_are_refused_in_words(pair: Pair) -> None:
    disks = [source(content(2 * MIB, 13))]
    session, served = pair.session(disks)
    session.close()
    served.result(10)
    with pytest.raises(PeerRefused) as caught:
        pair.session([source(content(MIB, 13))])
    assert caught.value.code == "WHERRY.2022"
    assert "2097152" in caught.value.message
    assert caught.value.fix


def test_another_task_is_refused(pair: Pair) -> None:
    stream, served = pair.stream()
    hello = Hello(task_id="other", source_id="s", disks=(DiskLine(index=0, name="d", size=1),))
    with pytest.raises(PeerRefused, match="another task"):
        SourceSession.over(stream, hello)
    assert served.exception(10) is not None


def refuse(replica: Replica, number: int) -> Callable[[], None]:
    """Make the replica's storage refuse writes to media and log; return what ends that."""
    kind = type(next(iter(replica._disks.values())).file)
    patch = pytest.MonkeyPatch()

    def write(file: object, parts: object, offset: int) -> None:
        from wherry.replication.errors import StorageFailed  # noqa: PLC0415

        raise StorageFailed.of(Path("/images/full"), OSError(number, "refused"))

    patch.setattr(kind, "write", write)
    return patch.undo


@pytest.mark.parametrize(("number", "code"), [(28, "WHERRY.2024"), (5, "WHERRY.2023")])
@pytest.mark.parametrize("passes", [0, 1])
def test_a_medium_that_refuses_ends_the_session_in_words_and_nothing_is_lost(
    pair: Pair, number: int, code: str, passes: int
) -> None:
    disk = content(6 * MIB, 14)
    disks = [source(disk)]
    memory = PassMemory()
    session, served = pair.session(disks)
    if passes:
        session.commit(False, 1, session.run_pass(0, disks, whole(disks), memory).covered)
        disk[:] = content(6 * MIB, 15)
    half_used = {0: [Extent(0, 3 * MIB)]}
    session.run_pass(passes, disks, half_used, memory)
    session.close()
    served.result(10)
    session, served = pair.session(disks)
    restore = refuse(pair.replica, number)
    try:
        with pytest.raises(PeerRefused) as caught:
            session.commit(True, 1, session.run_pass(passes, disks, whole(disks), memory).covered)
        session.close()
        assert caught.value.code == code
        assert served.exception(10) is not None
    finally:
        restore()
    session, served = pair.session(disks)
    report = session.run_pass(passes, disks, whole(disks), memory)
    assert report.figures.changed_bytes < 6 * MIB - 2 * MIB, "what was acknowledged before must still be there"
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk


def test_the_bottleneck_is_told_and_a_limit_makes_it_pack_harder(pair: Pair) -> None:
    disk = bytearray(random.Random(16).randbytes(2 * MIB))
    disks = [source(disk)]
    session, served = pair.session(disks)
    seen: list[PassFigures] = []
    report = session.run_pass(0, disks, whole(disks), PassMemory(), seen.append, Pace(14))
    assert report.figures.bottleneck == "limit"
    assert {figures.bottleneck for figures in seen} <= {"limit", "cpu", "source read", ""}
    assert session._levels is not None
    assert session._levels.level in {1, 3, 6}
    session.commit(True, 1, report.covered)
    session.close()
    served.result(10)
    assert pair.image() == disk
