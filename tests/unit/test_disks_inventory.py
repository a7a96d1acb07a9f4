"""The inventory, read from a made-up /sys."""

from pathlib import Path

import pytest

from wherry.disks.inventory import VIRTIO_DRIVERS, local_disks, missing_virtio_drivers, raw_devices


def add_disk(
    root: Path, name: str, *, size: int = 2048, removable: int = 0, hidden: int = 0, hardware: bool = True
) -> None:
    folder = root / "sys/block" / name
    folder.mkdir(parents=True)
    (folder / "size").write_text(f"{size}\n")
    (folder / "removable").write_text(f"{removable}\n")
    (folder / "hidden").write_text(f"{hidden}\n")
    if hardware:
        (folder / "device").mkdir()


def test_only_whole_fixed_disks_with_hardware_count(tmp_path: Path) -> None:
    for name in ("sdb", "vda", "nvme0n1", "cciss!c0d0", "mmcblk0"):
        add_disk(tmp_path, name)
    add_disk(tmp_path, "loop0", hardware=False)
    add_disk(tmp_path, "dm-0", hardware=False)
    add_disk(tmp_path, "sdc", removable=1)
    add_disk(tmp_path, "sdd", size=0)
    add_disk(tmp_path, "nvme0c0n1", hidden=1)
    add_disk(tmp_path, "mmcblk0boot0")
    assert [str(disk) for disk in local_disks(tmp_path)] == [
        "/dev/cciss/c0d0",
        "/dev/mmcblk0",
        "/dev/nvme0n1",
        "/dev/sdb",
        "/dev/vda",
    ]


def test_no_sys_no_disks(tmp_path: Path) -> None:
    assert local_disks(tmp_path) == []
    assert raw_devices(tmp_path) == []
    assert missing_virtio_drivers(tmp_path) == list(VIRTIO_DRIVERS)


def test_raw_devices(tmp_path: Path) -> None:
    for name in ("rawctl", "raw2", "raw1"):
        (tmp_path / "sys/class/raw" / name).mkdir(parents=True)
    assert raw_devices(tmp_path) == ["raw1", "raw2"]


@pytest.mark.parametrize("suffix", ["", ".xz", ".zst"])
def test_drivers_built_in_and_loadable(tmp_path: Path, suffix: str) -> None:
    modules = tmp_path / "lib/modules/5.10.0-amd64"
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/drivers/virtio/virtio_pci.ko\n")
    listing = f"kernel/drivers/block/virtio_blk.ko{suffix}: kernel/drivers/virtio/virtio_ring.ko{suffix}\n"
    (modules / "modules.dep").write_text(listing)
    assert missing_virtio_drivers(tmp_path, "5.10.0-amd64") == ["virtio_scsi", "virtio_net"]


def test_drivers_of_the_running_kernel_are_also_known_by_sys(tmp_path: Path) -> None:
    (tmp_path / "sys/module/virtio_blk").mkdir(parents=True)
    (tmp_path / "sys/bus/virtio/drivers/virtio_net").mkdir(parents=True)
    assert missing_virtio_drivers(tmp_path) == ["virtio_pci", "virtio_scsi"]
    assert missing_virtio_drivers(tmp_path, "another") == list(VIRTIO_DRIVERS)
