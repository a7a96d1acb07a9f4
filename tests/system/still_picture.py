"""A still picture of a replica at any moment: what would be there if the receiver died right now.

The receiver is stopped (SIGSTOP) while its folder is copied. On the copy every entry of the digest tables is compared
with the medium; then it's opened, which recovers it as a restarted receiver would, and the checkpoint is read again.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.migration_rig import Program
from wherry.process import run
from wherry.replication.granules import DIGEST_SIZE, EXTENT_SIZE, UNKNOWN_DIGEST, granule_digests
from wherry.replication.replica import Replica


@dataclass(frozen=True)
class Picture:
    """A replica as it was: the pass that was being applied; after recovery, its newest checkpoint and its disks.

    No checkpoint: it was in pass 0.
    """

    applying: int | None
    checkpoint: int | None
    disks: Mapping[int, bytes]


def look(replica: Path, scratch: Path, receiver: Program | None) -> Picture:
    """Return the picture of the replica in the folder *replica*; everything it says of itself must be true.

    *scratch* is made and removed. *receiver*: None when it stands still by itself.
    """
    with _standing_still(receiver):
        # Holes stay holes, so that the copy takes the time of what is in it.
        run(["cp", "-r", "--sparse=always", str(replica), str(scratch)])
    try:
        return _examine(scratch)
    finally:
        shutil.rmtree(scratch)


@contextmanager
def _standing_still(program: Program | None) -> Iterator[None]:
    process = None if program is None else program.process
    if process is None or process.poll() is not None:
        yield
        return
    process.send_signal(signal.SIGSTOP)
    try:
        os.waitpid(process.pid, os.WUNTRACED)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _examine(folder: Path) -> Picture:
    path = folder / "replica.json"
    record = json.loads(path.read_bytes())
    for disk in record["disks"]:
        disk["path"] = str(folder / Path(disk["path"]).name)
        if record["applying"] is None:
            _assert_no_entry_lies(folder, disk)
    path.write_text(json.dumps(record))
    replica = Replica.open(folder, record["task_id"], _make_none)
    try:
        checkpoint = replica.checkpoint
        number = None if checkpoint is None else checkpoint.number
        if checkpoint is not None:
            half = replica.half(checkpoint.number)
            assert [disk.index for disk in half.disks] == [disk["index"] for disk in record["disks"]]
    finally:
        replica.close()
    for disk in record["disks"]:
        _assert_no_entry_lies(folder, disk)
    return Picture(
        record["applying"], number, {disk["index"]: Path(disk["path"]).read_bytes() for disk in record["disks"]}
    )


def _assert_no_entry_lies(folder: Path, disk: Mapping[str, object]) -> None:
    """Read the medium again and compare it with what the table knows of it."""
    table = (folder / f"disk-{disk['index']}.digests").read_bytes()
    content = memoryview(Path(str(disk["path"])).read_bytes())
    actual = b"".join(
        granule_digests(content[start : start + EXTENT_SIZE]) for start in range(0, len(content), EXTENT_SIZE)
    )
    assert len(table) == len(actual)
    lies = [
        place // DIGEST_SIZE
        for place in range(0, len(table), DIGEST_SIZE)
        if table[place : place + DIGEST_SIZE] not in {UNKNOWN_DIGEST, actual[place : place + DIGEST_SIZE]}
    ]
    assert lies == [], f"the table says something else than the medium of granules {lies[:10]}"


def _make_none(index: int, _size: int) -> Path:
    raise AssertionError(f"disk {index} was to be made anew")
