"""A receiver whose file system is full for real: nothing is lost, and the pass goes on when there's room again."""

import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wherry.disks.direct import open_reader
from wherry.disks.extents import Extent
from wherry.process import run
from wherry.replication.errors import PeerRefused
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Replica
from wherry.replication.sending import PassMemory, SendOptions, SourceDisk, SourceSession
from wherry.replication.stream import FrameStream

pytestmark = pytest.mark.root

MIB = 1024 * 1024
SIZE = 24 * MIB


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB that can be enlarged."""
    path = tmp_path / "volume"
    path.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(path)])
    yield path
    run(["umount", "-l", str(path)])


@pytest.mark.parametrize("number", [0, 1])
def test_a_full_disk_costs_nothing_but_time(tmp_path: Path, volume: Path, number: int) -> None:
    image = volume / "disk.img"
    source = tmp_path / "source.img"
    source.write_bytes(random.Random(1).randbytes(4 * MIB) + bytes(SIZE - 4 * MIB))

    def create(_index: int, size: int) -> Path:
        with image.open("ab") as file:
            file.truncate(size)
        return image

    replica = Replica.open(volume / "state", "task", create)
    reader = open_reader(source)
    disk = SourceDisk(0, "d", SIZE, reader)
    hello = Hello(task_id="task", source_id="s", disks=(DiskLine(index=0, name="d", size=SIZE),))
    memory = PassMemory()
    with ThreadPoolExecutor(1) as pool:

        def migrate(due: int) -> int:
            ours, theirs = socket.socketpair()
            served = pool.submit(serve_session, FrameStream(theirs), replica)
            session = SourceSession.over(FrameStream(ours), hello, options=SendOptions(memory=8 * MIB))
            try:
                report = session.run_pass(due, [disk], {0: [Extent(0, SIZE)]}, memory)
                session.commit(True, 1, report.covered)
            finally:
                session.close()
                served.exception(20)
            return report.figures.changed_bytes

        if number:
            migrate(0)
        before = image.read_bytes() if number else b""
        source.write_bytes(random.Random(2).randbytes(SIZE))
        with pytest.raises(PeerRefused) as caught:
            migrate(number)
        assert caught.value.code == "WHERRY.2024"
        assert "Free space" in caught.value.fix
        if number:
            assert image.read_bytes() == before
        with pytest.raises(PeerRefused):
            migrate(number)
        run(["mount", "-o", "remount,size=80m", str(volume)])
        assert migrate(number) < SIZE - 4 * MIB, "what had been acknowledged was still there"
    assert image.read_bytes() == source.read_bytes()
    assert replica.half(number).checkpoint == number
    replica.close()
    reader.close()
