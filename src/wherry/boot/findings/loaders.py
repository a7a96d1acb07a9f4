"""The boot loader: its configuration, what it can be installed from, what firmware finds of it."""

from collections.abc import Iterator
from typing import Final

from wherry.boot.guest import Guest, GuestFilesystem
from wherry.boot.system import Loader, LoaderKind

GRUB_DEFAULTS: Final = "/etc/default/grub"
DEVICE_MAPS: Final = ("/boot/grub/device.map", "/boot/grub2/device.map")
KERNEL_COMMAND_LINE: Final = "/etc/kernel/cmdline"
ENVIRONMENTS: Final = ("/boot/grub/grubenv", "/boot/grub2/grubenv")

_GRUB_CONFIGS: Final = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_LEGACY_CONFIGS: Final = ("/boot/grub/menu.lst", "/boot/grub/grub.conf")
_ENTRY_FOLDERS: Final = ("/boot/loader/entries", "/boot/efi/loader/entries", "/efi/loader/entries")
_ESP_PLACES: Final = ("/boot/efi", "/efi", "/boot")


def find_loader(guest: Guest) -> Loader:
    """Return the boot loader of a system."""
    esp = _esp(guest)
    grub = [path for path in _GRUB_CONFIGS if guest.exists(path)]
    grub_on_esp = [path for path in _files_below(guest, f"{esp}/EFI") if path.endswith("/grub.cfg")] if esp else []
    entries = [f"{folder}/{name}" for folder in _ENTRY_FOLDERS for name in guest.list(folder) if name.endswith(".conf")]
    environments = [path for path in ENVIRONMENTS if guest.exists(path)]
    return Loader(
        kind=_kind(guest, grub, grub_on_esp, entries),
        config_paths=tuple(grub + grub_on_esp + entries + environments),
        bios_platform=_has_platform(guest, "i386-pc"),
        efi_platform=_has_platform(guest, "x86_64-efi"),
        esp=esp,
        efi_programs=tuple(path for path in _files_below(guest, f"{esp}/EFI") if path.lower().endswith(".efi"))
        if esp
        else (),
    )


def _kind(guest: Guest, grub: list[str], grub_on_esp: list[str], entries: list[str]) -> LoaderKind:
    if grub or grub_on_esp:
        return LoaderKind.GRUB2
    if entries:
        return LoaderKind.SYSTEMD_BOOT
    return LoaderKind.GRUB_LEGACY if any(map(guest.exists, _LEGACY_CONFIGS)) else LoaderKind.NONE


def _esp(guest: Guest) -> str:
    mounted = [each.mount_point for each in guest.filesystems if _is_fat(each) and each.mount_point]
    return next((place for place in _ESP_PLACES if place in mounted), mounted[0] if len(mounted) == 1 else "") or ""


def _is_fat(filesystem: GuestFilesystem) -> bool:
    return filesystem.type in {"vfat", "msdos"}


def _has_platform(guest: Guest, platform: str) -> bool:
    return any(guest.is_dir(f"/usr/{place}/grub/{platform}") for place in ("lib", "lib64", "share"))


def _files_below(guest: Guest, folder: str, depth: int = 3) -> Iterator[str]:
    for name in guest.list(folder):
        path = f"{folder}/{name}"
        if not guest.is_dir(path):
            yield path
        elif depth:
            yield from _files_below(guest, path, depth - 1)
