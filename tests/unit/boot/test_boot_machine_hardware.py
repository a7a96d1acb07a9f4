"""What QEMU is told, and what it's never told."""

import itertools
import json
from pathlib import Path

import pytest

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import (
    Access,
    BridgeNetwork,
    Disk,
    DiskFormat,
    Handed,
    Layer,
    MachineSpec,
    Nic,
    UserNetwork,
    describe,
    filled_in,
    port_file,
    reaches_out,
)
from wherry.boot.machine.uefi import UefiFirmware
from wherry.contract.enumerations import DiskBus, NicModel

DISKS = (Disk(Path("/images/a,b.raw"), serial="WHERRY-1"), Disk(Path("/images/two.qcow2"), DiskFormat.QCOW2))
UEFI = UefiFirmware(Path("/firmware/code.fd"), Path("/firmware/variables.fd"))


def command_of(machine: MachineSpec) -> list[str]:
    return describe(machine).arguments


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
    devices = values(command_of(spec(bus=bus)), "-device")
    assert device + "serial=disk1,bootindex=1" in devices
    assert sum("bootindex=0" in each and "serial=WHERRY-1" in each for each in devices) == 1


def test_qemu_opens_no_file_by_itself() -> None:
    machine = spec(uefi=UEFI)
    described = describe(machine)
    assert described.files == (
        Handed(UEFI.code, Access.READ),
        Handed(Path("uefi-variables.fd"), Access.CHANGE),
        Handed(Path("/images/a,b.raw"), Access.CHANGE),
        Handed(Path("/images/two.qcow2"), Access.CHANGE),
    )
    nodes = [json.loads(each) for each in values(described.arguments, "-blockdev")]
    assert [node["file"]["filename"] for node in nodes] == [f"/dev/fdset/{number}" for number in range(4)]
    assert [node["driver"] for node in nodes] == ["raw", "raw", "raw", "qcow2"]
    assert not any("/images" in word or "/firmware" in word for word in described.arguments)


def test_what_a_disk_lies_over_is_told_and_only_read() -> None:
    layers = (Layer(Path("/landed.qcow2"), DiskFormat.QCOW2), Layer(Path("/base.raw"), DiskFormat.RAW))
    described = describe(spec(disks=(Disk(Path("/top.qcow2"), DiskFormat.QCOW2, beneath=layers),)))
    assert [file.access for file in described.files] == [Access.CHANGE, Access.READ, Access.READ]
    (top,) = [json.loads(each) for each in values(described.arguments, "-blockdev")]
    landed = top["backing"]
    assert (landed["driver"], landed["read-only"], landed["file"]["read-only"]) == ("qcow2", True, True)
    assert (landed["backing"]["driver"], landed["backing"]["file"]["filename"]) == ("raw", "/dev/fdset/2")
    assert "backing" not in landed["backing"]


def test_a_block_device_beneath_is_opened_as_one() -> None:
    beneath = (Layer(Path("/dev/sdb"), DiskFormat.RAW, is_device=True),)
    (top,) = [
        json.loads(each)
        for each in values(
            command_of(spec(disks=(Disk(Path("/top.qcow2"), DiskFormat.QCOW2, beneath=beneath),))), "-blockdev"
        )
    ]
    assert (top["file"]["driver"], top["backing"]["file"]["driver"]) == ("file", "host_device")


def test_a_chain_that_is_not_told_to_its_end_is_not_followed() -> None:
    disk = Disk(Path("/top.qcow2"), DiskFormat.QCOW2, beneath=(Layer(Path("/landed.qcow2"), DiskFormat.QCOW2),))
    (top,) = [json.loads(each) for each in values(command_of(spec(disks=(disk,))), "-blockdev")]
    assert top["backing"]["backing"] is None


