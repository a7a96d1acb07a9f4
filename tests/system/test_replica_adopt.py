"""`wherry replica adopt`: killed and repeated, refused where somebody else has the disks or where they don't fit."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.mounting import attached, mounted, partitioned
from tests.system.failing_back import MIB, adopt, judged_equal
from tests.system.migration_rig import PATIENCE_S, WHERRY, Rig
from wherry.process import run
from wherry.replication.granules import UNKNOWN_DIGEST, granule_digests

TASK = "11111111-2222-3333-4444-555555555555"
SIZE = 64 * MIB + 512


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image without a system in it."""
    path = tmp_path / "old.raw"
    with path.open("wb") as file:
        for _ in range(32):
            file.write(os.urandom(MIB))
        file.truncate(SIZE)
    return path


def command(tmp_path: Path, *disks: Path, task: str = TASK) -> list[str]:
    return [str(WHERRY), "replica", "adopt", task, *map(str, disks), "--images", str(tmp_path / "images")]


def adopted(tmp_path: Path, *disks: Path, task: str = TASK) -> subprocess.CompletedProcess[str]:
    words = command(tmp_path, *disks, task=task)
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def assert_refused(found: subprocess.CompletedProcess[str], code: str, words: str) -> None:
    assert found.returncode in {1, 2}
    assert f"{code}: " in found.stderr
    assert words in found.stderr
    assert "cause:" in found.stderr
    assert "fix:" in found.stderr


@contextmanager
def hanging_half_way(words: list[str], table: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start *words* and lend the program when it hangs with something in *table*, as nobody reads what it says."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, bytes(4096))
    process = subprocess.Popen(words, stderr=writing)
    os.close(writing)
    deadline = time.monotonic() + PATIENCE_S
    while not table.exists() or table.read_bytes()[:16] in {UNKNOWN_DIGEST, bytes(16)}:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    try:
        yield process
    finally:
        os.close(reading)
        process.kill()
        process.wait(PATIENCE_S)


def test_killed_in_the_middle_it_s_repeated_and_knows_the_disk(image: Path, tmp_path: Path) -> None:
    table = tmp_path / "images" / TASK / "disk-0.digests"
    with hanging_half_way(command(tmp_path, image), table) as process:
        process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
    assert UNKNOWN_DIGEST in table.read_bytes()
    assert adopted(tmp_path, image).returncode == 0
    assert table.read_bytes() == granule_digests(image.read_bytes())
    with image.open("r+b") as file:
        file.seek(10 * MIB)
        file.write(b"changed in between")
    assert adopted(tmp_path, image).returncode == 0
    assert table.read_bytes() == granule_digests(image.read_bytes())
    assert_refused(adopted(tmp_path, image, image), "WHERRY.3020", "named twice")
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(MIB))
    assert_refused(adopted(tmp_path, other), "WHERRY.2032", f"adopted are {image}, and not {other}")
    assert_refused(adopted(tmp_path, tmp_path), "WHERRY.1001", "neither a block device nor a regular file")
    assert_refused(adopted(tmp_path, image, task="../up"), "WHERRY.6009", "not the id of a task")


@pytest.mark.root
def test_a_disk_that_can_only_be_read_is_refused(image: Path, tmp_path: Path) -> None:
    with attached(image, read_only=True) as device:
        assert_refused(adopted(tmp_path, device), "WHERRY.1001", "it can't be written")
    assert not (tmp_path / "images" / TASK).exists()


@pytest.mark.root
def test_a_disk_that_somebody_else_has_is_refused(image: Path, tmp_path: Path) -> None:
    run(["sfdisk", "--quiet", str(image)], stdin=b"label: gpt\nstart=2048, type=linux\n")
    with attached(image) as device:
        assert_refused(adopted(tmp_path, image), "WHERRY.2031", f"it's attached as {device}")
        with partitioned(device) as (partition,):
            run(["mkfs.ext4", "-q", str(partition)])
            with mounted(partition, tmp_path / "place") as place:
                assert_refused(adopted(tmp_path, device), "WHERRY.2031", f"{partition.name} is mounted on {place}")
                assert_refused(adopted(tmp_path, partition), "WHERRY.2031", f"{partition.name} is mounted on {place}")
        assert not (tmp_path / "images" / TASK).exists()
        assert adopted(tmp_path, device).returncode == 0
    assert (tmp_path / "images" / TASK / "disk-0.digests").read_bytes() == granule_digests(image.read_bytes())


