"""A home to which a disk comes back: disks that are adopted there, and the way of a task over them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from demo.mounting import attached, mounted
from tests.system.migration_rig import WHERRY, Rig
from wherry.process import run

MIB = 1 << 20


def make_old_disk(path: Path, size: int, folder: Path, filling: int) -> None:
    """Make an ext4 of *size* bytes in the file *path* with *filling* bytes in it, which nobody can compress."""
    with path.open("wb") as file:
        file.truncate(size)
    run(["mkfs.ext4", "-q", "-F", str(path)], timeout_s=60)
    with attached(path) as device, mounted(device, folder / "filling") as place:
        (place / "kept").mkdir()
        for number in range(filling // (4 * MIB)):
            run(["dd", "if=/dev/urandom", f"of={place / 'kept' / str(number)}", "bs=1M", "count=4", "status=none"])
        (place / "removed").write_text("it was there before the move\n")


def work_on(disk: Path, folder: Path) -> None:
    """Change about a hundredth of what is on the disk, as a launched target would in its first days."""
    with attached(disk) as device, mounted(device, folder / "worked") as place:
        run(["dd", "if=/dev/urandom", f"of={place / 'new'}", "bs=1M", "count=1", "status=none"])
        run(["dd", "if=/dev/urandom", f"of={place / 'kept/0'}", "bs=64k", "count=4", "conv=notrunc", "status=none"])
        (place / "removed").unlink()
        (place / "words").write_text("written at the new home\n")


def adopt(rig: Rig, task_id: str, *disks: Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    words = ["replica", "adopt", task_id, *map(str, disks), "--images", str(rig.images), *options]
    return subprocess.run([WHERRY, *words], capture_output=True, text=True, check=False, timeout=300)


@contextmanager
def home(folder: Path, disk: Path, *receiver_options: str) -> Iterator[Rig]:
    """Run a control plane, a receiver, and an agent for *disk*, each new, in *folder*."""
    folder.mkdir()
    rig = Rig(folder, disk, receiver_options=receiver_options)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def move(rig: Rig, task_id: str) -> None:
    """Start a task and wait for its end."""
    rig.plane.update_task_status(task_id, "start")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")


def judged_equal(rig: Rig, task_id: str, *disks: Path) -> bool:
    """Ask `wherry verify` whether each of *disks* is what was proven."""
    proof = rig.folder / "proof.json"
    proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
    found = [rig.wherry("verify", str(proof), str(disk), "--ca-file", rig.admin.ca_file) for disk in disks]
    return all(each.returncode == 0 for each in found)
