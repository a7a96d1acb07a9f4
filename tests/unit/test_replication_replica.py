"""The replica's own rules: one holder, one pass at a time, and files that contradict each other."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.replication_doubles import control_frame, data_frame
from wherry.replication.errors import (
    CheckpointGone,
    ProtocolViolated,
    ReplicaBusy,
    ReplicaDamaged,
    StorageFailed,
    TargetTooSmall,
)
from wherry.replication.granules import GRANULE_SIZE, granule_digests
from wherry.replication.messages import CommitPass, Committed, DiskLine
from wherry.replication.proof import merkle_root
from wherry.replication.replica import Replica

SIZE = 8 * GRANULE_SIZE
LINES = [DiskLine(index=0, name="d", size=SIZE)]
A, B = b"a" * GRANULE_SIZE, b"b" * GRANULE_SIZE


class Shelf:
    """Opens the replica of one directory, as often as a test wants."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.image = directory / "disk.img"
        self.opened: list[Replica] = []

    def open(self, task_id: str = "task") -> Replica:
        replica = Replica.open(self.directory / "state", task_id, self._create)
        self.opened.append(replica)
        return replica

    def _create(self, _index: int, size: int) -> Path:
        with self.image.open("ab") as file:
            file.truncate(size)
        return self.image

    def state(self, name: str) -> Path:
        return self.directory / "state" / name


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    for replica in made.opened:
        replica.close()


def ignore(_committed: Committed) -> None:
    return


def store(replica: Replica, number: int, granule: int, data: bytes) -> None:
    replica.begin(number)
    replica.store(data_frame(0, number, granule * GRANULE_SIZE, data))
    replica.sync()


def commit(replica: Replica, number: int, covered: int = 8) -> None:
    message = CommitPass(number=number, consistent=True, taken_at=5)
    replica.commit(message, {0: [(0, covered)]}, [control_frame(message)], ignore)


def at_checkpoint_0(shelf: Shelf) -> Replica:
    replica = shelf.open()
    with replica.session(lambda: None):
        replica.prepare(LINES)
        store(replica, 0, 1, A)
        commit(replica, 0)
    return replica


def test_a_second_holder_is_refused_until_the_first_lets_go(shelf: Shelf) -> None:
    first = shelf.open()
    with pytest.raises(ReplicaBusy):
        shelf.open()
    first.close()
    first.close()
    shelf.open()


def test_another_tasks_directory_is_refused(shelf: Shelf) -> None:
    at_checkpoint_0(shelf).close()
    with pytest.raises(ReplicaDamaged, match="belongs to"):
        shelf.open("other")
    shelf.open()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}'])
def test_an_unreadable_record_is_damage(shelf: Shelf, content: bytes) -> None:
    at_checkpoint_0(shelf).close()
    shelf.state("replica.json").write_bytes(content)
    with pytest.raises(ReplicaDamaged):
        shelf.open()


def test_a_record_of_a_later_version_is_left_alone(shelf: Shelf) -> None:
    at_checkpoint_0(shelf).close()
    path = shelf.state("replica.json")
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2'))
    with pytest.raises(ReplicaDamaged, match="version 2") as caught:
        shelf.open()
    assert "newer" in caught.value.fix


@pytest.mark.parametrize("what", ["table", "image"])
def test_a_cut_file_is_damage(shelf: Shelf, what: str) -> None:
    at_checkpoint_0(shelf).close()
    path = shelf.image if what == "image" else shelf.state("disk-0.digests")
    with path.open("r+b") as file:
        file.truncate(10)
    with pytest.raises(ReplicaDamaged, match="cut"):
        shelf.open()


def test_a_missing_image_is_told_to_the_session_and_may_come_back(shelf: Shelf) -> None:
    at_checkpoint_0(shelf).close()
    away = shelf.image.rename(shelf.directory / "away")
    replica = shelf.open()
    with pytest.raises(StorageFailed, match=r"disk\.img"), replica.session(lambda: None):
        pass
    away.rename(shelf.image)
    with replica.session(lambda: None):
        replica.prepare(LINES)
    assert replica.half(0).disks[0].covered == [[0, 8]]


