"""The ifcfg files of Red Hat's and SUSE's systems.

Sources: sysconfig.txt of initscripts; ifcfg(5) of wicked.
"""

import re
from typing import Final

from wherry.boot.parsing.assignments import read_assignments, remove_variables, set_variable
from wherry.boot.parsing.interfaces import Addressing, Interface, is_physical, read_mac

_VIRTUAL_TYPES: Final = frozenset({"bridge", "bond", "vlan", "team", "ovsbridge", "tunnel", "ipip", "gre", "wireguard"})
_ADDRESS: Final = re.compile(
    r"(?:IPADDR|NETMASK|PREFIX|PREFIXLEN|GATEWAY|BROADCAST|NETWORK|DNS|DOMAIN|REMOTE_IPADDR)(?:_?[A-Z0-9]+)?"
)


def read_ifcfg(text: str, name: str) -> list[Interface]:
    """Return the network card that the file ifcfg-*name* is for; none for something virtual."""
    variables = read_assignments(text)
    device = variables.get("DEVICE", "" if "HWADDR" in variables else name)
    kind = variables.get("TYPE", "").lower()
    mac = read_mac(variables.get("HWADDR", ""))
    if kind in _VIRTUAL_TYPES or variables.get("VLAN", "").lower() == "yes":
        return []
    return [Interface(device, mac, _addressing(variables))] if mac or is_physical(device) else []


def with_mac(text: str, mac: str) -> str:
    """Return the file for the card with the address *mac*, or without "" for a card by its name."""
    return set_variable(text, "HWADDR", mac) if mac else remove_variables(text, {"HWADDR"})


def with_dhcp(text: str) -> str:
    """Return the file with DHCP in the place of its addresses."""
    old = {name for name in read_assignments(text) if _ADDRESS.fullmatch(name)}
    return set_variable(remove_variables(text, old), "BOOTPROTO", "dhcp")


def _addressing(variables: dict[str, str]) -> Addressing:
    method = variables.get("BOOTPROTO", "none").lower()
    if method in {"dhcp", "dhcp4", "dhcp6", "bootp"}:
        return Addressing.DHCP
    return Addressing.STATIC if any(name.startswith("IPADDR") for name in variables) else Addressing.NONE
