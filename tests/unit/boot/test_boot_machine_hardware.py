"""What QEMU is told, and what it's never told."""

import itertools
import json
from pathlib import Path

import pytest

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import (
    Disk,
    DiskFormat,
    MachineSpec,
    Nic,
    TapNetwork,
    UserNetwork,
    command,
    port_file,
)
from wherry.boot.machine.uefi import UefiFirmware
from wherry.contract.enumerations import DiskBus, NicModel

DISKS = (Disk(Path("/images/a,b.raw"), serial="WHERRY-1"), Disk(Path("/images/two.qcow2"), DiskFormat.QCOW2))
UEFI = UefiFirmware(Path("/firmware/code.fd"), Path("/firmware/variables.fd"))


def values(words: list[str], option: str) -> list[str]:
    return [value for word, value in itertools.pairwise(words) if word == option]


def spec(
    *,
    bus: DiskBus = DiskBus.VIRTIO_BLK,
    disks: tuple[Disk, ...] = DISKS,
    nics: tuple[Nic, ...] = (),
    uefi: UefiFirmware | None = None,
    once: bool = False,
    disposable: bool = False,
    name: str = "server",
) -> MachineSpec:
    return MachineSpec(name, Accelerator.TCG, disks, bus, uefi, nics=nics, once=once, disposable=disposable)


@pytest.mark.parametrize(
    ("bus", "device"),
    [
        (DiskBus.VIRTIO_BLK, "virtio-blk-pci,drive=disk1,"),
        (DiskBus.VIRTIO_SCSI, "scsi-hd,bus=scsi.0,lun=1,drive=disk1,"),
        (DiskBus.SATA, "ide-hd,bus=ide.1,drive=disk1,"),
        (DiskBus.NVME, "nvme,drive=disk1,"),
    ],
)
def test_disks_hang_on_the_wanted_bus_in_their_order(bus: DiskBus, device: str) -> None:
    devices = values(command(spec(bus=bus)), "-device")
    assert device + "serial=disk1,bootindex=1" in devices
    assert sum("bootindex=0" in each and "serial=WHERRY-1" in each for each in devices) == 1


def test_a_comma_in_a_path_is_no_option() -> None:
    nodes = [json.loads(each) for each in values(command(spec()), "-blockdev")]
    assert [node["file"]["filename"] for node in nodes] == ["/images/a,b.raw", "/images/two.qcow2"]
    assert [node["driver"] for node in nodes] == ["raw", "qcow2"]


@pytest.mark.parametrize("disposable", [True, False])
def test_only_disks_that_may_be_lost_are_never_flushed(*, disposable: bool) -> None:
    nodes = [json.loads(each) for each in values(command(spec(disposable=disposable)), "-blockdev")]
    assert [node["cache"]["no-flush"] for node in nodes] == [disposable, disposable]
    assert [node["file"]["cache"]["no-flush"] for node in nodes] == [disposable, disposable]


def test_a_machine_has_no_network_of_itself() -> None:
    words = command(spec())
    assert "-nodefaults" in words
    assert not values(words, "-netdev")


def test_cards_have_their_address_slot_and_network() -> None:
    words = command(
        spec(
            nics=(
                Nic("52:54:00:00:00:01", UserNetwork(((2222, 22),))),
                Nic("52:54:00:00:00:02", TapNetwork("tap7"), NicModel.E1000E),
                Nic("52:54:00:00:00:03", UserNetwork(isolated=True)),
            )
        )
    )
    assert values(words, "-netdev") == [
        "user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22",
        "tap,id=net1,ifname=tap7,script=no,downscript=no",
        "user,id=net2,restrict=on",
    ]
    cards = [each for each in values(words, "-device") if "netdev=" in each]
    assert cards[0] == "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,addr=0x10,romfile="
    assert cards[1].startswith("e1000e,netdev=net1,mac=52:54:00:00:00:02,addr=0x11,")


def test_uefi_comes_with_variables_of_the_machine_and_bios_with_nothing() -> None:
    nodes = {node["node-name"]: node for node in map(json.loads, values(command(spec(uefi=UEFI)), "-blockdev"))}
    assert nodes["uefi-code"]["read-only"] is True
    assert nodes["uefi-code"]["file"]["filename"] == "/firmware/code.fd"
    assert nodes["uefi-variables"]["file"]["filename"] == "uefi-variables.fd"
    assert "pflash" not in " ".join(command(spec()))


def test_a_machine_that_is_looked_at_stands_still_at_the_end() -> None:
    assert values(command(spec(once=True)), "-action") == ["reboot=shutdown,shutdown=pause"]
    assert values(command(spec()), "-action") == ["reboot=reset,shutdown=poweroff"]


def test_what_a_port_is_told_goes_into_its_file() -> None:
    words = command(MachineSpec("server", Accelerator.KVM, DISKS, ports=("wherry.rehearsal",)))
    assert f"file,id=port0,path={port_file('wherry.rehearsal')},append=on" in values(words, "-chardev")
    assert (values(words, "-accel"), values(words, "-cpu")) == (["kvm"], ["host"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a,b"},
        {"name": ""},
        {"disks": (Disk(Path("/x"), serial="a,drive=other"),)},
        {"disks": tuple(Disk(Path(f"/{number}")) for number in range(7)), "bus": DiskBus.SATA},
        {"nics": (Nic("52:54:00:00:00:0G", UserNetwork()),)},
        {"nics": (Nic("52:54:00:00:00:01", TapNetwork("tap0,script=/bin/sh")),)},
        {"nics": (Nic("52:54:00:00:00:01", UserNetwork()),) * 9},
    ],
)
def test_what_would_be_read_as_something_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a name|there's room|ports"):
        spec(**wrong)  # type: ignore[arg-type]
