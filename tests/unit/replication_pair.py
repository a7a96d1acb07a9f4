"""A receiver with its replica on files, and sessions to it over socket pairs, for the tests of passes."""

import random
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.unit.replication_doubles import MemoryReader
from wherry.replication.granules import GRANULE_SIZE
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.receiving import SessionSummary, serve_session
from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.sending import SendOptions, SourceDisk, SourceSession, SourceTables
from wherry.replication.stream import FrameStream

MIB = 1024 * 1024


class Served:
    """A session and what became of its connections at the receiver; *ours* are the agent's ends."""

    def __init__(self, session: SourceSession, ours: list[socket.socket], futures: "list[Future[SessionSummary]]"):
        self.session = session
        self.ours = ours
        self.futures = futures

    def close(self) -> None:
        """End in good order, on all connections."""
        self.session.close()
        for future in self.futures:
            assert future.result(10).orderly

    def lose(self) -> None:
        """Cut the connections, wait until the receiver has stored what arrived."""
        for ours in self.ours:
            ours.shutdown(socket.SHUT_RDWR)
        self.session.close()
        for future in self.futures:
            assert not future.result(10).orderly


class Place:
    """Where a replica lives, and a source's tables."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pool = ThreadPoolExecutor(12)
        self.checkpoints: list[Checkpoint] = []
        self.replica = self._open()
        self._sockets: list[socket.socket] = []

    def _open(self) -> Replica:
        def create(index: int, size: int) -> Path:
            path = self.directory / f"disk{index}.img"
            with path.open("ab") as file:
                file.truncate(size)
            return path

        return Replica.open(self.directory / "state", "task", create)

    def reopen(self) -> None:
        """Restart the receiver."""
        self.replica.close()
        self.replica = self._open()

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self.replica.close()
        self.pool.shutdown()

    def tables(self, disks: Sequence[SourceDisk], boot_id: str = "boot") -> SourceTables:
        """Open the source's tables, as each new agent does."""
        return SourceTables.open(self.directory / "tables", "task", lines(disks), boot_id)

    def connect(
        self,
        disks: Sequence[SourceDisk],
        tables: SourceTables | None = None,
        *,
        connections: int = 1,
        compress: bool = True,
    ) -> Served:
        ours, futures, streams = [], [], []
        for _ in range(connections):
            near, far = socket.socketpair()
            self._sockets += [near, far]
            ours.append(near)
            streams.append(FrameStream(near))
            futures.append(
                self.pool.submit(serve_session, FrameStream(far), self.replica, on_commit=self.checkpoints.append)
            )
        session = SourceSession.over(
            streams[0],
            Hello(task_id="task", source_id="source", disks=lines(disks)),
            further=streams[1:],
            options=SendOptions(memory=8 * MIB, compress=compress),
            tables=tables,
        )
        return Served(session, ours, futures)

    def image(self, index: int = 0) -> bytes:
        return (self.directory / f"disk{index}.img").read_bytes()


def lines(disks: Sequence[SourceDisk]) -> tuple[DiskLine, ...]:
    return tuple(DiskLine(index=disk.index, name=disk.name, size=disk.size) for disk in disks)


def source(disk: bytearray, index: int = 0) -> SourceDisk:
    return SourceDisk(index, f"/dev/vd{index}", len(disk), MemoryReader(disk))


def noise(size: int, seed: int) -> bytearray:
    """Return a disk of text, noise and zeros."""
    chance = random.Random(seed)
    disk = bytearray()
    while len(disk) < size:
        kind = chance.randrange(3)
        disk += [bytes(GRANULE_SIZE), b"%08d" % len(disk) * (GRANULE_SIZE // 8), chance.randbytes(GRANULE_SIZE)][kind]
    del disk[size:]
    return disk


def reads(disk: SourceDisk) -> set[int]:
    """Return the granules that were read since this was called last."""
    reader = disk.reader
    assert isinstance(reader, MemoryReader)
    found = {
        granule
        for offset, length in reader.reads
        for granule in range(offset // GRANULE_SIZE, -(-(offset + length) // GRANULE_SIZE))
    }
    reader.reads.clear()
    return found
