"""What a virtual machine consists of, and how QEMU is told so. Pure: it starts nothing and looks at nothing.

QEMU opens no file by itself: each is opened for it and handed over by its descriptor, so that QEMU needs no right of
its own to anything. In its arguments a file is ``/dev/fdset/N``, and ``{fd:WORD}`` stands for the number of a
descriptor. Source: QEMU's documentation of -add-fd.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.uefi import UefiFirmware
from wherry.contract.enumerations import DiskBus, NicModel

UEFI_VARIABLES: Final = "uefi-variables.fd"
MONITOR: Final = "monitor"
"""The descriptor on which QEMU listens for its monitor."""
CONSOLE: Final = "console"
"""The descriptor on which QEMU listens for who types on the serial console."""
CONSOLE_TEXT: Final = "text"
"""The descriptor that takes the serial console's text."""

_SATA_PORTS: Final = 6  # of the controller that q35 has
_FIRST_NIC_SLOT: Final = 0x10
_MOST_NICS: Final = 8
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,36}")
_PLACE: Final = re.compile(r"\{fd:([a-z0-9]+)\}")
_TEXT_SET: Final = 1000  # no machine has so many files
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class DiskFormat(StrEnum):
    """How a disk's content lies in its file."""

    RAW = "raw"
    QCOW2 = "qcow2"


@dataclass(frozen=True, slots=True)
class Layer:
    """A file that an overlay lies over, or a block device."""

    path: Path
    format: DiskFormat
    is_device: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the machine; the first one is booted from."""

    path: Path
    format: DiskFormat = DiskFormat.RAW
    serial: str = ""
    """What the guest sees as its serial number: up to 20 letters, digits, points and dashes."""
    beneath: tuple[Layer, ...] = ()
    """What it lies over, from the top down. Who writes an overlay could name any file in it: so it isn't asked."""


@dataclass(frozen=True, slots=True)
class UserNetwork:
    """A network of the machine's own, from which the host is seen as 10.0.2.2 and lends its way out.

    No rights are needed for it.
    """

    forwards: tuple[tuple[int, int], ...] = ()
    """Pairs of a port on this host's 127.0.0.1 and a port of the guest."""
    isolated: bool = False
    """Whether the guest reaches nobody: it's given an address by DHCP, and that is all there is."""


@dataclass(frozen=True, slots=True)
class BridgeNetwork:
    """A bridge of this host: the machine is on the bridge's network with an address of its own."""

    bridge: str


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card. Card *n* sits in slot 16 + n of the root bus: the first is enp0s16 in a guest with systemd."""

    mac: str
    """In lower case, with colons."""
    network: UserNetwork | BridgeNetwork
    model: NicModel = NicModel.VIRTIO


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A virtual machine, PC of the q35 kind. It has no network unless it has cards."""

    name: str
    accelerator: Accelerator
    disks: tuple[Disk, ...]
    bus: DiskBus = DiskBus.VIRTIO_BLK
    uefi: UefiFirmware | None = None
    """None for BIOS."""
    vcpus: int = 2
    memory_mib: int = 1024
    nics: tuple[Nic, ...] = ()
    ports: tuple[str, ...] = ()
    """Names of virtio-serial ports; what the guest writes to one goes into the file `port_file`."""
    disposable: bool = False
    """Whether the disks may be lost when the host crashes: nothing is flushed then, which is much faster."""
    once: bool = False
    """Whether a machine that resets stands still instead, so that it can be looked at.

    One that switches itself off always does: who looks sees that its owner did it.
    """
    user: int | None = None
    """The user that QEMU runs as, by number; None: who starts it."""

    def __post_init__(self) -> None:
        """Raise ValueError for what QEMU would read as something else, or can't have."""
        words = [self.name, *self.ports, *(disk.serial for disk in self.disks if disk.serial)]
        words += [nic.network.bridge for nic in self.nics if isinstance(nic.network, BridgeNetwork)]
        wrong = [word for word in words if not _WORD.fullmatch(word)]
        wrong += [nic.mac for nic in self.nics if not _MAC.fullmatch(nic.mac)]
        if wrong:
            raise ValueError(f"not a name that QEMU can be told: {wrong[0]!r}")
        if self.bus is DiskBus.SATA and len(self.disks) > _SATA_PORTS:
            raise ValueError(f"{len(self.disks)} disks: SATA has {_SATA_PORTS} ports")
        if len(self.nics) > _MOST_NICS:
            raise ValueError(f"{len(self.nics)} network cards: there's room for {_MOST_NICS}")


