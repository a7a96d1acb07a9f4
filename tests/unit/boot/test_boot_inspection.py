"""Inspection tells what a landed system is, and changes nothing."""

import pytest

from tests.unit.boot.memory_guest import MemoryGuest
from tests.unit.boot.sample_systems import ESP_UUID, KERNEL, RED_HAT_KERNEL, debian, red_hat
from wherry.boot.errors import NoSystem
from wherry.boot.inspection import inspect
from wherry.boot.parsing.interfaces import Addressing, Interface
from wherry.boot.system import HypervisorTool, InitramfsTool, LoaderKind
from wherry.boot.target import Firmware


def test_a_debian_from_vmware() -> None:
    guest = debian()
    before = dict(guest.nodes)
    system = inspect(guest)
    assert (system.distribution.id, system.distribution.version, system.hostname) == ("debian", "12", "web1")
    (kernel,) = system.kernels
    assert (kernel.version, kernel.initramfs) == (KERNEL, f"/boot/initrd.img-{KERNEL}")
    assert kernel.available >= {"virtio_blk", "nvme"}
    assert kernel.carried == frozenset({"sd_mod"})
    assert system.initramfs_tool is InitramfsTool.INITRAMFS_TOOLS
    assert system.loader.kind is LoaderKind.GRUB2
    assert (system.loader.bios_platform, system.loader.efi_platform, system.loader.esp) == (True, False, "")
    assert system.boots_by == (Firmware.BIOS,)
    assert [file.interfaces for file in system.network] == [(Interface("ens192", "", Addressing.STATIC),)]
    assert system.cloud_init.datasources == ("VMware", "OVF")
    assert system.tools == (HypervisorTool("vmware-tools.service", "VMware"),)
    assert not system.selinux.labels_matter
    assert guest.nodes == before
    assert guest.calls == []


def test_a_centos_with_uefi() -> None:
    system = inspect(red_hat())
    (kernel,) = system.kernels
    assert kernel.version == RED_HAT_KERNEL
    assert kernel.carried == frozenset({"virtio_pci", "virtio_blk"})
    assert system.initramfs_tool is InitramfsTool.DRACUT
    assert system.loader.esp == "/boot/efi"
    assert len(system.loader.efi_programs) == 3
    assert system.boots_by == (Firmware.UEFI,)
    assert (system.selinux.mode, system.selinux.policy) == ("enforcing", "targeted")
    assert [each.uuid for each in system.filesystems if each.type == "vfat"] == [ESP_UUID]
    assert not system.cloud_init.installed


def test_an_initramfs_that_cant_be_read_is_told_not_fatal() -> None:
    (kernel,) = inspect(debian(changes={f"/boot/initrd.img-{KERNEL}": b"MZ\x90"})).kernels
    assert kernel.carried is None
    assert "4d5a" in kernel.unreadable


def test_the_drivers_that_a_kernel_has_built_in() -> None:
    builtin = {
        f"/boot/config-{KERNEL}": "CONFIG_SATA_AHCI=y\n",
        f"/lib/modules/{KERNEL}/modules.builtin": "a/nvme.ko\n",
    }
    (kernel,) = inspect(debian(changes=builtin)).kernels
    assert kernel.builtin == {"ahci", "nvme"}


def test_cards_named_by_the_kernel_are_known() -> None:
    grub = f"linux /boot/vmlinuz-{KERNEL} root=UUID=1 net.ifnames=0\n"
    assert inspect(debian(changes={"/boot/grub/grub.cfg": grub})).names_by_kernel
    assert not inspect(debian()).names_by_kernel


def test_data_disks_hold_no_system() -> None:
    with pytest.raises(NoSystem):
        inspect(MemoryGuest({"/lost+found/x": ""}))


@pytest.mark.parametrize("path", ["/etc/fstab", "/etc/network/interfaces", "/boot/grub/grub.cfg", "/etc/os-release"])
def test_bytes_that_are_no_text_are_no_obstacle(path: str) -> None:
    assert inspect(debian(changes={path: b"\xff\xfe\0\x80 /dev/sda1 {{{[[[\n"})).hostname == "web1"
