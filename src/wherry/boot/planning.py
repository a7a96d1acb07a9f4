"""Planning: what has to be changed in a landed system for its target machine. Pure: nothing is read or written."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from wherry.boot.changeset import (
    Change,
    ChangeSet,
    Notice,
    RebuildInitramfs,
    RemoveFile,
    RestoreLabels,
    WriteFile,
    written_paths,
)
from wherry.boot.rules import command_line, fstab, initramfs, loader, network, services, storage
from wherry.boot.system import System
from wherry.boot.target import TargetMachine

Rule = Callable[[System, TargetMachine], Iterable[Change | Notice]]

RULES: Final[Sequence[Rule]] = (
    fstab.mend_fstab,
    fstab.mend_crypttab,
    fstab.mend_resume,
    storage.mend_mdadm,
    storage.forget_lvm_devices,
    storage.tell_of_lvm_filter,
    storage.tell_who_unlocks,
    command_line.name_root_by_uuid,
    command_line.let_grub_use_uuids,
    command_line.forget_device_map,
    network.follow_cards,
    network.keep_names,
    network.ask_for_addresses,
    services.keep_cloud_init_quiet,
    services.mask_hypervisor_tools,
    services.detach_agent,
    initramfs.add_drivers,
    loader.make_it_start,
)
"""In the order in which the changes are applied: what programs of the system read comes before they run."""


def plan(system: System, target: TargetMachine) -> ChangeSet:
    """Return what has to be changed so that *system* boots on *target*; nothing where it would anyway."""
    changes: list[Change] = []
    notices: list[Notice] = []
    for rule in RULES:
        for each in rule(system, target):
            if isinstance(each, Notice):
                notices.append(each)
            else:
                changes = _joined(changes, each)
                system = _changed(system, each)
    return ChangeSet(target, (*changes, *_labels(system, changes)), tuple(notices))


def _changed(system: System, change: Change) -> System:
    """Return the system as later rules are to see it."""
    if isinstance(change, WriteFile):
        return replace(system, files={**system.files, change.path: change.after})
    if isinstance(change, RemoveFile):
        return replace(system, files={path: text for path, text in system.files.items() if path != change.path})
    return system


def _joined(changes: list[Change], new: Change) -> list[Change]:
    """Return the changes with *new*; two of one file become one with both reasons, an initramfs the later one."""
    for place, old in enumerate(changes):
        if isinstance(old, WriteFile) and isinstance(new, WriteFile) and old.path == new.path:
            both = msgspec.structs.replace(old, after=new.after, why=tuple(dict.fromkeys((*old.why, *new.why))))
            return [*changes[:place], both, *changes[place + 1 :]]
        if isinstance(old, RebuildInitramfs) and isinstance(new, RebuildInitramfs) and old.path == new.path:
            modules = tuple(dict.fromkeys((*old.modules, *new.modules)))
            once = msgspec.structs.replace(new, modules=modules, why=tuple(dict.fromkeys((*old.why, *new.why))))
            return [*changes[:place], *changes[place + 1 :], once]
    return [*changes, new]


def _labels(system: System, changes: Sequence[Change]) -> list[Change]:
    if not system.selinux.labels_matter or not any(map(written_paths, changes)):
        return []
    why = f"SELinux is {system.selinux.mode} and stays so; what is new needs its label."
    return [RestoreLabels(system.selinux.policy, (why,))]
