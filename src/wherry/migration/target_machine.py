"""Which machine a landed system is made for: from what the source registered, the template, and the user's wishes.

Names of flavors are read as the vendor writes them, such as ``s3.xlarge.2``: the middle tells the processors, the last
number how many GiB of memory each of them has. A flavor of another kind tells nothing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import convert, structs

from wherry.contract.enumerations import Firmware
from wherry.contract.landing import ISOLATED_NETWORK, TargetMachine, TargetMachineWish
from wherry.contract.sources import Registration

_FLAVOR: Final = re.compile(r"[a-z][a-z0-9]{0,15}\.(small|medium|large|(\d{0,2})xlarge)\.(\d{1,2})")
_VCPUS: Final = {"small": 1, "medium": 1, "large": 2}
_PER_XLARGE: Final = 4
_MOST_VCPUS: Final = 1024
_LEAST_MEMORY_MB: Final = 512
_USUAL_MEMORY_MB: Final = 2048
_MAC: Final = re.compile(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_MOST_MACS: Final = 32
_OF_MACHINE: Final = frozenset(TargetMachine.__struct_fields__)


def recommend(registration: Registration, flavor: str, wish: TargetMachineWish) -> TargetMachine:
    """Return the machine: what the user wishes, else what the flavor says, else as large as the source is."""
    vcpus, memory_mb = of_flavor(flavor) or _of_source(registration)
    machine = TargetMachine(
        firmware=Firmware.UEFI if registration.firmware == Firmware.UEFI else Firmware.BIOS,
        vcpus=vcpus,
        memory_mb=memory_mb,
        macs=[network.mac for network in registration.networks or () if network.mac and _MAC.fullmatch(network.mac)][
            :_MOST_MACS
        ],
    )
    wished = {name: value for name, value in structs.asdict(wish).items() if value is not None and name in _OF_MACHINE}
    return structs.replace(machine, **wished)


def of_flavor(flavor: str) -> tuple[int, int] | None:
    """Return processors and MiB of memory that a flavor's name tells, None for a name that tells nothing."""
    found = _FLAVOR.fullmatch(flavor)
    if found is None:
        return None
    size, times, ratio = found[1], found[2], int(found[3])
    vcpus = _VCPUS.get(size) or _PER_XLARGE * int(times or "1")
    return (vcpus, vcpus * ratio * 1024) if vcpus and ratio else None


def of_clone(machine: TargetMachine, wish: TargetMachineWish) -> TargetMachine:
    """Return the machine of a clone, which runs beside its original: it doesn't meet it unless the user says so."""
    return structs.replace(machine, macs=[], networks=wish.clone_networks or [ISOLATED_NETWORK])


def wish_of(settings: Mapping[str, Any]) -> TargetMachineWish:
    """Return what a user wished of a task's target machine, from the task's settings."""
    return convert(settings.get(SETTING, {}), TargetMachineWish)


SETTING: Final = "target_machine"
"""Where a task's settings have the wish."""


def _of_source(registration: Registration) -> tuple[int, int]:
    memory = registration.memory or _USUAL_MEMORY_MB
    vcpus = min(registration.cpu_quantity or 1, _MOST_VCPUS)
    return vcpus, min(max(memory, _LEAST_MEMORY_MB), 16 << 20)
