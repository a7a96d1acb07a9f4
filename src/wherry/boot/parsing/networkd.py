"""The .network, .netdev and .link files of systemd.

Sources: systemd.network(5), systemd.netdev(5), systemd.link(5).
"""

from typing import Final

from wherry.boot.parsing import ini
from wherry.boot.parsing.interfaces import Addressing, Interface, is_physical, read_mac

_MAC_KEYS: Final = ("MACAddress", "PermanentMACAddress")
_DHCP: Final = frozenset({"yes", "true", "on", "1", "both", "ipv4", "ipv6", "v4", "v6"})
_ADDRESS_SECTIONS: Final = ("Address", "Route")


def read_network(text: str) -> list[Interface]:
    """Return the network cards that a .network file matches by name or by MAC address."""
    names = [name for line in ini.values(text, "Match", "Name") for name in line.split()]
    macs = match_macs(text)
    addressing = _addressing(text)
    if macs:
        return [Interface(names[0] if len(names) == 1 else "", mac, addressing) for mac in macs]
    return [Interface(name, "", addressing) for name in names if is_physical(name) or "*" in name]


def match_macs(text: str) -> list[str]:
    """Return the MAC addresses by which a .network or .link file finds its card."""
    words = [word for key in _MAC_KEYS for line in ini.values(text, "Match", key) for word in line.split()]
    return [mac for mac in map(read_mac, words) if mac]


def link_name(text: str) -> str:
    """Return the name that a .link file gives; "" where it gives none."""
    return ini.value(text, "Link", "Name")


def netdev_name(text: str) -> str:
    """Return the name of the virtual interface that a .netdev file makes."""
    return ini.value(text, "NetDev", "Name")


def with_mac(text: str, old: str, new: str) -> str:
    """Return a .network or .link file with *new* in the place of the MAC address *old*.

    Where *new* is "", nothing stands in its place, and a match that is empty then becomes one of all cards.
    """
    for key in _MAC_KEYS:
        words = [word for line in ini.values(text, "Match", key) for word in line.split()]
        kept = [new if read_mac(word) == old else word for word in words]
        if kept != words and any(kept):
            text = ini.put(text, "Match", key, " ".join(filter(None, kept)))
        elif kept != words:
            text = _without_match(text, key)
    return text


def _without_match(text: str, key: str) -> str:
    text = ini.remove(text, "Match", lambda name, _: name == key)
    if ini.values(text, "Match", "Name") or match_macs(text):
        return text
    return ini.put(text, "Match", "Path", "pci-* virtio-pci-*")


def with_dhcp(text: str) -> str:
    """Return a .network file with DHCP in the place of its addresses, routes and name servers."""
    for section in _ADDRESS_SECTIONS:
        text = _without_section(text, section)
    text = ini.remove(text, "Network", lambda key, _: key in {"Address", "Gateway", "DNS", "Domains"})
    return ini.put(text, "Network", "DHCP", "yes")


def _addressing(text: str) -> Addressing:
    if ini.values(text, "Network", "Address") or ini.values(text, "Address", "Address"):
        return Addressing.STATIC
    is_dhcp = ini.value(text, "Network", "DHCP").lower() in _DHCP
    return Addressing.DHCP if is_dhcp else Addressing.NONE


def _without_section(text: str, section: str) -> str:
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.strip().startswith("["):
            inside = line.strip() == f"[{section}]"
        if not inside:
            kept.append(line)
    return "".join(kept)
