"""The virtual machine of a server: from what the control plane orders to what QEMU is told. Pure."""

import hashlib
from collections.abc import Callable, Sequence

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import Disk, MachineSpec, Nic
from wherry.boot.machine.uefi import find_uefi_firmware
from wherry.contract.enumerations import Firmware
from wherry.contract.landing import DEFAULT_NETWORK, TargetMachine
from wherry.receiver.drivers.qemu.networks import Network

MOST_NICS = 8
"""How many network cards QEMU's machine has room for."""


def machine_spec(
    name: str,
    machine: TargetMachine,
    disks: tuple[Disk, ...],
    accelerator: Accelerator,
    *,
    user: int | None,
    network: Callable[[str], Network],
) -> MachineSpec:
    """Return the machine. *user*: whom QEMU runs as; *network* tells what a card is on, by the network's name.

    Raises UefiFirmwareMissing, and what *network* raises.
    """
    return MachineSpec(
        name=name,
        accelerator=accelerator,
        disks=disks,
        bus=machine.disk_bus,
        uefi=find_uefi_firmware() if machine.firmware is Firmware.UEFI else None,
        vcpus=machine.vcpus,
        memory_mib=machine.memory_mb,
        nics=tuple(Nic(mac, network(on), machine.nic_model) for mac, on in cards(name, machine)),
        user=user,
    )


def cards(name: str, machine: TargetMachine) -> Sequence[tuple[str, str]]:
    """Return for each card of the machine its address and the name of its network."""
    networks = machine.networks or [DEFAULT_NETWORK]
    count = min(MOST_NICS, max(len(machine.macs), len(networks)))
    made_up = [made_up_mac(f"{name}/{number}" if number else name) for number in range(count)]
    macs = [*(mac.lower() for mac in machine.macs), *made_up[len(machine.macs) :]]
    return [(macs[number], networks[min(number, len(networks) - 1)]) for number in range(count)]


def made_up_mac(name: str) -> str:
    """Return an address for the card of a machine that has none of its own, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return ":".join(("52:54:00", *(f"{byte:02x}" for byte in digest[:3])))
