"""`wherry boot` on a made-up system's disk, from the plan to the undone overlay."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.mounting import attached
from tests.system.landed_disk import FSTAB, ROOT_UUID, TOOLS, content, make_landed_disk
from wherry.boot.chroot.workbench import ChrootWorkbench

MISSING = [tool for tool in (*TOOLS, "qemu-storage-daemon") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or bool(MISSING), reason=f"needs root and {MISSING or 'nothing else'}"),
]


def fstab_in(overlay: Path) -> str | None:
    with ChrootWorkbench().open([overlay / "disk-0.qcow2"]) as guest:
        return guest.read_text("/etc/fstab")


def boot(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "wherry.cli.main", "boot", *map(str, words), "--trusted"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_copy_is_looked_at_changed_and_put_back(tmp_path: Path) -> None:
    image = make_landed_disk(tmp_path).image
    before = content(image)
    inspected = boot("inspect", image)
    assert inspected.returncode == 0
    assert "Made up 1, host name landed" in inspected.stdout
    written = tmp_path / "plan.txt"
    # There's no kernel in it, so that it can't boot: the plan says so, and applying it is refused.
    assert boot("plan", image, "--output", written).returncode == 1
    assert f"+UUID={ROOT_UUID} / ext4" in written.read_text()
    assert "blocker: There's no kernel" in written.read_text()
    overlay = tmp_path / "overlay"
    refused = boot("apply", image, "--output", overlay)
    assert refused.returncode == 1
    assert "WHERRY.6108" in refused.stderr
    assert not overlay.exists()

    bootable = with_a_kernel(tmp_path)
    assert boot("apply", bootable, "--output", overlay).returncode == 0
    assert fstab_in(overlay) == FSTAB.replace("/dev/sda2", f"UUID={ROOT_UUID}")
    assert f"+UUID={ROOT_UUID} / ext4" in (overlay / "changes.txt").read_text()
    assert boot("undo", overlay).returncode == 0
    assert fstab_in(overlay) == FSTAB
    assert boot("undo", overlay).returncode == 2
    assert content(image) == before


def test_a_disk_that_is_a_device_is_looked_at_and_changed_above_too(tmp_path: Path) -> None:
    make_landed_disk(tmp_path)
    bootable, overlay = with_a_kernel(tmp_path), tmp_path / "overlay"
    before = content(bootable)
    with attached(bootable) as device:
        inspected = boot("inspect", device)
        assert "Made up 1, host name landed" in inspected.stdout
        assert boot("apply", device, "--output", overlay).returncode == 0
        assert fstab_in(overlay) == FSTAB.replace("/dev/sda2", f"UUID={ROOT_UUID}")
    assert content(bootable) == before
    assert "no such file or block device" in boot("inspect", tmp_path).stderr


def with_a_kernel(folder: Path) -> Path:
    """Return an overlay over the disk in which there are a kernel with all drivers and a GRUB."""
    bootable = folder / "bootable.raw"
    shutil.copy(folder / "landed, disk.raw", bootable)
    drivers = "".join(f"kernel/{name}.ko\n" for name in ("virtio_pci", "virtio_blk"))
    with ChrootWorkbench().open([bootable], writable=True) as guest:
        guest.write("/boot/vmlinuz-6.1", b"kernel")
        guest.write_text("/lib/modules/6.1/modules.builtin", drivers)
        guest.write_text("/boot/grub/grub.cfg", f"linux /boot/vmlinuz-6.1 root=UUID={ROOT_UUID}\n")
    return bootable
