"""Filesystems are mounted, unlocked and resumed from by names that travel."""

from collections.abc import Iterator
from typing import Final

from wherry.boot.changeset import Notice, Weight, WriteFile
from wherry.boot.inspection import CRYPTTAB, FSTAB, RESUME
from wherry.boot.naming import find_partition, is_known, is_of_the_host, stable_name
from wherry.boot.parsing.assignments import read_assignments, set_variable
from wherry.boot.parsing.columns import (
    CrypttabEntry,
    FstabEntry,
    read_crypttab,
    read_fstab,
    replace_devices,
    replace_specs,
)
from wherry.boot.system import System
from wherry.boot.target import TargetMachine

_WHY: Final = "Names of devices depend on the machine; UUIDs travel with the filesystem."


def mend_fstab(system: System, target: TargetMachine) -> Iterator[WriteFile | Notice]:
    """Name by UUID what fstab names by a device of the old machine."""
    text = system.files.get(FSTAB)
    if text is None:
        return
    names = {each.spec: stable_name(each.spec, system, target.source_disks, each.type) for each in read_fstab(text)}

    def wanted(entry: FstabEntry) -> str | None:
        return names.get(entry.spec)

    changed = replace_specs(text, wanted)
    if changed != text:
        yield WriteFile(FSTAB, changed, (_WHY,), before=text)
    for entry in read_fstab(changed):
        if not entry.may_be_missing:
            yield from _missing(entry, system)


def mend_crypttab(system: System, target: TargetMachine) -> Iterator[WriteFile | Notice]:
    """Name by UUID what crypttab names by a device of the old machine; where there's none, by the partition's own."""
    text = system.files.get(CRYPTTAB)
    if text is None:
        return

    def wanted(entry: CrypttabEntry) -> str | None:
        name = stable_name(entry.device, system, target.source_disks, "crypto_LUKS")
        if name is not None or not is_of_the_host(entry.device):
            return name
        partition = find_partition(entry.device, system, target.source_disks)
        return f"/dev/disk/by-partuuid/{partition.part_uuid}" if partition and partition.part_uuid else None

    changed = replace_devices(text, wanted)
    if changed != text:
        yield WriteFile(CRYPTTAB, changed, (_WHY,), before=text)
    for volume in read_crypttab(changed):
        if is_of_the_host(volume.device) or not is_known(volume.device, system):
            yield Notice(
                Weight.WARNING,
                f"{CRYPTTAB} unlocks {volume.name} from {volume.device}, which isn't among the landed disks.",
                "Migrate its disk too, or remove the line on the source.",
            )


def mend_resume(system: System, target: TargetMachine) -> Iterator[WriteFile]:
    """Name by UUID the swap that initramfs-tools looks for a sleeping system on."""
    text = system.files.get(RESUME)
    name = stable_name(read_assignments(text or "").get("RESUME", ""), system, target.source_disks, "swap")
    if text is not None and name is not None:
        why = "The initramfs would wait for a device that isn't there; it takes effect with its next build."
        yield WriteFile(RESUME, set_variable(text, "RESUME", name), (why,), before=text)


def _missing(entry: FstabEntry, system: System) -> Iterator[Notice]:
    if is_of_the_host(entry.spec):
        yield Notice(
            Weight.WARNING,
            f"{FSTAB} mounts {entry.spec} on {entry.mount_point}: which landed filesystem that is can't be told.",
            "Name it by its UUID on the source, or tell what the disks were called there.",
        )
    elif not is_known(entry.spec, system):
        yield Notice(
            Weight.WARNING,
            f"{FSTAB} mounts {entry.spec} on {entry.mount_point}, which isn't among the landed disks: "
            "the start would stop for it.",
            "Migrate its disk too, or add the option nofail to the line on the source.",
        )