def reaches_out(spec: MachineSpec) -> bool:
    """Whether QEMU itself needs this host's network: a card's tap device and an isolated network don't."""
    return any(isinstance(nic.network, UserNetwork) and not nic.network.isolated for nic in spec.nics)


def port_file(port: str) -> str:
    """Return the name of the file, in the machine's folder, that takes what the guest writes to *port*."""
    return f"port-{port}.log"


class Access(StrEnum):
    """What QEMU does with a file."""

    READ = "read"
    CHANGE = "change"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Handed:
    """A file that has to be opened for QEMU. A relative path is in the machine's folder."""

    path: Path
    access: Access


@dataclass(frozen=True, slots=True)
class Description:
    """How QEMU is started: its arguments, and what it's handed.

    File *n* is QEMU's set *n*; its descriptor is that of the word ``file<n>``. The descriptor of a tap device on
    ``bridges[n]`` is that of ``tap<n>``.
    """

    arguments: list[str]
    files: tuple[Handed, ...]
    bridges: Mapping[int, str]


def file_word(number: int) -> str:
    """Return the word for the descriptor of a file."""
    return f"file{number}"


def tap_word(number: int) -> str:
    """Return the word for the descriptor of a card's tap device."""
    return f"tap{number}"


def describe(spec: MachineSpec) -> Description:
    """Return how the machine is started."""
    files = _Files()
    words = [
        *("-name", f"guest={spec.name}"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        # One that was told to end ends nonetheless.
        *("-action", f"reboot={'shutdown' if spec.once else 'reset'},shutdown=pause"),
        *_board(spec, files),
        *_lines(spec, files),
        *(word for number, disk in enumerate(spec.disks) for word in _disk(spec, number, disk, files)),
        *(word for number, nic in enumerate(spec.nics) for word in _nic(number, nic)),
    ]
    handed = tuple(files.handed)
    for number in range(len(handed)):
        words += ["-add-fd", f"fd={_descriptor(file_word(number))},set={number}"]
    bridges = {
        number: nic.network.bridge for number, nic in enumerate(spec.nics) if isinstance(nic.network, BridgeNetwork)
    }
    return Description(words, handed, bridges)


def filled_in(arguments: Sequence[str], descriptors: Mapping[str, int]) -> list[str]:
    """Return the arguments with the numbers of the descriptors."""
    return [_PLACE.sub(lambda place: str(descriptors[place[1]]), word) for word in arguments]


class _Files:
    """Files that are handed over, in the order in which they're named."""

    def __init__(self) -> None:
        self.handed: list[Handed] = []

    def name(self, path: Path, access: Access) -> str:
        """Return what QEMU calls the file."""
        self.handed.append(Handed(path, access))
        return f"/dev/fdset/{len(self.handed) - 1}"


def _descriptor(word: str) -> str:
    return f"{{fd:{word}}}"


def _board(spec: MachineSpec, files: _Files) -> Iterator[str]:
    """Yield machine, processors, memory, firmware and a source of randomness."""
    # With graphics=off SeaBIOS shows on the serial port, too, what it and the boot loader show on the screen.
    board = "q35,graphics=off,usb=off,vmport=off"
    if spec.uefi is not None:
        board += ",pflash0=uefi-code,pflash1=uefi-variables"
        code = files.name(spec.uefi.code, Access.READ)
        variables = files.name(Path(UEFI_VARIABLES), Access.CHANGE)
        yield from ("-blockdev", json.dumps({**_node(DiskFormat.RAW, code, read_only=True), "node-name": "uefi-code"}))
        yield from ("-blockdev", json.dumps({**_node(DiskFormat.RAW, variables), "node-name": "uefi-variables"}))
    yield from ("-machine", board, *spec.accelerator.options)
    yield from ("-smp", str(spec.vcpus), "-m", f"{spec.memory_mib}M", "-rtc", "base=utc")
    yield from ("-object", "rng-builtin,id=random", "-device", "virtio-rng-pci,rng=random")
    if spec.bus is DiskBus.VIRTIO_SCSI:
        yield from ("-device", "virtio-scsi-pci,id=scsi")


def _lines(spec: MachineSpec, files: _Files) -> Iterator[str]:
    """Yield monitor, serial console and the ports beside it."""
    yield from ("-chardev", f"socket,id=monitor,fd={_descriptor(MONITOR)},server=on,wait=off")
    yield from ("-mon", "chardev=monitor,mode=control")
    # A set of its own, behind those of the files.
    yield from ("-add-fd", f"fd={_descriptor(CONSOLE_TEXT)},set={_TEXT_SET}")
    console = f"socket,id=console,fd={_descriptor(CONSOLE)},server=on,wait=off"
    yield from ("-chardev", f"{console},logfile=/dev/fdset/{_TEXT_SET},logappend=on")
    yield from ("-serial", "chardev:console")
    if spec.ports:
        yield from ("-device", "virtio-serial-pci,id=ports")
    for number, port in enumerate(spec.ports):
        file = files.name(Path(port_file(port)), Access.APPEND)
        yield from ("-chardev", f"file,id=port{number},path={file},append=on")
        yield from ("-device", f"virtserialport,bus=ports.0,chardev=port{number},name={port}")


def _disk(spec: MachineSpec, number: int, disk: Disk, files: _Files) -> Iterator[str]:
    cache: Options = {"direct": False, "no-flush": spec.disposable}
    top = _node(disk.format, files.name(disk.path, Access.CHANGE), cache=cache, discard="unmap")
    above = top
    for layer in disk.beneath:
        above["backing"] = _node(
            layer.format, files.name(layer.path, Access.READ), is_device=layer.is_device, read_only=True
        )
        above = above["backing"]
    if disk.beneath and above["driver"] == DiskFormat.QCOW2:
        above["backing"] = None
    yield from ("-blockdev", json.dumps({**top, "node-name": f"disk{number}"}))
    serial = disk.serial or f"disk{number}"
    device = f"{_DISK_DEVICES[spec.bus].format(number=number)},drive=disk{number},serial={serial},bootindex={number}"
    yield from ("-device", device)


_DISK_DEVICES: Final = {
    DiskBus.VIRTIO_BLK: "virtio-blk-pci",
    DiskBus.VIRTIO_SCSI: "scsi-hd,bus=scsi.0,lun={number}",
    DiskBus.SATA: "ide-hd,bus=ide.{number}",
    DiskBus.NVME: "nvme",
}


def _nic(number: int, nic: Nic) -> Iterator[str]:
    if isinstance(nic.network, BridgeNetwork):
        yield from ("-netdev", f"tap,id=net{number},fd={_descriptor(tap_word(number))}")
    else:
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in nic.network.forwards)
        isolation = ",restrict=on" if nic.network.isolated else ""
        yield from ("-netdev", f"user,id=net{number}{isolation}{forwards}")
    model = "virtio-net-pci" if nic.model is NicModel.VIRTIO else nic.model.value
    slot = _FIRST_NIC_SLOT + number
    # Without a boot ROM: nobody boots over the network, and the firmware doesn't wait for it.
    yield from ("-device", f"{model},netdev=net{number},mac={nic.mac},addr={slot:#x},romfile=")


Options = dict[str, Any]


def _node(
    driver: DiskFormat, file: str, *, is_device: bool = False, read_only: bool = False, **options: object
) -> Options:
    """Return a block node of QEMU over a file or a device, which has the same options."""
    if read_only:
        options["read-only"] = True
    return {
        "driver": driver,
        "file": {"driver": "host_device" if is_device else "file", "filename": file, **options},
        **options,
    }
