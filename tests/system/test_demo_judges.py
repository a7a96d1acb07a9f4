"""The demonstration's judges find what they must find, and nothing else."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import verification
from demo.mounting import attached, mounted
from demo.scale import MIB, Scale
from demo.source import Source, add_burst, image_source, laboratory, mounted_source
from demo.used import complement, total, used_ranges
from demo.verification import Verdict
from demo.workplace import clear_stale, workplace

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for loop devices")

TINY = Scale(
    disk=400 * MIB,
    ext4=64 * MIB,
    files=8 * MIB,
    noise=4 * MIB,
    writer_rate=MIB,
    writer_room=4 * MIB,
    burst=2 * MIB,
    chaos_mbit=80,
    lab=2048 * MIB,
)


@pytest.fixture
def image(tmp_path: Path) -> Source:
    return image_source(tmp_path, TINY)


@pytest.fixture
def copy(image: Source, tmp_path: Path) -> Path:
    path = tmp_path / "copy.img"
    subprocess.run(["cp", "--sparse=always", image.image, path], check=True)
    return path


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def judged(image: Source, copy: Path) -> Verdict:
    verdict = Verdict()
    verification.compare_used(image, copy, verdict)
    verification.check_ext4(copy, image.filesystems[0], verdict)
    return verdict


def test_an_equal_copy_has_no_findings(image: Source, copy: Path) -> None:
    verdict = judged(image, copy)
    assert verdict.findings == []
    assert verdict.equal
    assert 12 * MIB < verdict.compared < TINY.disk // 2


def test_every_end_of_every_used_range_is_looked_at(image: Source, copy: Path) -> None:
    for start, end in used_ranges(image.image, image.size, image.filesystems):
        for offset in (start, end - 1):
            flip(copy, offset)
            verdict = Verdict()
            verification.compare_used(image, copy, verdict)
            assert [finding for finding in verdict.findings if f"byte {offset} " in finding], (start, end, offset)
            flip(copy, offset)


def test_free_space_does_not_matter(image: Source, copy: Path) -> None:
    used = used_ranges(image.image, image.size, image.filesystems)
    for start, end in complement(used, image.size):
        flip(copy, start)
        flip(copy, end - 1)
    assert judged(image, copy).equal


def test_a_copy_of_another_size_is_found(image: Source, copy: Path) -> None:
    os.truncate(copy, image.size - 512)
    assert any("size" in finding for finding in judged(image, copy).findings)


def test_a_burst_changes_the_image_and_leaves_it_whole(image: Source, copy: Path, tmp_path: Path) -> None:
    before = total(used_ranges(image.image, image.size, image.filesystems))
    add_burst(image, TINY, tmp_path)
    assert total(used_ranges(image.image, image.size, image.filesystems)) >= before + TINY.burst
    verdict = judged(image, copy)
    assert not verdict.equal
    assert "e2fsck -fn of the copy's ext4" in verdict.checks


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Source, Path]]:
    """Lend a mounted source and an exact copy of its frozen picture."""
    with ExitStack() as stack:
        lab = stack.enter_context(laboratory(tmp_path, TINY))
        source = stack.enter_context(mounted_source(lab, TINY))
        for mount_point in source.mount_points:
            subprocess.run(["fsfreeze", "--freeze", mount_point], check=True)
        subprocess.run(source.hook, shell=True, check=True)
        for mount_point in source.mount_points:
            subprocess.run(["fsfreeze", "--unfreeze", mount_point], check=True)
        duplicate = lab / "copy.img"
        subprocess.run(["cp", "--reflink=always", source.frozen_picture, duplicate], check=True)
        yield source, duplicate


@pytest.mark.root
@needs_root
def test_an_equal_copy_of_a_live_disk_passes_all_judges(live: tuple[Source, Path], tmp_path: Path) -> None:
    source, duplicate = live
    for mount_point in source.mount_points:
        (mount_point / "later").write_bytes(b"written after the picture" * 1000)
    os.sync()
    verdict = Verdict()
    verification.compare_used(source, duplicate, verdict)
    verification.compare_mounted(source, duplicate, tmp_path, verdict)
    assert verdict.findings == []
    assert len(verdict.checks) == 6


@pytest.mark.root
@needs_root
def test_a_changed_file_is_found_on_either_filesystem(live: tuple[Source, Path], tmp_path: Path) -> None:
    source, duplicate = live
    for filesystem in source.filesystems:
        options = ["nouuid"] if filesystem.kind == "xfs" else []
        with (
            attached(duplicate, offset=filesystem.offset, size=filesystem.size) as device,
            mounted(device, tmp_path / f"spoil-{filesystem.kind}", options) as tree,
        ):
            flip(tree / "noise" / "0.bin", 4321)
            (tree / "noise").chmod(0o700)
    verdict = Verdict()
    verification.compare_used(source, duplicate, verdict)
    verification.compare_mounted(source, duplicate, tmp_path, verdict)
    found = "\n".join(verdict.findings)
    for words in ("of the disk differs", "diff of every file on ext4", "diff of every file on xfs"):
        assert words in found
    assert found.count("names, owners, modes") == 2


@pytest.mark.root
@needs_root
def test_what_a_killed_run_left_behind_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "run-left"
    left.mkdir()
    (left / ".lock").touch()
    with laboratory(left, TINY) as lab, mounted_source(lab, TINY) as source:
        clear_stale(tmp_path)
        assert not left.exists()
        assert not source.mount_points[0].exists()
        listing = ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"]
        backing = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
        # Were the laboratory unmounted before the disk is detached, the disk's path would have lost its beginning.
        assert [path for path in backing if path.startswith(str(left)) or path == "/source/disk.img"] == []


def test_a_run_under_way_is_left_alone(tmp_path: Path) -> None:
    with workplace(tmp_path, keep=False) as work:
        clear_stale(tmp_path)
        assert work.is_dir()
    assert not work.exists()


def test_only_the_logs_of_a_failed_run_stay(tmp_path: Path) -> None:
    def fail() -> None:
        with workplace(tmp_path, keep=False) as work:
            (work / "logs").mkdir()
            (work / "logs" / "agent.log").write_text("why")
            (work / "big.img").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"agent.log", ".lock"}
    clear_stale(tmp_path)
    assert list(tmp_path.iterdir()) == []