def test_every_descriptor_is_filled_in() -> None:
    described = describe(spec(uefi=UEFI, nics=(Nic("52:54:00:00:00:01", BridgeNetwork("br0")),)))
    words = ("monitor", "console", "text", "file0", "file1", "file2", "file3", "tap0")
    command = filled_in(described.arguments, {word: 100 + number for number, word in enumerate(words)})
    assert not any("{fd:" in word for word in command)
    assert values(command, "-add-fd") == ["fd=102,set=1000", *(f"fd={103 + n},set={n}" for n in range(4))]
    assert values(command, "-netdev") == ["tap,id=net0,fd=107"]


@pytest.mark.parametrize("disposable", [True, False])
def test_only_disks_that_may_be_lost_are_never_flushed(*, disposable: bool) -> None:
    nodes = [json.loads(each) for each in values(command_of(spec(disposable=disposable)), "-blockdev")]
    assert [node["cache"]["no-flush"] for node in nodes] == [disposable, disposable]
    assert [node["file"]["cache"]["no-flush"] for node in nodes] == [disposable, disposable]


def test_a_machine_has_no_network_of_itself() -> None:
    words = command_of(spec())
    assert "-nodefaults" in words
    assert not values(words, "-netdev")


def test_cards_have_their_address_slot_and_network() -> None:
    words = command_of(
        spec(
            nics=(
                Nic("52:54:00:00:00:01", UserNetwork(((2222, 22),))),
                Nic("52:54:00:00:00:02", BridgeNetwork("br7"), NicModel.E1000E),
                Nic("52:54:00:00:00:03", UserNetwork(isolated=True)),
            )
        )
    )
    assert values(words, "-netdev") == [
        "user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22",
        "tap,id=net1,fd={fd:tap1}",
        "user,id=net2,restrict=on",
    ]
    cards = [each for each in values(words, "-device") if "netdev=" in each]
    assert cards[0] == "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,addr=0x10,romfile="
    assert cards[1].startswith("e1000e,netdev=net1,mac=52:54:00:00:00:02,addr=0x11,")


def test_uefi_comes_with_variables_of_the_machine_and_bios_with_nothing() -> None:
    nodes = {node["node-name"]: node for node in map(json.loads, values(command_of(spec(uefi=UEFI)), "-blockdev"))}
    assert nodes["uefi-code"]["read-only"] is True
    assert "read-only" not in nodes["uefi-variables"]
    assert "pflash" not in " ".join(command_of(spec()))


def test_a_machine_that_is_looked_at_stands_still_at_the_end() -> None:
    assert values(command_of(spec(once=True)), "-action") == ["reboot=shutdown,shutdown=pause"]
    assert values(command_of(spec()), "-action") == ["reboot=reset,shutdown=pause"]


def test_what_a_port_is_told_goes_into_its_file() -> None:
    described = describe(MachineSpec("server", Accelerator.KVM, DISKS, ports=("wherry.rehearsal",)))
    words = described.arguments
    assert "file,id=port0,path=/dev/fdset/0,append=on" in values(words, "-chardev")
    assert described.files[0] == Handed(Path(port_file("wherry.rehearsal")), Access.APPEND)
    assert (values(words, "-accel"), values(words, "-cpu")) == (["kvm"], ["host"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a,b"},
        {"name": ""},
        {"disks": (Disk(Path("/x"), serial="a,drive=other"),)},
        {"disks": tuple(Disk(Path(f"/{number}")) for number in range(7)), "bus": DiskBus.SATA},
        {"nics": (Nic("52:54:00:00:00:0G", UserNetwork()),)},
        {"nics": (Nic("52:54:00:00:00:01", BridgeNetwork("br0,script=/bin/sh")),)},
        {"nics": (Nic("52:54:00:00:00:01", UserNetwork()),) * 9},
    ],
)
def test_what_would_be_read_as_something_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a name|there's room|ports"):
        spec(**wrong)  # type: ignore[arg-type]


def test_qemu_itself_needs_the_network_only_to_lend_a_way_out() -> None:
    mac = "52:54:00:00:00:01"
    alone = (Nic(mac, BridgeNetwork("br0")), Nic(mac, UserNetwork(isolated=True)))
    assert not reaches_out(spec())
    assert not reaches_out(spec(nics=alone))
    assert reaches_out(spec(nics=(*alone, Nic(mac, UserNetwork()))))
