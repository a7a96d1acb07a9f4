"""What lies between disks and filesystems comes up on the target: md, LVM, LUKS."""

import re
from collections.abc import Iterator
from typing import Final

from wherry.boot.changeset import Notice, RebuildInitramfs, RemoveFile, Weight, WriteFile
from wherry.boot.inspection import CRYPTTAB, LVM_CONFIG, LVM_DEVICES, MDADM_CONFIGS
from wherry.boot.parsing.columns import CrypttabEntry, read_crypttab
from wherry.boot.parsing.mdadm import look_at_all, looked_at
from wherry.boot.places import volume_names
from wherry.boot.rules.initramfs import rebuilt
from wherry.boot.system import System
from wherry.boot.target import TargetMachine

_TYPED: Final = frozenset({"none", "-"})
_OF_THE_MACHINE: Final = ("tpm2-device", "fido2-device", "pkcs11-uri")
_FILTER: Final = re.compile(r"^[ \t]*(?:global_)?filter[ \t]*=[ \t]*(\[[^\]]*\]|\"[^\"]*\")", re.MULTILINE)
_HOST_NAMES: Final = re.compile(r"/dev/(?:sd|vd|xvd|hd|nvme|disk/by-(?:path|id))|\b(?:sd|vd|xvd)[a-z]")


def mend_mdadm(system: System, _target: TargetMachine) -> Iterator[WriteFile | RebuildInitramfs]:
    """Have mdadm look for arrays on all devices where it's told the old machine's, in the initramfs too."""
    for path in MDADM_CONFIGS:
        text = system.files.get(path)
        if text is None or not any(map(_HOST_NAMES.match, looked_at(text))):
            continue
        why = "mdadm would look for arrays on the old machine's devices only; by default it looks at all."
        yield WriteFile(path, look_at_all(text), (why,), before=text)
        for kernel in system.kernels:
            if kernel.initramfs and system.initramfs_tool is not None:
                yield rebuilt(kernel, system, (), "It has a copy of mdadm's configuration.")


def forget_lvm_devices(system: System, _target: TargetMachine) -> Iterator[RemoveFile]:
    """Let LVM look at all disks: its list names those of the old machine by their serial numbers."""
    text = system.files.get(LVM_DEVICES)
    if text is not None:
        why = "LVM would use only the disks that it lists, by the old machine's serial numbers. Without the list, all."
        yield RemoveFile(LVM_DEVICES, text, (why,))


def tell_of_lvm_filter(system: System, _target: TargetMachine) -> Iterator[Notice]:
    """Warn of a filter by which LVM would see the old machine's devices only."""
    if any(_HOST_NAMES.search(value) for value in _FILTER.findall(system.files.get(LVM_CONFIG, ""))):
        yield Notice(
            Weight.WARNING,
            f"{LVM_CONFIG} has a filter that names devices of the old machine: LVM may find no volumes on the target.",
            "Take the filter out on the source, rebuild the initramfs there, and rehearse the launch.",
        )


def tell_who_unlocks(system: System, _target: TargetMachine) -> Iterator[Notice]:
    """Tell which encrypted volumes wait for somebody, and which were opened by a part of the old machine."""
    text = system.files.get(CRYPTTAB, "")
    landed = set(volume_names(text, system).values())
    for volume in read_crypttab(text):
        if volume.name in landed:
            yield from _unlocking(volume)


def _unlocking(volume: CrypttabEntry) -> Iterator[Notice]:
    bound = [name for name in _OF_THE_MACHINE if any(option.startswith(name) for option in volume.options)]
    if bound:
        yield Notice(
            Weight.WARNING,
            f"The encrypted volume {volume.name} is opened by {', '.join(bound)}, which stays with the old machine.",
            "Have a passphrase for it at hand at the target's console, and enrol the new machine there.",
        )
    elif volume.key in _TYPED and not any(option.startswith("keyscript=") for option in volume.options):
        yield Notice(
            Weight.NOTE,
            f"The encrypted volume {volume.name} is opened by a passphrase at the console, on the target too.",
            "Be at the target's console when it starts. A rehearsal types it from the folder of keys (--luks-keys).",
        )
