"""Where the UEFI firmware for virtual machines lies on this host."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wherry.boot.machine.errors import UefiFirmwareMissing


@dataclass(frozen=True, slots=True)
class UefiFirmware:
    """OVMF: its code, and the variables that each machine starts with and keeps a copy of. Without Secure Boot."""

    code: Path
    variables: Path


PLACES: Final = (
    UefiFirmware(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    UefiFirmware(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    UefiFirmware(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
)
"""Debian (newer and older) and Fedora; the first that is there is taken."""


def find_uefi_firmware(places: Sequence[UefiFirmware] = PLACES) -> UefiFirmware:
    """Return this host's firmware. Raises UefiFirmwareMissing."""
    for place in places:
        if place.code.is_file() and place.variables.is_file():
            return place
    raise UefiFirmwareMissing(places=", ".join(str(place.code) for place in places))