def test_a_lost_log_of_a_pass_that_is_being_applied_is_damage(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = at_checkpoint_0(shelf)
    with pytest.raises(StorageFailed), replica.session(lambda: None):  # noqa: PT012 - the commit is refused
        store(replica, 1, 2, B)

        def refuse(*_: object) -> None:
            raise StorageFailed.of(shelf.image, OSError(28, "full"))

        monkeypatch.setattr(replica._disks[0].file, "write", refuse)
        commit(replica, 1)
    replica.close()
    log = shelf.state("pass-00000001.redo")
    content = log.read_bytes()
    for spoiled in (content[:-1], content[:100], b""):
        log.write_bytes(spoiled)
        with pytest.raises(ReplicaDamaged, match="committed"):
            shelf.open()
    log.write_bytes(content)
    again = shelf.open()
    assert again.checkpoint is not None
    assert again.checkpoint.number == 1
    assert shelf.image.read_bytes() == bytes(GRANULE_SIZE) + A + B + bytes(5 * GRANULE_SIZE)


def test_passes_come_in_order(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    with replica.session(lambda: None):
        for number in (0, 2, 7):
            with pytest.raises(ProtocolViolated):
                replica.begin(number)
            with pytest.raises(ProtocolViolated):
                commit(replica, number)
        with pytest.raises(ProtocolViolated, match="never begun"):
            commit(replica, 1)
        store(replica, 1, 0, B)
        assert replica.open_pass == 1
        with pytest.raises(ProtocolViolated, match="granules"):
            commit(replica, 1, covered=9)
        commit(replica, 1)
        assert replica.next_pass == 2


def test_an_open_pass_is_seen_over_the_checkpoint_and_the_medium_is_not_touched(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    before = shelf.image.read_bytes()
    with replica.session(lambda: None):
        store(replica, 1, 1, B)
    replica.close()
    again = shelf.open()
    assert again.open_pass == 1
    assert again.digests(0, 0, 8) == bytes(16) + granule_digests(B) + bytes(96)
    assert shelf.image.read_bytes() == before
    with again.session(lambda: None):
        commit(again, 1)
    assert shelf.image.read_bytes() == bytes(GRANULE_SIZE) + B + bytes(6 * GRANULE_SIZE)
    assert not list(shelf.state("").glob("*.redo"))


def test_received_and_repeated_bytes_are_counted_over_sessions(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    with replica.session(lambda: None):
        store(replica, 1, 1, B)
    replica.close()
    again = shelf.open()
    told: list[Committed] = []
    with again.session(lambda: None):
        store(again, 1, 1, B)
        store(again, 1, 2, A)
        message = CommitPass(number=1, consistent=True, taken_at=5)
        again.commit(message, {}, [control_frame(message)], told.append)
    assert told == [Committed(checkpoint=1, received_bytes=3 * GRANULE_SIZE, repeated_bytes=GRANULE_SIZE)]


def test_a_proof_is_of_the_medium_and_not_of_the_table(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    content = bytes(GRANULE_SIZE) + A + bytes(6 * GRANULE_SIZE)
    assert replica.half(0).disks[0].root == merkle_root(SIZE, [(0, granule_digests(content))]).hex()
    with shelf.image.open("r+b") as file:
        file.seek(5)
        file.write(b"!")
    spoiled = b"\0\0\0\0\0!" + content[6:]
    assert replica.half(0).disks[0].root == merkle_root(SIZE, [(0, granule_digests(spoiled))]).hex()


def test_a_proof_of_another_checkpoint_is_refused(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    with pytest.raises(CheckpointGone):
        replica.half(1)
    with pytest.raises(CheckpointGone, match="none"):
        Replica.open(shelf.directory / "new", "t", lambda _index, _size: shelf.image).half(0)


def test_an_answer_that_fails_does_not_undo_the_commit(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)

    def gone(_committed: Committed) -> None:
        raise ConnectionResetError

    message = CommitPass(number=1, consistent=True, taken_at=5)
    with pytest.raises(ConnectionResetError), replica.session(lambda: None):  # noqa: PT012 - in a session
        store(replica, 1, 3, B)
        replica.commit(message, {}, [control_frame(message)], gone)
    assert replica.checkpoint is not None
    assert replica.checkpoint.number == 1
    assert shelf.image.read_bytes()[3 * GRANULE_SIZE : 4 * GRANULE_SIZE] == B


def test_the_later_session_waits_for_the_earlier_to_leave(shelf: Shelf) -> None:
    replica = at_checkpoint_0(shelf)
    asked, left = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with replica.session(asked.set):
            asked.wait(5)
            time.sleep(0.1)
            order.append("first left")
        left.set()

    holder = threading.Thread(target=first)
    holder.start()
    while not replica._turn.is_taken:
        time.sleep(0.005)
    with replica.session(lambda: None):
        order.append("second came")
    holder.join()
    assert order == ["first left", "second came"]


def test_a_target_that_is_too_small_is_refused(shelf: Shelf) -> None:
    shelf.image.write_bytes(b"x" * 100)
    replica = Replica.open(shelf.directory / "small", "t", lambda _index, _size: shelf.image)
    with pytest.raises(TargetTooSmall, match="100 bytes"), replica.session(lambda: None):
        replica.prepare(LINES)
    replica.close()


def test_a_target_that_cant_be_made_is_told_as_storage(shelf: Shelf) -> None:
    def create(_index: int, _size: int) -> Path:
        raise OSError(28, "full")

    replica = Replica.open(shelf.directory / "none", "t", create)
    with pytest.raises(StorageFailed), replica.session(lambda: None):
        replica.prepare(LINES)
    replica.close()
