"""Source servers as they're built: each boots, mounts what it should, and nothing on it failed."""

from pathlib import Path

import pytest

from tests.vm.power import switched_off
from tests.vm.recipe import Layout, Recipe, RootFilesystem, Suite
from tests.vm.shell import Shell, free_port
from tests.vm.source_image import obstacle, source_image
from tests.vm.waiting import until
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.uefi import find_uefi_firmware
from wherry.boot.overlay import make_overlay
from wherry.boot.target import Firmware

BTRFS = Recipe(root=RootFilesystem.BTRFS)
XFS = Recipe(root=RootFilesystem.XFS)


@pytest.mark.parametrize(
    ("recipe", "firmware", "root"),
    [
        pytest.param(Recipe(), Firmware.UEFI, "/dev/vda3 ext4", id="uefi"),
        pytest.param(XFS, Firmware.BIOS, "/dev/vda3 xfs", id="xfs"),
        pytest.param(BTRFS, Firmware.UEFI, "/dev/vda3[/@rootfs] btrfs", id="btrfs"),
        pytest.param(Recipe(layout=Layout.LVM), Firmware.BIOS, "/dev/mapper/vg0-root ext4", id="lvm"),
        pytest.param(Recipe(layout=Layout.THIN), Firmware.UEFI, "/dev/mapper/vg0-root ext4", id="thin"),
        pytest.param(Recipe(layout=Layout.MIRROR), Firmware.BIOS, "/dev/md0 ext4", id="mirror"),
        pytest.param(Recipe(layout=Layout.LUKS), Firmware.BIOS, "/dev/mapper/cryptroot ext4", id="luks"),
        pytest.param(Recipe(layout=Layout.SPREAD), Firmware.BIOS, "/dev/vda5 ext4", id="spread"),
        pytest.param(Recipe(Suite.BULLSEYE), Firmware.BIOS, "/dev/vda3 ext4", id="bullseye"),
        pytest.param(Recipe(Suite.TRIXIE), Firmware.BIOS, "/dev/vda3 ext4", id="trixie"),
    ],
)
def test_a_server_boots_with_all_its_parts(recipe: Recipe, firmware: Firmware, root: str, tmp_path: Path) -> None:
    if reason := obstacle(recipe):
        pytest.skip(reason)
    server = source_image(recipe)
    overlay = make_overlay(server.disks, tmp_path / "overlay")
    port = free_port()
    spec = MachineSpec(
        "source",
        accelerator_of_this_process(),
        tuple(Disk(path, DiskFormat.QCOW2) for path in overlay),
        uefi=find_uefi_firmware() if firmware is Firmware.UEFI else None,
        nics=(Nic("52:54:00:12:34:56", UserNetwork(((port, 22),))),),
        disposable=True,
    )
    shell = Shell(port, server.key)
    with Machine.start(spec, tmp_path / "machine", with_owner=True) as machine:
        shell.wait()
        assert shell("systemctl is-system-running --wait || systemctl --failed --no-legend") == "running\n"
        assert shell("findmnt --noheadings --raw --output SOURCE,FSTYPE /").strip() == root
        assert shell("test -d /sys/firmware/efi && echo uefi || echo bios").strip() == firmware
        assert shell("cat /etc/hostname; . /etc/os-release; echo $VERSION_CODENAME").split() == ["source", recipe.suite]
        assert_laid_out(recipe, shell)
        # What the agent needs: block events, and the kernel's types for eBPF where the release has them.
        assert "block_rq_complete" in shell(
            "ls /sys/kernel/tracing/events/block || ls /sys/kernel/debug/tracing/events/block"
        )
        until(lambda: switched_off(machine), 300)


def assert_laid_out(recipe: Recipe, shell: Shell) -> None:
    """Each part of the layout is in use, not only on the disk."""
    if recipe.layout is not Layout.PLAIN:
        assert shell("findmnt --noheadings --output FSTYPE /boot") == "ext4\n"
    swaps = shell("tail -n +2 /proc/swaps").split("\n")[:-1]
    match recipe.layout:
        case Layout.LVM | Layout.THIN:
            assert [line.split()[1] for line in swaps] == ["partition"]
            kind = shell("lvs --noheadings --options segtype vg0/root").strip()
            assert kind == ("thin" if recipe.layout is Layout.THIN else "linear")
        case Layout.MIRROR:
            assert "[UU]" in shell("cat /proc/mdstat")
        case Layout.LUKS:
            assert shell("lsblk --noheadings --nodeps --output TYPE /dev/mapper/cryptroot") == "crypt\n"
        case Layout.SPREAD:
            assert sorted(line.split()[1] for line in swaps) == ["file", "partition"]
            assert shell("findmnt --noheadings --raw --output SOURCE,FSTYPE /srv") == "/dev/vdb1 ext4\n"
        case Layout.PLAIN:
            assert not swaps
