"""The kernel's view of block devices, from a made-up /sys: a disk with LVM on md, as real kernels show it."""

import os
from pathlib import Path

import pytest

from wherry.disks import layout as layout_module
from wherry.disks import sysblock
from wherry.disks.layout import DiskLayout, Partition, mounts_on
from wherry.disks.mounts import Mount

DISK, PARTITION, MIRROR, MIRROR_PARTITION, VOLUME = (
    os.makedev(*pair) for pair in ((8, 0), (8, 1), (9, 0), (259, 0), (253, 0))
)


def add_device(folder: Path, name: str, number: int, **files: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "dev").write_text(f"{os.major(number)}:{os.minor(number)}\n")
    (folder / "uevent").write_text(f"MAJOR=1\nDEVNAME={name}\nDEVTYPE=disk\n")
    for file, content in files.items():
        (folder / file).write_text(content + "\n")
    return folder


@pytest.fixture(autouse=True)
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disk sda with sda1; md0 on sda1 with a partition md0p1; a logical volume dm-0 on that."""
    block = tmp_path / "block"
    sda = add_device(block / "sda", "sda", DISK)
    sda1 = add_device(sda / "sda1", "sda1", PARTITION, partition="1", start="2048", size="8")
    md0 = add_device(block / "md0", "md0", MIRROR)
    md0p1 = add_device(md0 / "md0p1", "md0p1", MIRROR_PARTITION, partition="1", start="16", size="4")
    add_device(md0 / "md0p2", "md0p2", MIRROR_PARTITION, partition="2", start="gone", size="4")
    dm0 = add_device(block / "dm-0", "dm-0", VOLUME)
    for holder, held in ((md0, sda1), (dm0, md0p1)):
        (held / "holders").mkdir()
        (held / "holders" / holder.name).symlink_to(holder)
        (holder / "slaves").mkdir()
        (holder / "slaves" / held.name).symlink_to(held)
    numbers = tmp_path / "dev"
    numbers.mkdir()
    for folder in (sda, sda1, md0, md0p1, dm0):
        (numbers / (folder / "dev").read_text().strip()).symlink_to(folder)
    monkeypatch.setattr(sysblock, "_DEVICES", numbers)


def test_names_and_partitions() -> None:
    assert sysblock.kernel_name(PARTITION) == "sda1"
    assert sysblock.kernel_name(os.makedev(8, 99)) == ""
    (partition,) = sysblock.kernel_partitions(DISK)
    assert partition == sysblock.KernelPartition(1, 2048 * 512, 8 * 512, "/dev/sda1", PARTITION)


def test_the_size_of_a_device() -> None:
    assert sysblock.size_of(PARTITION) == 8 * 512
    assert sysblock.size_of(os.makedev(8, 99)) == 0


def test_a_partition_that_goes_away_while_it_is_read_is_left_out() -> None:
    assert [partition.index for partition in sysblock.kernel_partitions(MIRROR)] == [1]


def test_what_is_built_on_a_partition_however_high() -> None:
    assert sysblock.holders(PARTITION) == [MIRROR]
    assert sysblock.all_holders(PARTITION) == [MIRROR, MIRROR_PARTITION, VOLUME]
    assert sysblock.all_holders(DISK) == []
    assert sysblock.all_holders(VOLUME) == []


def test_a_filesystem_on_a_logical_volume_is_one_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mount(number: int, mount_point: str) -> Mount:
        return Mount(1, 0, os.major(number), os.minor(number), "/", mount_point, "rw", "ext4", "/dev/x")

    volume, stranger = mount(VOLUME, str(tmp_path)), mount(os.makedev(8, 17), "/other")
    monkeypatch.setattr(layout_module, "read_mounts", lambda: [stranger, volume])
    member = Partition(1, 2048 * 512, 4096, "fd", "linux_raid_member", "", "", None, None, "/dev/sda1", PARTITION)
    disk = DiskLayout(Path("/dev/sda"), "sda", 1 << 30, 512, "MBR", (member,), DISK)
    assert mounts_on(disk) == [volume]


@pytest.mark.parametrize("device", [DISK, PARTITION, MIRROR, MIRROR_PARTITION, VOLUME])
def test_all_lies_on_the_one_disk_in_the_end(device: int) -> None:
    assert sysblock.disks_beneath(device) == [DISK]


def test_beneath_a_device_that_is_gone_lies_nothing() -> None:
    assert sysblock.disks_beneath(os.makedev(8, 99)) == []
