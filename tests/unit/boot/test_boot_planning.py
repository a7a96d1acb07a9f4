"""What is planned for a landed system: the least that makes it boot, each with its reason."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.boot.memory_guest import MemoryGuest
from tests.unit.boot.sample_systems import (
    DEBIAN_FSTAB,
    DEBIAN_GRUB,
    DEBIAN_INTERFACES,
    KERNEL,
    MODULES,
    RED_HAT_KERNEL,
    ROOT_UUID,
    SWAP_UUID,
    debian,
    red_hat,
)
from wherry.boot.changeset import (
    ChangeSet,
    CopyFile,
    InstallLoader,
    MakeLink,
    RebuildInitramfs,
    RemoveFile,
    RestoreLabels,
    Weight,
    WriteFile,
    render,
)
from wherry.boot.findings.services import AGENT_UNIT
from wherry.boot.guest import GuestFilesystem
from wherry.boot.inspection import inspect
from wherry.boot.planning import plan
from wherry.boot.rules.services import CLOUD_CONFIG
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.contract.enumerations import DiskBus, NetworkWish

JOIN_SCRIPT = Path(__file__).parents[3] / "src/wherry/server/join-script.sh"
BIOS, UEFI = TargetMachine(Firmware.BIOS), TargetMachine(Firmware.UEFI)
MAC, OTHER_MAC, OLD_MAC = "52:54:00:12:34:56", "52:54:00:12:34:57", "00:50:56:aa:bb:cc"
QUIET: Mapping[str, str | bytes | None] = {
    "/etc/fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n",
    "/etc/default/grub": "GRUB_TIMEOUT=5\n",
    "/boot/grub/grub.cfg": DEBIAN_GRUB.replace("/dev/sda1", f"UUID={ROOT_UUID}").replace(" resume=/dev/sda5", ""),
    "/boot/grub/device.map": None,
    "/etc/initramfs-tools/conf.d/resume": None,
    "/etc/network/interfaces": "auto lo\niface lo inet loopback\n",
    "/usr/bin/cloud-init": None,
    "/etc/systemd/system/multi-user.target.wants/vmware-tools.service": None,
}
"""What makes the sample a Debian that boots anywhere, but for its initramfs."""


def planned(guest: MemoryGuest, target: TargetMachine = BIOS) -> ChangeSet:
    return plan(inspect(guest), target)


def texts(changes: ChangeSet) -> dict[str, str]:
    return {each.path: each.after for each in changes.changes if isinstance(each, WriteFile)}


def quiet(changes: Mapping[str, str | bytes | None], carried: str = MODULES) -> MemoryGuest:
    return debian(carried, {**QUIET, **changes})


@pytest.mark.parametrize("bus", DiskBus)
def test_a_system_that_boots_anyway_is_left_alone(bus: DiskBus) -> None:
    assert planned(quiet({}), TargetMachine(Firmware.BIOS, bus)) == ChangeSet(TargetMachine(Firmware.BIOS, bus))


def test_devices_of_the_old_machine_become_uuids() -> None:
    changed = texts(planned(debian()))
    assert changed["/etc/fstab"] == DEBIAN_FSTAB.replace("/dev/sda1", f"UUID={ROOT_UUID}").replace(
        "/dev/sda5", f"UUID={SWAP_UUID}"
    )
    assert changed["/boot/grub/grub.cfg"] == DEBIAN_GRUB.replace("/dev/sda1", f"UUID={ROOT_UUID}").replace(
        "/dev/sda5", f"UUID={SWAP_UUID}"
    )
    assert changed["/etc/default/grub"] == (
        f'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="resume=UUID={SWAP_UUID}"\n'
    )
    assert changed["/etc/initramfs-tools/conf.d/resume"] == f"RESUME=UUID={SWAP_UUID}\n"
    removed = [each.path for each in planned(debian()).changes if isinstance(each, RemoveFile)]
    assert removed == ["/boot/grub/device.map"]


@pytest.mark.parametrize(
    "spec",
    ["/dev/vda1", "/dev/xvda1", "/dev/nvme0n1p1", "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part1",
     "/dev/disk/by-id/scsi-36000c29-part1", "/dev/mmcblk0p1"],
)  # fmt: skip
def test_all_names_that_depend_on_the_machine_are_known(spec: str) -> None:
    changed = texts(planned(quiet({"/etc/fstab": f"{spec} / ext4 defaults 0 1\n"})))
    assert changed == {"/etc/fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n"}


@pytest.mark.parametrize(
    "spec",
    [f"UUID={ROOT_UUID}", "PARTUUID=AA-01", "/dev/mapper/vg-root", "/dev/vg/root", "/dev/md0", "tmpfs", "host:/x"],
)
def test_names_that_travel_stay(spec: str) -> None:
    changes = planned(quiet({"/etc/fstab": f"{spec} / ext4 defaults 0 1\n"}))
    assert (changes.changes, changes.notices) == ((), ())


@pytest.mark.parametrize(
    ("line", "words"),
    [("/dev/sdb1 /data ext4 defaults 0 2", "can't be told"), ("/dev/sda1 /data xfs defaults 0 2", "can't be told"),
     ("UUID=9-9 /data ext4 defaults 0 2", "isn't among the landed disks"), ("LABEL=x /data ext4 rw", "isn't among")],
)  # fmt: skip
def test_what_isnt_there_is_told_and_not_guessed(line: str, words: str) -> None:
    changes = planned(quiet({"/etc/fstab": f"{line}\n"}))
    (notice,) = changes.notices
    assert notice.weight is Weight.WARNING
    assert words in notice.text
    assert changes.changes == ()


def test_a_filesystem_that_may_be_missing_needs_no_word() -> None:
    lines = "UUID=9-9 /data ext4 nofail 0 2\n/dev/sdq1 /usb vfat noauto,user 0 0\n"
    assert planned(quiet({"/etc/fstab": lines})).notices == ()


def test_the_names_of_the_sources_disks_decide_where_they_are_known() -> None:
    guest = quiet({"/etc/fstab": "/dev/sdb1 / ext4 defaults 0 1\n"})
    target = TargetMachine(Firmware.BIOS, source_disks=("/dev/sdb",))
    assert texts(planned(guest, target)) == {"/etc/fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n"}


def test_crypttab_names_partitions_by_what_travels() -> None:
    table = "swap /dev/sda5 /dev/urandom swap\ndata UUID=no none luks\n"
    changes = planned(quiet({"/etc/crypttab": table}))
    assert texts(changes) == {"/etc/crypttab": table.replace("/dev/sda5", "/dev/disk/by-partuuid/aa-05")}
    assert [notice.weight for notice in changes.notices] == [Weight.WARNING]


def test_lvm_looks_at_all_disks_again() -> None:
    (change,) = planned(quiet({"/etc/lvm/devices/system.devices": "IDTYPE=sys_serial\n"})).changes
    assert isinstance(change, RemoveFile)


@pytest.mark.parametrize("device", ["/dev/loop1p3", "/dev/dm-0", "/dev/mapper/of-another-machine", "/dev/loop2-volume"])
def test_a_root_that_is_nowhere_becomes_the_one_that_is_there(device: str) -> None:
    configuration = DEBIAN_GRUB.replace("/dev/sda1", device).replace(" resume=/dev/sda5", "")
    changes = planned(quiet({"/boot/grub/grub.cfg": configuration}))
    assert texts(changes) == {"/boot/grub/grub.cfg": configuration.replace(device, f"UUID={ROOT_UUID}")}


@pytest.mark.parametrize("root", ["/dev/mapper/vg0-root", "/dev/md0", f"/dev/disk/by-uuid/{ROOT_UUID}", "LABEL=x", "x"])
def test_a_root_on_a_volume_keeps_its_name(root: str) -> None:
    configuration = DEBIAN_GRUB.replace("/dev/sda1", root).replace(" resume=/dev/sda5", "")
    system = inspect(quiet({"/boot/grub/grub.cfg": configuration}))
    volume = GuestFilesystem("/dev/vg0/root", "ext4", "66-ff", "", names=("/dev/md0",))
    assert plan(replace(system, filesystems=(*system.filesystems, volume)), BIOS).changes == ()


MDADM = "HOMEHOST <system>\nDEVICE /dev/sda1 /dev/sdb[1-4]\nARRAY /dev/md0 UUID=a584d941:85724736:89ff4c50:74a811ea\n"


def test_mdadm_looks_at_all_devices_again_in_the_initramfs_too() -> None:
    changes = planned(quiet({"/etc/mdadm/mdadm.conf": MDADM}, carried=f"ext4 raid1 {MODULES}"))
    write, rebuild = changes.changes
    assert isinstance(write, WriteFile)
    assert write.after == MDADM.replace("DEVICE /dev/sda1 /dev/sdb[1-4]", "DEVICE partitions containers")
    assert isinstance(rebuild, RebuildInitramfs)
    assert (rebuild.kernel, rebuild.modules) == (KERNEL, ())


def test_an_initramfs_is_built_once_for_several_reasons() -> None:
    changes = planned(quiet({"/etc/mdadm.conf": MDADM}, carried="ext4 raid1"))
    (rebuild,) = [each for each in changes.changes if isinstance(each, RebuildInitramfs)]
    assert rebuild.modules == ("virtio_pci", "virtio_blk")
    assert len(rebuild.why) == 2


@pytest.mark.parametrize("text", ["ARRAY /dev/md0 UUID=1:2:3:4\n", "DEVICE partitions\n", "#DEVICE /dev/sda1\n"])
def test_an_mdadm_that_looks_everywhere_is_left_alone(text: str) -> None:
    assert planned(quiet({"/etc/mdadm/mdadm.conf": text})).changes == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('devices {\n\tfilter = [ "a|^/dev/sda2$|", "r|.*|" ]\n}\n', True),
        ('\tglobal_filter = [ "a|/dev/disk/by-path/.*|",\n "r/.*/" ]\n', True),
        ('\t# filter = [ "a|^/dev/sda2$|", "r|.*|" ]\n', False),
        ('\tfilter = [ "r|^/dev/drbd.*|" ]\n', False),
    ],
)
def test_a_filter_of_lvm_that_names_the_old_machines_devices_is_told(text: str, told: bool) -> None:
    changes = planned(quiet({"/etc/lvm/lvm.conf": text}))
    assert changes.changes == ()
    assert [notice.weight for notice in changes.notices] == [Weight.WARNING] * told


@pytest.mark.parametrize(
    ("line", "weight", "words"),
    [
        ("root UUID={uuid} none luks", Weight.NOTE, "passphrase"),
        ("root UUID={uuid}", Weight.NOTE, "passphrase"),
        ("root UUID={uuid} none luks,tpm2-device=auto", Weight.WARNING, "tpm2-device"),
        ("root UUID={uuid} /etc/keys/root.key luks", None, ""),
        ("root UUID={uuid} none luks,keyscript=/sbin/ask", None, ""),
    ],
)
def test_who_opens_an_encrypted_volume_is_told(line: str, weight: Weight | None, words: str) -> None:
    guest = quiet({"/etc/crypttab": line.format(uuid="55-ee") + "\n"})
    encrypted = GuestFilesystem("/dev/loop0p2", "crypto_LUKS", "55-ee", "", 0, 2, "aa-02")
    system = inspect(guest)
    changes = plan(replace(system, filesystems=(*system.filesystems, encrypted)), BIOS)
    assert changes.changes == ()
    assert [notice.weight for notice in changes.notices] == ([] if weight is None else [weight])
    assert all(words in notice.text for notice in changes.notices)


@pytest.mark.parametrize(
    ("bus", "lacking"),
    [(DiskBus.VIRTIO_BLK, "virtio_pci virtio_blk"), (DiskBus.VIRTIO_SCSI, "virtio_pci virtio_scsi sd_mod"),
     (DiskBus.SATA, "ahci sd_mod"), (DiskBus.NVME, "nvme")],
)  # fmt: skip
def test_an_initramfs_for_another_machine_is_rebuilt(bus: DiskBus, lacking: str) -> None:
    (change,) = planned(quiet({}, carried="ext4"), TargetMachine(Firmware.BIOS, bus)).changes
    assert isinstance(change, RebuildInitramfs)
    assert (change.kernel, change.modules) == (KERNEL, tuple(lacking.split()))
    assert change.resume == f"UUID={SWAP_UUID}"


def test_a_driver_that_is_built_in_isnt_missing() -> None:
    builtin = {f"/lib/modules/{KERNEL}/modules.builtin": "a/virtio_pci.ko\na/virtio_blk.ko\n"}
    assert planned(quiet(builtin, carried="ext4")).changes == ()


def test_an_initramfs_that_cant_be_read_is_rebuilt() -> None:
    (change,) = planned(quiet({f"/boot/initrd.img-{KERNEL}": b"MZ\x90"})).changes
    assert isinstance(change, RebuildInitramfs)
    assert "can't be told" in change.why[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"/usr/sbin/mkinitramfs": None}, "nothing to build an initramfs with"),
        ({f"/lib/modules/{KERNEL}/modules.dep": ""}, "has the drivers"),
        ({f"/boot/vmlinuz-{KERNEL}": None}, "There's no kernel"),
    ],
)
def test_what_cant_be_mended_is_a_blocker(changes: Mapping[str, str | bytes | None], words: str) -> None:
    found = planned(quiet(changes, carried="ext4"))
    assert [words in notice.text for notice in found.blockers] == [True]


def test_a_card_keeps_its_name_by_the_targets_mac() -> None:
    interfaces = {"/etc/network/interfaces": DEBIAN_INTERFACES}
    changed = texts(planned(quiet(interfaces), TargetMachine(Firmware.BIOS, nics=(Nic(MAC),))))
    assert changed == {
        "/etc/systemd/network/10-wherry-ens192.link": f"[Match]\nMACAddress={MAC}\n\n[Link]\nName=ens192\n"
    }


def test_a_single_card_keeps_its_name_whatever_its_mac() -> None:
    changed = texts(planned(quiet({"/etc/network/interfaces": DEBIAN_INTERFACES})))
    assert changed == {
        "/etc/systemd/network/10-wherry-ens192.link": "[Match]\nPath=pci-* virtio-pci-*\n\n[Link]\nName=ens192\n"
    }


def test_which_of_several_cards_is_which_has_to_be_told() -> None:
    two = DEBIAN_INTERFACES + "auto ens224\niface ens224 inet dhcp\n"
    changes = planned(quiet({"/etc/network/interfaces": two}))
    assert changes.changes == ()
    assert "ens192, ens224" in changes.notices[0].text
    nics = (Nic(MAC, "ens224"), Nic(OTHER_MAC))
    changed = texts(planned(quiet({"/etc/network/interfaces": two}), TargetMachine(Firmware.BIOS, nics=nics)))
    assert f"MACAddress={MAC}" in changed["/etc/systemd/network/10-wherry-ens224.link"]
    assert f"MACAddress={OTHER_MAC}" in changed["/etc/systemd/network/10-wherry-ens192.link"]


def test_files_that_match_by_mac_follow_the_card() -> None:
    netplan = f"network:\n  ethernets:\n    lan:\n      match: {{macaddress: '{OLD_MAC}'}}\n      set-name: lan0\n"
    files = {"/etc/netplan/50-cloud-init.yaml": netplan}
    changed = texts(planned(quiet(files), TargetMachine(Firmware.BIOS, nics=(Nic(MAC),))))
    assert changed == {"/etc/netplan/50-cloud-init.yaml": netplan.replace(f"'{OLD_MAC}'", f'"{MAC}"')}
    same = planned(quiet(files), TargetMachine(Firmware.BIOS, nics=(Nic(OLD_MAC),)))
    assert same.changes == ()


def test_names_by_the_kernel_need_nothing_for_a_single_card() -> None:
    files = {
        "/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n",
        "/boot/grub/grub.cfg": f"linux /boot/vmlinuz-{KERNEL} root=UUID={ROOT_UUID} net.ifnames=0\n",
    }
    assert planned(quiet(files)).changes == ()


def test_patterns_match_the_new_card_too() -> None:
    files = {"/etc/systemd/network/lan.network": "[Match]\nName=en*\n\n[Network]\nDHCP=yes\n"}
    assert planned(quiet(files)).changes == ()


def test_dhcp_is_asked_for_only_where_it_is_wished() -> None:
    files = {"/etc/network/interfaces": DEBIAN_INTERFACES}
    target = TargetMachine(Firmware.BIOS, network=NetworkWish.DHCP, nics=(Nic(MAC),))
    changed = texts(planned(quiet(files), target))["/etc/network/interfaces"]
    assert changed == DEBIAN_INTERFACES.partition("iface ens192")[0] + "iface ens192 inet dhcp\n"


def test_cloud_init_stays_installed_and_quiet() -> None:
    files = {"/usr/bin/cloud-init": ""}
    text = texts(planned(quiet(files)))[CLOUD_CONFIG]
    for line in ("datasource_list: [ None ]", "preserve_hostname: true", "ssh_deletekeys: false", "config: disabled"):
        assert line in text


@pytest.mark.parametrize(
    "files",
    [
        {"/etc/cloud/cloud-init.disabled": ""},
        {"/var/lib/cloud/seed/nocloud/meta-data": "x"},
        {"/etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ None ]\n"},
    ],
)
def test_cloud_init_that_isnt_lost_is_left_alone(files: dict[str, str]) -> None:
    assert planned(quiet({"/usr/bin/cloud-init": "", **files})).changes == ()


def test_tools_that_would_fail_are_masked() -> None:
    guest = quiet({"/etc/systemd/system/multi-user.target.wants/vmware-tools.service": ""})
    assert [type(each) for each in planned(guest).changes] == [MakeLink]


def test_uefi_finds_the_loader_at_the_path_that_all_try() -> None:
    changes = planned(red_hat(), UEFI)
    copies = {each.path: each.source for each in changes.changes if isinstance(each, CopyFile)}
    assert copies == {
        "/boot/efi/EFI/BOOT/BOOTX64.EFI": "/boot/efi/EFI/centos/shimx64.efi",
        "/boot/efi/EFI/BOOT/grubx64.efi": "/boot/efi/EFI/centos/grubx64.efi",
        "/boot/efi/EFI/BOOT/mmx64.efi": "/boot/efi/EFI/centos/mmx64.efi",
    }
    assert texts(changes)["/boot/loader/entries/1.conf"].endswith(f"root=UUID={ROOT_UUID} ro crashkernel=1G\n")
    labels = [each for each in changes.changes if isinstance(each, RestoreLabels)]
    assert [each.policy for each in labels] == ["targeted"]
    assert changes.changes[-1] is labels[0]
    assert ["UUID=9999-ee" in notice.text for notice in changes.notices] == [True]


def test_dracut_is_told_the_drivers() -> None:
    changes = planned(red_hat(), TargetMachine(Firmware.UEFI, DiskBus.NVME))
    (rebuild,) = [each for each in changes.changes if isinstance(each, RebuildInitramfs)]
    assert (rebuild.kernel, rebuild.modules) == (RED_HAT_KERNEL, ("nvme",))


def test_another_firmware_needs_what_the_system_brings_for_it() -> None:
    (blocker,) = planned(quiet({}), UEFI).blockers
    assert "no EFI system partition" in blocker.text
    (blocker,) = planned(red_hat(), BIOS).blockers
    assert "GRUB for BIOS isn't installed" in blocker.text


def test_a_missing_boot_sector_is_written() -> None:
    guest = quiet({})
    bare = MemoryGuest(
        {path: node.content for path, node in guest.nodes.items() if node.content},
        disks=[type(disk)(disk.device, disk.size, disk.table, disk.partitions) for disk in guest.disks],
        filesystems=guest.filesystems,
    )
    bare.write("/sbin/init", b"")
    bare.write("/usr/sbin/mkinitramfs", b"")
    changes = planned(bare)
    (change,) = changes.changes
    assert isinstance(change, InstallLoader)
    assert (change.firmware, change.disk) == (Firmware.BIOS, 0)


def test_two_rules_for_one_file_make_one_change() -> None:
    files = {"/etc/default/grub": 'GRUB_DISABLE_LINUX_UUID=true\nGRUB_CMDLINE_LINUX="root=/dev/sda1"\n'}
    (change,) = planned(quiet(files)).changes
    assert isinstance(change, WriteFile)
    assert change.after == f'GRUB_DISABLE_LINUX_UUID=false\nGRUB_CMDLINE_LINUX="root=UUID={ROOT_UUID}"\n'
    assert len(change.why) == 2


def test_a_plan_is_shown_with_reasons_and_differences() -> None:
    shown = render(planned(quiet({"/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\nUUID=9-9 /x ext4 rw 0 0\n"}, "ext4")))
    assert (
        shown
        == f"""\
