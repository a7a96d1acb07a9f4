"""Wherry as a contestant: a receiver and a sender, two processes over TLS 1.3 on loopback, without a control plane.

Run as `python -m bench.wherry_copy receive|send DIRECTORY ...` by `WherryCopy` itself.
"""

import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from wherry.disks.direct import open_reader
from wherry.disks.extents import Extent
from wherry.iam.certificates import Authority
from wherry.replication import transport
from wherry.replication.memory import PassMemory
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Replica
from wherry.replication.sending import SendOptions, SourceDisk, SourceSession

TASK = "bench"
LIMIT_S = 600.0
PLAIN, COMPRESSED = "plain", "zstd"


@dataclass(frozen=True, slots=True)
class WherryCopy:
    """One pass of Wherry, digests, durable writes and TLS included; the replica lies in *directory*."""

    source: Path
    directory: Path
    codec: str

    @property
    def name(self) -> str:
        """How the results call it."""
        return f"wherry, TLS, {self.codec}"

    def run(self) -> None:
        """Copy the image once: what differs from the replica is sent and committed."""
        script = [sys.executable, "-m", __spec__.name]
        receiver = subprocess.Popen([*script, "receive", str(self.directory)], stdout=subprocess.PIPE, text=True)
        try:
            port = receiver.stdout.readline().strip() if receiver.stdout else ""
            subprocess.run([*script, "send", str(self.directory), port, str(self.source), self.codec], check=True)
            if receiver.wait(timeout=LIMIT_S) != 0:
                raise ChildProcessError(receiver.returncode)
        finally:
            if receiver.poll() is None:
                receiver.kill()
                receiver.wait()
            if receiver.stdout:
                receiver.stdout.close()


def write_identities(directory: Path) -> None:
    """Make the certificates of both sides in *directory*."""
    directory.mkdir()
    authority = Authority.create("Wherry bench")
    issued = authority.issue_task(TASK)
    for side, own in (("source", issued.source), ("target", issued.target)):
        identity = transport.Identity(own.certificate, own.private_key, issued.passphrase, authority.certificate_pem)
        (directory / f"{side}.json").write_bytes(msgspec.json.encode(asdict(identity)))


def _identity(directory: Path, side: str) -> transport.Identity:
    return msgspec.json.decode((directory / f"{side}.json").read_bytes(), type=transport.Identity)


def receive(directory: Path) -> None:
    """Serve one session on a free port, which is printed first."""
    identity = _identity(directory, "target")
    context = transport.server_context(lambda name: identity if name == transport.server_name_of(TASK) else None)

    def create_disk(index: int, size: int) -> Path:
        path = directory / f"disk-{index}.raw"
        with path.open("xb") as image:
            image.truncate(size)
        return path

    replica = Replica.open(directory / "replica", TASK, create_disk)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(listener.getsockname()[1], flush=True)
            connection, _ = listener.accept()
        serve_session(transport.accept(connection, context).stream, replica)
    finally:
        replica.close()


def send(directory: Path, port: int, source: Path, codec: str) -> None:
    """Run and commit one pass over *source*."""
    reader = open_reader(source)
    disk = SourceDisk(0, source.name, reader.size, reader)
    session = SourceSession.connect(
        ("127.0.0.1", port),
        transport.client_context(_identity(directory, "source")),
        transport.server_name_of(TASK),
        Hello(task_id=TASK, source_id=TASK, disks=(DiskLine(index=0, name=disk.name, size=disk.size),)),
        options=SendOptions(compress=codec == COMPRESSED),
    )
    report = session.run_pass(session.next_pass, [disk], {0: [Extent(0, disk.size)]}, PassMemory())
    session.commit(False, int(time.time() * 1000), report.covered)  # noqa: FBT003 (the session's own signature)
    session.close()
    reader.close()


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(Path(sys.argv[2]))
    else:
        send(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
