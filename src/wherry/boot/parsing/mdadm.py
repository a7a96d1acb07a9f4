"""mdadm's configuration: which devices it looks at, and what it calls the arrays. Source: mdadm.conf(5).

A line that begins with a blank goes on with the one before.
"""

import re
from typing import Final

_DEVICE: Final = re.compile(r"^DEVICE\b[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE | re.IGNORECASE)
_ARRAY: Final = re.compile(r"^ARRAY\b[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE | re.IGNORECASE)
_IDENTITY: Final = re.compile(r"uuid=([0-9a-f:.-]+)", re.IGNORECASE)
_NAME: Final = re.compile(r"(?:[^/:]*:)?([^/:]+)")

ALL_DEVICES: Final = "DEVICE partitions containers"
"""What mdadm takes by default."""


def looked_at(text: str) -> list[str]:
    """Return the words of all DEVICE lines: names and patterns of devices."""
    return [word for line in _DEVICE.findall(text) for word in line.split()[1:]]


def look_at_all(text: str) -> str:
    """Return the configuration with the default in place of each DEVICE line."""
    return _DEVICE.sub(ALL_DEVICES, text)


def array_names(text: str) -> dict[str, str]:
    """Return what the configuration calls each array, by the array's UUID as hexadecimal digits alone."""
    names: dict[str, str] = {}
    for line in _ARRAY.findall(text):
        words = line.split()
        found = next((match for word in words if (match := _IDENTITY.fullmatch(word))), None)
        if found is not None and len(words) > 1 and words[1].startswith("/dev/"):
            names.setdefault(digits(found[1]), words[1])
    return names


def digits(identity: str) -> str:
    """Return a UUID, in whatever form, as lower case hexadecimal digits alone."""
    return re.sub(r"[^0-9a-f]", "", identity.lower())


def names_of(array: str) -> list[str]:
    """Return the devices by which the array with the superblock's name *array* (server:0, or 0) goes."""
    match = _NAME.fullmatch(array)
    if match is None:
        return []
    return [f"/dev/md/{match[1]}", *([f"/dev/md{match[1]}"] if match[1].isdecimal() else [])]
