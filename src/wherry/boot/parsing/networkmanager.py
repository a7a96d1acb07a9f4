"""Connection profiles of NetworkManager.

Source: nm-settings-keyfile(5).
"""

from typing import Final

from wherry.boot.parsing import ini
from wherry.boot.parsing.interfaces import Addressing, Interface, read_mac

_ETHERNET_SECTIONS: Final = ("ethernet", "802-3-ethernet")
_ETHERNET_TYPES: Final = frozenset(_ETHERNET_SECTIONS)


def read_profile(text: str) -> list[Interface]:
    """Return the network card that a profile is for; none where it's for something virtual or for any card."""
    if ini.value(text, "connection", "type") not in _ETHERNET_TYPES:
        return []
    name = ini.value(text, "connection", "interface-name")
    macs = [read_mac(each) for section in _ETHERNET_SECTIONS for each in ini.values(text, section, "mac-address")]
    mac = next((each for each in macs if each), "")
    return [Interface(name, mac, _addressing(text))] if name or mac or is_static(text) else []


def is_static(text: str) -> bool:
    """Whether the profile holds addresses of its own."""
    return "manual" in {ini.value(text, "ipv4", "method"), ini.value(text, "ipv6", "method")}


def with_mac(text: str, mac: str) -> str:
    """Return a profile for the card with the address *mac*; with "", for any card of its name."""
    for section in _ETHERNET_SECTIONS:
        if mac and ini.values(text, section, "mac-address"):
            text = ini.put(text, section, "mac-address", mac.upper())
        else:
            text = ini.remove(text, section, lambda key, _: key == "mac-address")
    return text


def with_dhcp(text: str) -> str:
    """Return a profile with automatic addresses in the place of its own."""
    for section in ("ipv4", "ipv6"):
        if ini.value(text, section, "method") == "manual":
            text = ini.remove(text, section, _is_of_the_old_network)
            text = ini.put(text, section, "method", "auto")
    return text


def _is_of_the_old_network(key: str, _value: str) -> bool:
    return key in {"gateway", "dns", "dns-search"} or key.startswith(("address", "route"))


def _addressing(text: str) -> Addressing:
    if is_static(text):
        return Addressing.STATIC
    return Addressing.DHCP if ini.value(text, "ipv4", "method") in {"auto", ""} else Addressing.NONE