# Names of devices depend on the machine; UUIDs travel with the filesystem.
--- a/etc/fstab
+++ b/etc/fstab
@@ -1,2 +1,2 @@
-/dev/sda1 / ext4 defaults 0 1
+UUID={ROOT_UUID} / ext4 defaults 0 1
 UUID=9-9 /x ext4 rw 0 0

# It lacks virtio_pci, virtio_blk, without which the kernel finds no virtio-blk disk.
rebuild /boot/initrd.img-{KERNEL} by initramfs-tools with virtio_pci virtio_blk

warning: /etc/fstab mounts UUID=9-9 on /x, which isn't among the landed disks: the start would stop for it.
  fix: Migrate its disk too, or add the option nofail to the line on the source.
"""
    )
    assert render(planned(quiet({}))) == "Nothing has to be changed.\n"


@pytest.mark.parametrize("wish", NetworkWish)
@pytest.mark.parametrize("bus", DiskBus)
def test_a_plan_never_touches_what_guards_the_system(bus: DiskBus, wish: NetworkWish) -> None:
    guarding = (
        "/etc/selinux",
        "/etc/nftables",
        "/etc/iptables",
        "/etc/firewalld",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/ssh",
    )
    for guest, firmware in ((debian(), Firmware.BIOS), (red_hat(), Firmware.UEFI)):
        for each in planned(guest, TargetMachine(firmware, bus, wish)).changes:
            assert not getattr(each, "path", "").startswith(guarding)


def test_the_agent_that_moved_the_server_does_not_start_in_the_copy() -> None:
    unit = "[Service]\nExecStart=/usr/local/bin/wherry-agent\n"
    (removed,) = planned(quiet({AGENT_UNIT: unit})).changes
    assert isinstance(removed, RemoveFile)
    assert (removed.path, removed.before) == (AGENT_UNIT, unit)
    assert f"unit={AGENT_UNIT}\n" in JOIN_SCRIPT.read_text(), "it's where the join script puts it"
