"""Host facts from a made-up root folder."""

import json
from pathlib import Path

from wherry.agent.host import gather


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def machine(root: Path) -> Path:
    write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n')
    write(root, "proc/meminfo", "MemTotal:        4030236 kB\nMemFree: 1 kB\n")
    write(root, "boot/grub/grub.cfg", "")
    write(root, "sys/class/net/lo/address", "00:00:00:00:00:00\n")
    write(root, "sys/class/net/aaa0/address", "02:00:00:00:00:01\n")
    write(root, "sys/class/net/eth0/address", "02:00:00:00:00:02\n")
    write(root, "sys/class/net/eth0/mtu", "9000\n")
    write(root, "proc/net/route", "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0102000A\t0003\n")
    write(root, "proc/net/if_inet6", f"fd00{'0' * 27}2 02 40 00 80     eth0\nfe80{'0' * 27}1 02 40 20 80     eth0\n")
    write(root, "sys/class/dmi/id/sys_vendor", "VMware, Inc.\n")
    return root


def test_facts_are_read_from_the_files_of_the_machine(tmp_path: Path) -> None:
    facts = gather(machine(tmp_path), lambda name: ("10.0.2.15", "255.255.255.0") if name == "eth0" else ("", ""))
    assert facts.os_version.startswith("DEBIAN_12_")
    assert facts.memory_mb == 4030236 // 1024
    assert facts.firmware == "BIOS"
    assert facts.boot_loader == "GRUB"
    assert facts.platform == "vmware"


def test_a_server_without_virtio_drivers_says_so(tmp_path: Path) -> None:
    assert not gather(tmp_path, lambda _name: ("", "")).paravirtualization
    for driver in ("virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net"):
        (tmp_path / "sys/module" / driver).mkdir(parents=True)
    assert gather(tmp_path, lambda _name: ("", "")).paravirtualization


def test_the_interface_of_the_default_route_comes_first_and_loopback_is_left_out(tmp_path: Path) -> None:
    facts = gather(machine(tmp_path), lambda name: ("10.0.2.15", "255.255.255.0") if name == "eth0" else ("", ""))
    assert [interface.name for interface in facts.interfaces] == ["eth0", "aaa0"]
    first = facts.interfaces[0]
    assert (first.ip, first.netmask, first.mtu, first.ipv6) == ("10.0.2.15", "255.255.255.0", 9000, "fd00::2")
    assert first.gateway == "10.0.2.1"


def test_an_empty_machine_gives_empty_facts_instead_of_an_error(tmp_path: Path) -> None:
    facts = gather(tmp_path, lambda _name: ("", ""))
    assert facts.interfaces == ()
    assert facts.memory_mb == 0
    assert facts.boot_loader == ""
    assert facts.os_version.startswith("LINUX_")


def test_the_block_check_fits_its_field_however_long_the_texts_are(tmp_path: Path) -> None:
    write(tmp_path, "etc/os-release", f"ID={'x' * 500}\nVERSION_ID={'9' * 500}\n")
    text = gather(tmp_path, lambda _name: ("", "")).linux_block_check
    assert len(text) <= 255
    assert set(json.loads(text)) == {
        "release_type",
        "release_version",
        "kernel_simplification",
        "architecture",
        "kernel_version",
    }
