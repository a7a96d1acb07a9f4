"""Whatever a source writes into its files: inspection and planning come to an end with a plan that can be shown."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.boot.sample_systems import KERNEL, RED_HAT_KERNEL, debian, red_hat
from wherry.boot.changeset import render
from wherry.boot.inspection import inspect
from wherry.boot.planning import plan
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.cli.boot_texts import as_json, describe
from wherry.contract.enumerations import DiskBus, NetworkWish

PATHS = (
    *("/etc/fstab", "/etc/crypttab", "/etc/os-release", "/etc/hostname", "/etc/default/grub", "/etc/selinux/config"),
    *("/boot/grub/grub.cfg", "/boot/grub/grubenv", "/boot/grub/device.map", "/boot/loader/entries/1.conf"),
    *(
        "/etc/network/interfaces",
        "/etc/netplan/1.yaml",
        "/etc/systemd/network/1.network",
        "/etc/systemd/network/1.link",
    ),
    *("/etc/NetworkManager/system-connections/1", "/etc/sysconfig/network-scripts/ifcfg-eth0", "/etc/cloud/cloud.cfg"),
    *("/etc/udev/rules.d/70-persistent-net.rules", "/etc/systemd/network/1.netdev", "/etc/kernel/cmdline"),
    *(f"/boot/initrd.img-{KERNEL}", f"/lib/modules/{KERNEL}/modules.dep", f"/boot/initramfs-{RED_HAT_KERNEL}.img"),
)
"""Files that inspection reads."""

WORDS = (
    *(
        "/dev/sda1",
        "UUID=",
        "root=",
        "[Match]",
        "Name=",
        "MACAddress=00:50:56:aa:bb:cc",
        "iface eth0 inet static",
        "\\",
    ),
    *(
        "linux /boot/x ",
        "network:\n  ethernets:\n    eth0:\n      addresses: [1.2.3.4/8]\n",
        "options ",
        '"',
        "'",
        "#",
        "{",
    ),
    *(
        "BOOTPROTO=static",
        "IPADDR=1.2.3.4",
        "[connection]\ntype=ethernet\n",
        "[ipv4]\nmethod=manual\n",
        "\n",
        " ",
        "\t",
        "=",
    ),
    *(
        "HWADDR=00:50:56:aa:bb:cc",
        'ATTR{address}=="00:50:56:aa:bb:cc", NAME="eth0"',
        "070701",
        "\0",
        "GRUB_CMDLINE_LINUX=",
    ),
)
contents = st.binary(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=20).map(
    lambda words: "".join(words).encode()
)


@given(
    st.dictionaries(st.sampled_from(PATHS), contents, max_size=6),
    st.sampled_from(DiskBus),
    st.sampled_from(Firmware),
    st.sampled_from(NetworkWish),
    st.sampled_from([(), (Nic("52:54:00:12:34:56"),), (Nic("52:54:00:12:34:56", "eth0"), Nic("52:54:00:12:34:57"))]),
)
def test_every_system_has_a_plan(
    files: dict[str, bytes], bus: DiskBus, firmware: Firmware, wish: NetworkWish, nics: tuple[Nic, ...]
) -> None:
    for make in (debian, red_hat):
        guest = make()
        for path, content in files.items():
            guest.write(path, content)
        system = inspect(guest)
        changes = plan(system, TargetMachine(firmware, bus, wish, nics))
        for text in (describe(system), as_json(system), render(changes), as_json(changes)):
            assert text.endswith("\n")
            assert text.encode()
