"""udev's rules that give network cards their names, written by old systems: 70-persistent-net.rules.

Source: udev(7), the rule generator of udev before version 197.
"""

import re
from typing import Final

from wherry.boot.parsing.interfaces import Addressing, Interface, read_mac

_ADDRESS: Final = re.compile(r'(ATTRS?\{address\}==")([^"]*)(")')
_NAME: Final = re.compile(r'NAME:?="([^"]+)"')


def read_rules(text: str) -> list[Interface]:
    """Return the cards that rules name by their MAC address."""
    found = []
    for line in text.splitlines():
        address, name = _ADDRESS.search(line), _NAME.search(line)
        if address and name and not line.lstrip().startswith("#") and read_mac(address[2]):
            found.append(Interface(name[1], read_mac(address[2]), Addressing.NONE))
    return found


def with_mac(text: str, old: str, new: str) -> str:
    """Return the rules with *new* in the place of the MAC address *old*; the lines fall away where *new* is ""."""
    lines = []
    for line in text.splitlines(keepends=True):
        address = _ADDRESS.search(line)
        if line.lstrip().startswith("#") or address is None or read_mac(address[2]) != old:
            lines.append(line)
        elif new:
            lines.append(f"{line[: address.start(2)]}{new}{line[address.end(2) :]}")
    return "".join(lines)
