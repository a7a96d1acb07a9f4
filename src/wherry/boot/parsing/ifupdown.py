"""/etc/network/interfaces and its parts, as ifupdown reads them.

Source: interfaces(5) of Debian.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from wherry.boot.parsing.interfaces import Addressing, Interface, is_physical

_STANZAS: Final = frozenset(
    {"iface", "mapping", "auto", "source", "source-directory", "no-auto-down", "no-scripts", "rename"}
)
_ADDRESS_OPTIONS: Final = frozenset(
    {
        "address",
        "netmask",
        "broadcast",
        "network",
        "gateway",
        "pointopoint",
        "metric",
        "dns-nameservers",
        "dns-nameserver",
        "dns-search",
        "dns-domain",
    }
)
_PORT_OPTIONS: Final = frozenset(
    {"bridge_ports", "bridge-ports", "bond-slaves", "slaves", "vlan-raw-device", "vlan_raw_device"}
)
_METHODS: Final = {"static": Addressing.STATIC, "dhcp": Addressing.DHCP, "auto": Addressing.DHCP}


def read_interfaces(text: str) -> list[Interface]:
    """Return the network cards that an interfaces file names; ports of bridges and bonds too."""
    found: dict[str, Addressing] = {}
    for words, _ in _lines(text):
        if words[0] == "iface" and len(words) >= 4 and is_physical(words[1]):
            method = _METHODS.get(words[3], Addressing.NONE)
            if found.get(words[1], Addressing.NONE) is not Addressing.STATIC:
                found[words[1]] = method
        elif words[0] in _PORT_OPTIONS:
            for name in filter(is_physical, words[1:]):
                found.setdefault(name, Addressing.NONE)
    return [Interface(name, "", addressing) for name, addressing in found.items()]


def with_dhcp(text: str, chosen: Callable[[Interface], bool]) -> str:
    """Return the file with static addresses of the *chosen* interfaces replaced by DHCP (for IPv6: by auto)."""
    lines = text.split("\n")
    changing = False
    for words, numbers in list(_lines(text)):
        if words[0] == "iface":
            changing = _is_static(words) and chosen(Interface(words[1], "", Addressing.STATIC))
            if changing:
                method = "auto" if words[2] == "inet6" else "dhcp"
                lines[numbers[0]] = re.sub(r"\bstatic\b", method, "\n".join(lines[each] for each in numbers))
                _drop(lines, numbers[1:])
        elif words[0] in _STANZAS or words[0].startswith("allow-"):
            changing = False
        elif changing and words[0] in _ADDRESS_OPTIONS:
            _drop(lines, numbers)
    return "\n".join(line for line in lines if line != _DROPPED)


_DROPPED: Final = "\0dropped"


def _drop(lines: list[str], numbers: range) -> None:
    for number in numbers:
        lines[number] = _DROPPED


def _is_static(words: list[str]) -> bool:
    return len(words) >= 4 and words[3] == "static"


def _lines(text: str) -> Iterator[tuple[list[str], range]]:
    """Yield the words of each line that says something, and which lines it stands on: a backslash joins them."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first = number
        whole = lines[number]
        while whole.endswith("\\") and number + 1 < len(lines):
            number += 1
            whole = whole[:-1] + lines[number]
        number += 1
        words = whole.split()
        if words and not words[0].startswith("#"):
            yield words, range(first, number)
