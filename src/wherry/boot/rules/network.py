"""The system's interfaces keep their names at the target, whatever its cards are called there.

udev names cards by their slots, so that ens3 of one machine is enp1s0 of another. A .link file gives the target's card
the name that all of the owner's files know: those need no change then.
Sources: systemd.link(5), systemd.net-naming-scheme(7).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from wherry.boot.changeset import Notice, Weight, WriteFile
from wherry.boot.parsing import ifcfg, ifupdown, netplan, networkd, networkmanager, udev_names
from wherry.boot.parsing.interfaces import Addressing, Interface, is_pattern, natural_order
from wherry.boot.system import NetworkFile, System
from wherry.boot.target import Nic, TargetMachine
from wherry.contract.enumerations import NetworkWish

LINK: Final = "/etc/systemd/network/10-wherry-{}.link"

_ANY_CARD: Final = "Path=pci-* virtio-pci-*"
"""What udev says of every card on a bus, and of no bridge or bond."""
_NAMING_KINDS: Final = frozenset({"link", "udev"})
"""Files of these kinds give a card its name; so does netplan's set-name."""


@dataclass(frozen=True, slots=True)
class Card:
    """A network card of the source, as its files name it."""

    name: str
    """"" where it's only known by its MAC address."""
    macs: frozenset[str]
    nic: Nic | None = None
    """The target's card that takes its place; None where that isn't known."""


def cards(system: System, target: TargetMachine) -> list[Card]:
    """Return the source's cards in the natural order of their names, each with the target's card for it."""
    found: dict[str, set[str]] = {}
    nameless: set[str] = set()
    for interface in (each for file in system.network for each in file.interfaces):
        if interface.name and not is_pattern(interface.name) and interface.name not in system.virtual_interfaces:
            found.setdefault(interface.name, set()).update(filter(None, [interface.mac]))
        elif interface.mac:
            nameless.add(interface.mac)
    named = [Card(name, frozenset(found[name])) for name in sorted(found, key=natural_order)]
    known = {mac for card in named for mac in card.macs}
    everything = named + [Card("", frozenset({mac})) for mac in sorted(nameless - known)]
    chosen = {nic.name: nic for nic in target.nics if nic.name}
    rest = iter([nic for nic in target.nics if not nic.name])
    return [replace(card, nic=chosen.get(card.name) or next(rest, None)) for card in everything]


def follow_cards(system: System, target: TargetMachine) -> Iterator[WriteFile | Notice]:
    """Put the MAC addresses of the target's cards where files match those of the source's."""
    known = cards(system, target)
    for file in system.network:
        text = system.files[file.path]
        changed = text
        for card in known:
            for mac in sorted(card.macs & {each.mac for each in file.interfaces}):
                if card.nic is not None and card.nic.mac != mac:
                    changed = _with_mac(file, changed, mac, card.nic.mac)
                elif card.nic is None and len(known) == 1:
                    changed = _with_mac(file, changed, mac, "")
        if changed != text:
            yield WriteFile(file.path, changed, ("It matches a network card of the old machine.",), before=text)
    unknown = [card for card in known if card.nic is None]
    if len(known) > 1 and unknown:
        names = ", ".join(card.name or min(card.macs) for card in unknown)
        yield Notice(
            Weight.WARNING,
            f"Which of the target's network cards takes the place of {names} isn't known.",
            "Tell the MAC addresses of the target's cards (--mac NAME=MAC).",
        )


def keep_names(system: System, target: TargetMachine) -> Iterator[WriteFile]:
    """Give the target's cards the names that the system's files know."""
    known = cards(system, target)
    for card in known:
        if not card.name or _is_named_by_mac(card, system) or (card.nic is None and len(known) > 1):
            continue
        if system.names_by_kernel and (len(known) > 1 or card.name == "eth0"):
            continue  # the kernel's own names: one card is eth0 anyway, and several can't be swapped for each other
        match = _ANY_CARD if card.nic is None else f"MACAddress={card.nic.mac}"
        path = LINK.format(card.name)
        text = f"[Match]\n{match}\n\n[Link]\nName={card.name}\n"
        before = system.files.get(path)
        if before != text:
            why = f"The network is configured for {card.name}, and the target's card would get another name."
            yield WriteFile(path, text, (why,), before=before)


def ask_for_addresses(system: System, target: TargetMachine) -> Iterator[WriteFile]:
    """Replace kept addresses by DHCP, where that is wished."""
    if target.network is NetworkWish.KEEP:
        return
    for file in system.network:
        if any(interface.addressing is Addressing.STATIC for interface in file.interfaces):
            text = system.files[file.path]
            changed = _with_dhcp(file, text, system.virtual_interfaces)
            if changed != text:
                yield WriteFile(file.path, changed, ("The target's network gives the addresses (DHCP).",), before=text)


def _is_named_by_mac(card: Card, system: System) -> bool:
    """Whether another file names the card by a MAC address, which `follow_cards` has put right, or is kept."""
    if card.nic is None:
        return False
    naming = [file for file in system.network if file.kind in _NAMING_KINDS or _sets_names(file, system)]
    return any(each.name == card.name and each.mac for file in naming for each in file.interfaces)


def _sets_names(file: NetworkFile, system: System) -> bool:
    return file.kind == "netplan" and "set-name" in system.files[file.path]


def _with_mac(file: NetworkFile, text: str, old: str, new: str) -> str:
    """Return the text of *file* for the card *new* in the place of *old*; "" for a card by its name only."""
    if file.kind == "netplan":
        return netplan.with_mac(text, old, new) if new else netplan.with_match_by_name(text, old)
    if file.kind in {"networkd", "link"}:
        return networkd.with_mac(text, old, new)
    if file.kind == "networkmanager":
        return networkmanager.with_mac(text, new)
    return ifcfg.with_mac(text, new) if file.kind == "ifcfg" else udev_names.with_mac(text, old, new)


def _with_dhcp(file: NetworkFile, text: str, virtual: frozenset[str]) -> str:
    def chosen(interface: Interface) -> bool:
        return interface.name not in virtual

    if file.kind == "ifupdown":
        return ifupdown.with_dhcp(text, lambda interface: interface.name in {each.name for each in file.interfaces})
    if file.kind == "netplan":
        return netplan.with_dhcp(text, chosen)
    if file.kind == "networkd":
        return networkd.with_dhcp(text)
    return networkmanager.with_dhcp(text) if file.kind == "networkmanager" else ifcfg.with_dhcp(text)
