"""Layouts of real disks against what sfdisk and blkid say of them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from demo.mounting import attached, mounted, partitioned
from wherry.disks.layout import mounts_on, read_layout
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

TABLES = {
    "GPT": """label: gpt
        start=2048, size=2048, type=uefi, name=esp
        start=5000, size=9, type=swap
        start=8192, size=8000
    """,
    "MBR": """label: dos
        disk1 : start=2048, size=2048, type=83, bootable
        disk2 : start=4096, size=30000, type=5
        disk5 : size=4000, type=82
        disk6 : size=6000
    """,
}


# partx can't hand extended partitions of disks with 4096-byte sectors to the kernel.
@pytest.mark.parametrize(("style", "sector_size"), [("GPT", 512), ("GPT", 4096), ("MBR", 512)])
def test_tables_are_read_as_sfdisk_wrote_them(tmp_path: Path, style: str, sector_size: int) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(160 * MIB)
    node = run(["losetup", "--find", "--show", "--sector-size", str(sector_size), str(image)]).decode().strip()
    try:
        run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", node], stdin=TABLES[style].encode())
        told = json.loads(run(["sfdisk", "--json", node]))["partitiontable"]
        with partitioned(Path(node)):
            layout = read_layout(Path(node))
    finally:
        run(["losetup", "--detach", node])
    assert (layout.partition_style, layout.sector_size) == (style, sector_size)
    expected = [
        (part["node"], part["start"] * sector_size, part["size"] * sector_size, part["type"].lower())
        for part in told["partitions"]
        if part["type"] != "5"
    ]
    assert len(expected) == 3
    assert [(part.device, part.start, part.size, part.type_id) for part in layout.partitions] == expected
    if style == "GPT":  # a file doesn't tell its sector size, but a GPT does
        assert [(part.start, part.size) for part in read_layout(image).partitions] == [part[1:3] for part in expected]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopDisk]:
    plans = (
        Plan("ext2", 16 * MIB, options=("-L", "two")),
        Plan("ext3", 16 * MIB, options=("-L", "three")),
        Plan("ext4", 16 * MIB, options=("-L", "four words here")),
        Plan("xfs", 320 * MIB, options=("-L", "twelve chars")),
        Plan("btrfs", 128 * MIB, options=("-L", "pool")),
        Plan("swap", 8 * MIB, options=("-L", "swapped")),
        Plan("", 4 * MIB),
    )
    with LoopDisk(tmp_path_factory.mktemp("layout"), plans) as made:
        yield made


def test_filesystems_are_told_as_blkid_tells_them(disk: LoopDisk) -> None:
    for partition in read_layout(disk.device).partitions[:-1]:
        listing = run(["blkid", "--probe", "--output", "export", partition.device]).decode()
        told = dict(line.split("=", 1) for line in listing.splitlines())
        assert (partition.filesystem, partition.uuid) == (told["TYPE"], told["UUID"])
        assert partition.label == told["LABEL"].replace("\\", "")


def test_mounts_and_their_use(disk: LoopDisk) -> None:
    layout = read_layout(disk.device)
    assert layout.name == disk.device.name
    assert layout.device_number == disk.device.stat().st_rdev
    for partition, made in zip(layout.partitions, disk.partitions, strict=True):
        assert partition.device == str(made.device)
        assert partition.device_number == made.device.stat().st_rdev
        assert partition.mount_point == (str(made.mount_point) if made.mount_point else None)
        if made.mount_point:
            figures = os.statvfs(made.mount_point)
            assert partition.used_bytes == (figures.f_blocks - figures.f_bfree) * figures.f_frsize
        else:
            assert partition.used_bytes is None
    assert [mount.mount_point for mount in mounts_on(layout)] == [str(path) for path in disk.mount_points]


def test_a_mount_point_with_blanks_and_a_device_mounted_twice(tmp_path: Path) -> None:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 16 * MIB, mount=False),)) as disk:
        node = disk.partitions[0].device
        with mounted(node, tmp_path / "a b\\c"), mounted(node, tmp_path / "again"):
            layout = read_layout(disk.device)
            assert layout.partitions[0].mount_point == str(tmp_path / "a b\\c")
            assert len(mounts_on(layout)) == 1


def test_a_mount_that_is_hidden_by_another_is_not_taken(tmp_path: Path) -> None:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 16 * MIB), Plan("ext4", 16 * MIB, mount=False))) as disk:
        (over,) = disk.mount_points
        with mounted(disk.partitions[0].device, tmp_path / "second"):
            run(["mount", str(disk.partitions[1].device), str(over)])
            try:
                found = [partition.mount_point for partition in read_layout(disk.device).partitions]
                assert found == [str(tmp_path / "second"), str(over)]
            finally:
                run(["umount", str(over)])


def test_a_filesystem_on_the_whole_disk(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 * MIB)
    run(["mkfs.ext4", "-q", str(image)])
    with attached(image) as device, mounted(device, tmp_path / "mount"):
        layout = read_layout(device)
        (whole,) = layout.partitions
        assert (whole.index, whole.start, whole.size) == (0, 0, 16 * MIB)
        assert (whole.filesystem, whole.mount_point) == ("ext4", str(tmp_path / "mount"))
        assert layout.partition_style == ""


def test_partitions_that_only_the_kernel_still_knows_are_listed(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, (Plan("ext4", 16 * MIB), Plan("ext4", 16 * MIB))) as disk:
        run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--force", "--delete", str(disk.device), "1"])
        first, second = read_layout(disk.device).partitions
        assert (first.index, first.type_id, first.mount_point) == (1, "", str(disk.mount_points[0]))
        assert (second.index, second.mount_point) == (2, str(disk.mount_points[1]))


def test_a_backup_table_is_found_at_the_end_of_the_device(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, (Plan("ext4", 16 * MIB),)) as disk:
        whole = read_layout(disk.device)
        with disk.device.open("r+b") as device:
            device.seek(512)
            device.write(bytes(512))
        assert read_layout(disk.device) == whole


def test_a_disk_that_lost_its_gpt_keeps_what_the_kernel_has_mounted(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, (Plan("ext4", 16 * MIB), Plan("ext4", 16 * MIB, mount=False))) as disk:
        with disk.device.open("r+b") as device:
            device.write(bytes(446) + b"\0\0\2\0\xee\xff\xff\xff\1\0\0\0\xff\xff\xff\xff")
            for end in (512, disk.size - 512):
                device.seek(end)
                device.write(bytes(512))
        layout = read_layout(disk.device)
        assert [warning.partition(":")[0] for warning in layout.warnings] == ["WHERRY.1010"]
        assert [partition.mount_point for partition in layout.partitions] == [str(disk.mount_points[0]), None]
        assert [mount.mount_point for mount in mounts_on(layout)] == [str(disk.mount_points[0])]
