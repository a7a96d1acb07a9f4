"""The virtual machine of a server: from what the control plane orders to what QEMU is told. Pure."""

import hashlib

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import Disk, MachineSpec, Nic, UserNetwork
from wherry.boot.machine.uefi import find_uefi_firmware
from wherry.contract.enumerations import Firmware
from wherry.contract.landing import TargetMachine

MOST_NICS = 8
"""How many network cards QEMU's machine has room for."""


def machine_spec(
    name: str,
    machine: TargetMachine,
    disks: tuple[Disk, ...],
    accelerator: Accelerator,
    user: int | None,
) -> MachineSpec:
    """Return the machine; its cards reach the world through the host's addresses. *user*: whom QEMU runs as.

    Raises UefiFirmwareMissing.
    """
    macs = [mac.lower() for mac in machine.macs[:MOST_NICS]] or [made_up_mac(name)]
    return MachineSpec(
        name=name,
        accelerator=accelerator,
        disks=disks,
        bus=machine.disk_bus,
        uefi=find_uefi_firmware() if machine.firmware is Firmware.UEFI else None,
        vcpus=machine.vcpus,
        memory_mib=machine.memory_mb,
        nics=tuple(Nic(mac, UserNetwork(), machine.nic_model) for mac in macs),
        user=user,
    )


def made_up_mac(name: str) -> str:
    """Return an address for the card of a machine that has none of its own, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return ":".join(("52:54:00", *(f"{byte:02x}" for byte in digest[:3])))
