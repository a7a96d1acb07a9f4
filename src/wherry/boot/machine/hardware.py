"""What a virtual machine consists of, and how QEMU is told so. Pure: it starts nothing and looks at nothing.

Names of files in the command are relative to the machine's folder, in which QEMU runs: paths of sockets may have no
more than 107 bytes. Disks are absolute, and in JSON, where a comma in a path is no more than a comma.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from wherry.boot.machine.accelerator import QEMU, Accelerator
from wherry.boot.machine.uefi import UefiFirmware
from wherry.contract.enumerations import DiskBus, NicModel

MONITOR_SOCKET: Final = "qmp.sock"
CONSOLE_SOCKET: Final = "console.sock"
CONSOLE_LOG: Final = "console.log"
UEFI_VARIABLES: Final = "uefi-variables.fd"
PID_FILE: Final = "pid"

MONITOR_DESCRIPTOR: Final = "{monitor}"
"""Stands in the command where the number of the descriptor belongs on which QEMU listens for its monitor."""

_SATA_PORTS: Final = 6  # of the controller that q35 has
_FIRST_NIC_SLOT: Final = 0x10
_MOST_NICS: Final = 8
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,36}")
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class DiskFormat(StrEnum):
    """How a disk's content lies in its file."""

    RAW = "raw"
    QCOW2 = "qcow2"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the machine; the first one is booted from."""

    path: Path
    format: DiskFormat = DiskFormat.RAW
    serial: str = ""
    """What the guest sees as its serial number: up to 20 letters, digits, points and dashes."""


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
class TapNetwork:
    """A tap device of this host that exists already, most often on a bridge."""

    device: str


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card. Card *n* sits in slot 16 + n of the root bus: the first is enp0s16 in a guest with systemd."""

    mac: str
    """In lower case, with colons."""
    network: UserNetwork | TapNetwork
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
    """Whether a machine that resets or switches itself off stands still instead, so that it can be looked at."""

    def __post_init__(self) -> None:
        """Raise ValueError for what QEMU would read as something else, or can't have."""
        words = [self.name, *self.ports, *(disk.serial for disk in self.disks if disk.serial)]
        words += [nic.network.device for nic in self.nics if isinstance(nic.network, TapNetwork)]
        wrong = [word for word in words if not _WORD.fullmatch(word)]
        wrong += [nic.mac for nic in self.nics if not _MAC.fullmatch(nic.mac)]
        if wrong:
            raise ValueError(f"not a name that QEMU can be told: {wrong[0]!r}")
        if self.bus is DiskBus.SATA and len(self.disks) > _SATA_PORTS:
            raise ValueError(f"{len(self.disks)} disks: SATA has {_SATA_PORTS} ports")
        if len(self.nics) > _MOST_NICS:
            raise ValueError(f"{len(self.nics)} network cards: there's room for {_MOST_NICS}")


def port_file(port: str) -> str:
    """Return the name of the file, in the machine's folder, that takes what the guest writes to *port*."""
    return f"port-{port}.log"


def command(spec: MachineSpec) -> list[str]:
    """Return the command that runs the machine in its folder; `MONITOR_DESCRIPTOR` has to be filled in."""
    return [
        QEMU,
        *("-name", f"guest={spec.name}", "-pidfile", PID_FILE),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "std"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-action", "reboot=shutdown,shutdown=pause" if spec.once else "reboot=reset,shutdown=poweroff"),
        *_board(spec),
        *_lines(spec),
        *(word for number, disk in enumerate(spec.disks) for word in _disk(spec, number, disk)),
        *(word for number, nic in enumerate(spec.nics) for word in _nic(number, nic)),
    ]


def _board(spec: MachineSpec) -> Iterator[str]:
    """Yield machine, processors, memory, firmware and a source of randomness."""
    # With graphics=off SeaBIOS shows on the serial port, too, what it and the boot loader show on the screen.
    board = "q35,graphics=off,usb=off,vmport=off"
    if spec.uefi is not None:
        board += ",pflash0=uefi-code,pflash1=uefi-variables"
        yield from ("-blockdev", _json("raw", "uefi-code", _file(spec.uefi.code), **{"read-only": True}))
        yield from ("-blockdev", _json("raw", "uefi-variables", _file(Path(UEFI_VARIABLES))))
    yield from ("-machine", board, *spec.accelerator.options)
    yield from ("-smp", str(spec.vcpus), "-m", f"{spec.memory_mib}M", "-rtc", "base=utc")
    yield from ("-object", "rng-builtin,id=random", "-device", "virtio-rng-pci,rng=random")
    if spec.bus is DiskBus.VIRTIO_SCSI:
        yield from ("-device", "virtio-scsi-pci,id=scsi")


def _lines(spec: MachineSpec) -> Iterator[str]:
    """Yield monitor, serial console and the ports beside it."""
    yield from ("-chardev", f"socket,id=monitor,fd={MONITOR_DESCRIPTOR},server=on,wait=off")
    yield from ("-mon", "chardev=monitor,mode=control")
    yield from (
        "-chardev",
        f"socket,id=console,path={CONSOLE_SOCKET},server=on,wait=off,logfile={CONSOLE_LOG},logappend=on",
    )
    yield from ("-serial", "chardev:console")
    if spec.ports:
        yield from ("-device", "virtio-serial-pci,id=ports")
    for number, port in enumerate(spec.ports):
        yield from ("-chardev", f"file,id=port{number},path={port_file(port)},append=on")
        yield from ("-device", f"virtserialport,bus=ports.0,chardev=port{number},name={port}")


def _disk(spec: MachineSpec, number: int, disk: Disk) -> Iterator[str]:
    cache = {"direct": False, "no-flush": spec.disposable}
    node = _json(disk.format, f"disk{number}", _file(disk.path), cache=cache, discard="unmap")
    yield from ("-blockdev", node)
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
    if isinstance(nic.network, TapNetwork):
        yield from ("-netdev", f"tap,id=net{number},ifname={nic.network.device},script=no,downscript=no")
    else:
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in nic.network.forwards)
        isolation = ",restrict=on" if nic.network.isolated else ""
        yield from ("-netdev", f"user,id=net{number}{isolation}{forwards}")
    model = "virtio-net-pci" if nic.model is NicModel.VIRTIO else nic.model.value
    slot = _FIRST_NIC_SLOT + number
    # Without a boot ROM: nobody boots over the network, and the firmware doesn't wait for it.
    yield from ("-device", f"{model},netdev=net{number},mac={nic.mac},addr={slot:#x},romfile=")


def _file(path: Path) -> dict[str, object]:
    return {"driver": "file", "filename": str(path)}


def _json(driver: str, name: str, file: dict[str, object], **options: object) -> str:
    if "cache" in options:
        file = {**file, "cache": options["cache"], "discard": "unmap"}
    return json.dumps({"driver": driver, "node-name": name, "file": file, **options})
