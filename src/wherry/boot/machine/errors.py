"""What can go wrong with a virtual machine, for people: codes 6201 to 6209."""

from wherry.errors import WherryError


class MachineNotStarted(WherryError):
    """QEMU ended before the machine ran."""

    code = "WHERRY.6201"
    template = "The virtual machine {name} didn't start: {reason}"
    default_cause = (
        "QEMU refused its disks or its hardware, or the host has too little memory; its words are in the message."
    )
    default_fix = "Mend what QEMU says. `qemu.log` in the machine's folder holds all of its words."


class MachineGone(WherryError):
    """A virtual machine isn't there any more, or doesn't answer."""

    code = "WHERRY.6202"
    template = "The virtual machine {name} doesn't answer: {reason}."
    default_cause = "Its QEMU ended or was killed, or the host is overloaded."
    default_fix = "Look at `qemu.log` in the machine's folder and at the host's memory, then start the machine again."


class MonitorRefused(WherryError):
    """QEMU refused an order."""

    code = "WHERRY.6203"
    template = "QEMU refused {command!r}: {reason}."
    default_cause = "The machine isn't in the state that the order needs, or this QEMU is too old."
    default_fix = "Look at the state of the machine; QEMU must be 5.2 or newer."


class UefiFirmwareMissing(WherryError):
    """There's no UEFI firmware for virtual machines on this host."""

    code = "WHERRY.6204"
    template = "No UEFI firmware was found for virtual machines: looked for {places}."
    default_cause = "The package with OVMF isn't installed."
    default_fix = "Install it: `apt-get install ovmf` on Debian, `dnf install edk2-ovmf` on Fedora."


class BridgeMissing(WherryError):
    """A virtual machine's network isn't there on this host, or takes no further card."""

    code = "WHERRY.6205"
    template = "The bridge {bridge!r} takes no card of a virtual machine: {reason}."
    default_cause = "The bridge was removed or renamed since the receiver was told of it, or the receiver isn't root."
    default_fix = "Make the bridge (`ip link add NAME type bridge`), or name another one by the receiver's --network."