def test_the_disk_of_a_machine_that_runs_is_refused(image: Path, tmp_path: Path) -> None:
    machine = subprocess.Popen(["qemu-io", "-f", "raw", str(image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert machine.stdin is not None
    assert machine.stdout is not None
    try:
        assert machine.stdout.read(7) == b"qemu-io"
        assert_refused(adopted(tmp_path, image), "WHERRY.2031", "a virtual machine has it")
    finally:
        machine.stdin.close()
        machine.wait(PATIENCE_S)
        machine.stdout.close()
    assert adopted(tmp_path, image).returncode == 0


@pytest.fixture
def rig(tmp_path: Path, image: Path) -> Iterator[Rig]:
    """A home for the image that runs."""
    folder = tmp_path / "rig"
    folder.mkdir()
    rig = Rig(folder, image)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


@pytest.mark.root
def test_a_disk_that_was_mounted_after_it_was_adopted_fails_the_task_which_goes_on_once_it_is_free(
    rig: Rig, image: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old-server.raw"
    with old.open("wb") as file:
        file.truncate(SIZE)
    run(["mkfs.ext4", "-q", "-F", str(old)])
    with attached(old) as device:
        task_id = rig.create_task(syncing=False)
        assert adopt(rig, task_id, device).returncode == 0
        with mounted(device, tmp_path / "place"):
            rig.plane.update_task_status(task_id, "start")
            rig.until("the failure", lambda: rig.state(task_id) == "MIGRATE_FAIL")
        assert f"WHERRY.2031: {device} is in use on this machine" in rig.words_of(task_id)
        # It has been written by who mounted it, so that it has to be read again.
        assert_refused(adopt(rig, task_id, device), "WHERRY.2020", "stop the receiver, adopt them, and start it")
        rig.without = {"receiver"}
        assert rig.programs["receiver"].terminate() == 0
        assert adopt(rig, task_id, device).returncode == 0
        rig.programs["receiver"].start()
        rig.without = set()
        rig.plane.update_task_status(task_id, "start")
        rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        assert judged_equal(rig, task_id, device, image)


@pytest.mark.parametrize(
    ("sizes", "early", "late"),
    [
        ((SIZE - 512,), "old.raw has {size} bytes, {first} has {less}", "SMS.0515"),
        ((SIZE, SIZE), "it moves 1 (old.raw), and 2 were named", "WHERRY.2022"),
    ],
)
def test_disks_that_don_t_fit_the_task_are_refused_before_anything_is_written(
    rig: Rig, tmp_path: Path, sizes: tuple[int, ...], early: str, late: str
) -> None:
    disks = []
    for number, size in enumerate(sizes):
        disks.append(tmp_path / f"small-{number}.raw")
        with disks[-1].open("wb") as file:
            file.write(b"what was there")
            file.truncate(size)
    task_id = rig.create_task(syncing=False)
    told = early.format(size=SIZE, less=sizes[0], first=disks[0])
    refused = adopt(rig, task_id, *disks, options=("--admin-file", str(rig.folder / "data/admin.json")))
    assert_refused(refused, "WHERRY.3020", told)
    assert not (rig.images / task_id).exists()
    assert adopt(rig, task_id, *disks).returncode == 0
    rig.plane.update_task_status(task_id, "start")
    rig.until("the failure", lambda: rig.state(task_id) == "MIGRATE_FAIL")
    assert late in rig.words_of(task_id) + str(rig.plane.show_task(task_id))
    assert all(disk.read_bytes().rstrip(b"\0") == b"what was there" for disk in disks)
    assert sorted(rig.images.rglob("*.raw")) == []
