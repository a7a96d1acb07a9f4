"""Wherry as a contestant: a receiver and a source, two processes over TLS 1.3 on loopback, without a control plane.

Run as `python -m bench.wherry_copy receive|send DIRECTORY ...` by `WherryCopy` itself. The first pass starts both, as a
peer's copy starts its two ends. They stay, as agent and receiver do, and later passes go through the same session.
"""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from wherry.disks.direct import open_reader
from wherry.disks.extents import Extent
from wherry.disks.tracking.blocks import BlockMarks, Masks
from wherry.process import run
from wherry.replication import transport
from wherry.replication.granuleset import GranuleSet
from wherry.replication.memory import PassMemory
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Replica
from wherry.replication.sending import SendOptions, SourceDisk, SourceSession, SourceTables
from wherry.replication.tuning import DEFAULT_OPTIONS

TASK = "bench"
LIMIT_S = 900.0
PLAIN, COMPRESSED = "plain", "zstd"


class WherryCopy:
    """Passes of Wherry over *source*, digests, durable writes and TLS included; the replica lies in *directory*.

    *identities*: where `write_identities` wrote. *dirty*: where `write_dirty` wrote what was written since the pass
    before.
    """

    def __init__(self, source: Path, directory: Path, codec: str, identities: Path, dirty: Path) -> None:
        self.source = source
        self.directory = directory
        self.codec = codec
        self.name = f"wherry, TLS, {codec}"
        self._identities = identities
        self._dirty = dirty
        self._ends: list[subprocess.Popen[str]] = []
        self.frozen_ms = 0.0
        """Milliseconds that the newest pass took up to COMMITTED: a server would have been frozen for so long."""

    @property
    def source_pid(self) -> int:
        """The process at the source, after the first pass."""
        return self._ends[1].pid

    def empty(self) -> None:
        """End both sides and take the replica away."""
        self.end()
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self._identities, self.directory)

    def run(self) -> None:
        """Copy once: what differs from the replica is sent, committed, and brought to the medium."""
        if not self._ends:
            self._start()
            self._ask("scan")
        else:
            self._ask(f"tracked {self._dirty}")

    def verify(self) -> None:
        """Compare copy and source. Raises ProgramFailed where they differ."""
        run(["cmp", str(self.source), str(self.directory / "disk-0.raw")], timeout_s=LIMIT_S)

    def end(self) -> None:
        """End both sides."""
        ends, self._ends = self._ends, []
        for end in reversed(ends):
            end.communicate()
            if end.returncode:
                raise ChildProcessError(end.returncode)

    def _start(self) -> None:
        script = [sys.executable, "-m", __spec__.name]
        receiver = _spawn([*script, "receive", str(self.directory)])
        self._ends.append(receiver)
        # The source loads while the receiver does, as two machines would.
        self._ends.append(_spawn([*script, "send", str(self.directory), str(self.source), self.codec]))
        self._ask(_answer(receiver).strip())

    def _ask(self, words: str) -> None:
        source = self._ends[1]
        assert source.stdin is not None
        source.stdin.write(words + "\n")
        source.stdin.flush()
        self.frozen_ms = json.loads(_answer(source))


def write_dirty(path: Path, granules: GranuleSet, masks: Masks) -> None:
    """Write to *path* which granules were written, and which blocks of each granule."""
    path.write_bytes(granules.bits.tobytes() + masks.tobytes())


def _read_dirty(path: Path, count: int) -> tuple[GranuleSet, BlockMarks]:
    content = path.read_bytes()
    bits, masks = content[: -2 * count], content[-2 * count :]
    every = np.ones(count, dtype=np.bool_)
    return GranuleSet(count, np.frombuffer(bits, np.uint8)), BlockMarks(np.frombuffer(masks, np.uint16), every)


def _spawn(command: list[str]) -> "subprocess.Popen[str]":
    # As installed programs are: compiled once.
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings)


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    answer = process.stdout.readline()
    if not answer:
        raise ChildProcessError(process.wait())
    return answer


def _identity(directory: Path, side: str) -> transport.Identity:
    return msgspec.json.decode((directory / f"{side}.json").read_bytes(), type=transport.Identity)


def receive(directory: Path) -> None:
    """Serve connections on a free port, which is printed first, until the standard input ends."""
    identity = _identity(directory, "target")
    context = transport.server_context(lambda name: identity if name == transport.server_name_of(TASK) else None)

    def create_disk(index: int, size: int) -> Path:
        path = directory / f"disk-{index}.raw"
        with path.open("xb") as image:
            image.truncate(size)
        return path

    replica = Replica.open(directory / "replica", TASK, create_disk)

    def serve(connection: socket.socket) -> None:
        serve_session(transport.accept(connection, context).stream, replica)

    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(listener.getsockname()[1], flush=True)
            threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
            sys.stdin.read()
    finally:
        replica.close()


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def send(directory: Path, source: Path, codec: str) -> None:
    """Take the receiver's port, then the word for each pass, from the standard input; say how long it took."""
    reader = open_reader(source)
    disk = SourceDisk(0, source.name, reader.size, reader)
    lines = (DiskLine(index=0, name=disk.name, size=disk.size),)
    tables = SourceTables.open(directory / "tables", TASK, lines)
    context = transport.client_context(_identity(directory, "source"))
    port = int(sys.stdin.readline())
    session = SourceSession.connect(
        ("127.0.0.1", port),
        context,
        transport.server_name_of(TASK),
        Hello(task_id=TASK, source_id=TASK, disks=lines),
        options=SendOptions(memory=DEFAULT_OPTIONS.memory, compress=codec == COMPRESSED),
        tables=tables,
    )
    print(0, flush=True)
    memory = PassMemory()
    whole = {0: [Extent(0, disk.size)]}
    for line in sys.stdin:
        word, _, dirty = line.strip().partition(" ")
        began = time.monotonic()
        written = blocks = None
        if word == "tracked":
            granules, marks = _read_dirty(Path(dirty), tables[0].count)
            written, blocks = {0: granules}, {0: marks}
        report = session.run_pass(session.next_pass, [disk], whole, memory, dirty=written, blocks=blocks)
        session.commit(False, int(time.time() * 1000), report.covered)  # noqa: FBT003 (the session's own signature)
        frozen_ms = (time.monotonic() - began) * 1000
        session.hold()
        session.settle()
        print(frozen_ms, flush=True)
    session.close()
    reader.close()


if __name__ == "__main__":
    assert isinstance(sys.stdout, io.TextIOBase)
    if sys.argv[1] == "receive":
        receive(Path(sys.argv[2]))
    else:
        send(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
