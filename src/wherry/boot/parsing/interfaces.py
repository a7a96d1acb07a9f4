"""What a file says of a network interface, whoever's format it is in."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_PHYSICAL: Final = re.compile(r"(?:eth|en[a-z]|em|p\d+p|ib)[A-Za-z0-9_]*\d[A-Za-z0-9_]*")
_DIGITS: Final = re.compile(r"(\d+)")


class Addressing(StrEnum):
    """Where an interface has its addresses from."""

    DHCP = "dhcp"
    STATIC = "static"
    NONE = "none"
    """It has none of its own: a port of a bridge, for instance."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card as a file names it."""

    name: str
    """"" where the file doesn't say a name; may be a pattern such as en*."""
    mac: str
    """The address by which the file knows it, in lower case with colons; "" where it doesn't."""
    addressing: Addressing


def read_mac(text: str) -> str:
    """Return a MAC address in lower case with colons; "" for anything else."""
    word = text.strip().strip("\"'")
    return word.lower().replace("-", ":") if _MAC.fullmatch(word) else ""


def is_pattern(name: str) -> bool:
    """Whether *name* stands for any number of interfaces."""
    return any(mark in name for mark in "*?[!")


def is_physical(name: str) -> bool:
    """Whether *name* is one that the kernel or udev gives to a network card."""
    return _PHYSICAL.fullmatch(name) is not None


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a key that sorts eth2 before eth10."""
    parts = (part for part in _DIGITS.split(name) if part)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)
