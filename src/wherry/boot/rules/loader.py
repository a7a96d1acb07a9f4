"""The target's firmware finds a boot loader: in a boot sector, or on the ESP at the path that every firmware tries.

Source: UEFI specification 2.10, 3.5.1.1 (removable media); entries in a machine's NVRAM don't travel with its disks.
"""

from collections.abc import Iterator
from typing import Final

from wherry.boot.blocks import BIOS_BOOT
from wherry.boot.changeset import CopyFile, InstallLoader, Notice, Weight
from wherry.boot.guest import GuestDisk
from wherry.boot.system import LoaderKind, System
from wherry.boot.target import Firmware, TargetMachine

_FALLBACK: Final = "/EFI/BOOT/BOOTX64.EFI"
_FIRST_STAGES: Final = ("shimx64.efi", "grubx64.efi", "systemd-bootx64.efi")
_COMPANIONS: Final = ("grubx64.efi", "mmx64.efi")


def make_it_start(system: System, target: TargetMachine) -> Iterator[CopyFile | InstallLoader | Notice]:
    """Put a boot loader where the target's firmware looks for one; nothing where there's one already."""
    if system.loader.kind is LoaderKind.NONE:
        yield Notice(
            Weight.BLOCKER,
            "There's no boot loader that Wherry knows.",
            "Install GRUB 2 on the source; other boot loaders are not converted.",
        )
    elif system.loader.kind is LoaderKind.GRUB_LEGACY:
        yield Notice(
            Weight.WARNING,
            "The boot loader is GRUB 0.9x, which is left as it is.",
            "Rehearse the launch; if it fails, install GRUB 2 on the source.",
        )
    elif target.firmware is Firmware.BIOS:
        yield from _for_bios(system)
    else:
        yield from _for_uefi(system)


def _for_bios(system: System) -> Iterator[InstallLoader | Notice]:
    if system.disks and system.disks[0].boot_code:
        return
    later = next((number for number, disk in enumerate(system.disks) if disk.boot_code), None)
    if later is not None:
        yield Notice(
            Weight.WARNING,
            f"The boot loader is on disk {later}, and a BIOS starts from the first.",
            "Let the target start from that disk, or attach it first.",
        )
    elif not system.loader.bios_platform:
        yield Notice(
            Weight.BLOCKER,
            "The disks start by UEFI only, and GRUB for BIOS isn't installed in the system.",
            "Choose a target with UEFI, or install GRUB for BIOS on the source (grub-pc-bin, grub2-pc-modules).",
        )
    elif system.disks and not _has_room_for_grub(system.disks[0]):
        yield Notice(
            Weight.BLOCKER,
            "The first disk's GPT has no BIOS boot partition that GRUB could be put into.",
            "Choose a target with UEFI, or make a BIOS boot partition of 1 MiB on the source.",
        )
    else:
        yield InstallLoader(Firmware.BIOS, 0, "", ("A BIOS finds no boot loader in the first sector of any disk.",))


def _has_room_for_grub(disk: GuestDisk) -> bool:
    return disk.table != "gpt" or any(partition.type == BIOS_BOOT for partition in disk.partitions)


def _for_uefi(system: System) -> Iterator[CopyFile | InstallLoader | Notice]:
    loader = system.loader
    if not loader.esp:
        yield Notice(
            Weight.BLOCKER,
            "There's no EFI system partition that the system mounts.",
            "Choose a target with BIOS, or make an EFI system partition on the source and mount it on /boot/efi.",
        )
        return
    by_name = {path.lower(): path for path in loader.efi_programs}
    fallback = loader.esp + _FALLBACK
    if fallback.lower() in by_name:
        return
    first = next((path for name in _FIRST_STAGES for path in loader.efi_programs if _base(path) == name), None)
    if first is not None:
        why = "The old machine's firmware knew the boot loader by an entry that doesn't travel; this path all try."
        yield CopyFile(first, fallback, (why,))
        folder = first.rpartition("/")[0]
        for name in _COMPANIONS:
            companion = by_name.get(f"{folder}/{name}".lower())
            if companion is not None and companion != first:
                yield CopyFile(
                    companion, f"{loader.esp}/EFI/BOOT/{name}", ("The boot loader looks for it beside itself.",)
                )
    elif loader.efi_platform:
        yield InstallLoader(Firmware.UEFI, 0, loader.esp, ("There's no boot loader on the EFI system partition.",))
    else:
        yield Notice(
            Weight.BLOCKER,
            "The EFI system partition holds no boot loader, and GRUB for UEFI isn't installed in the system.",
            "Choose a target with BIOS, or install GRUB for UEFI on the source (grub-efi-amd64-bin, grub2-efi-x64).",
        )


def _base(path: str) -> str:
    return path.rpartition("/")[2].lower()
