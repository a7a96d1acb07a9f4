"""Kernels, their initramfs, and what builds it."""

from typing import Final

from wherry.boot.drivers import INTERESTING, builtin_by_config
from wherry.boot.errors import InitramfsUnreadable
from wherry.boot.guest import FileKind, Guest
from wherry.boot.initramfs import module_name, modules_in
from wherry.boot.system import InitramfsTool, Kernel

_IMAGES: Final = ("/boot/vmlinuz-{}", "/boot/vmlinux-{}", "/boot/Image-{}", "/lib/modules/{}/vmlinuz")
_INITRAMFS: Final = ("/boot/initrd.img-{}", "/boot/initramfs-{}.img", "/boot/initrd-{}")
_TOOLS: Final = {
    InitramfsTool.INITRAMFS_TOOLS: ("/usr/sbin/mkinitramfs",),
    InitramfsTool.DRACUT: ("/usr/bin/dracut", "/usr/sbin/dracut", "/sbin/dracut"),
}


def find_kernels(guest: Guest) -> tuple[Kernel, ...]:
    """Return the kernels that have both an image to be booted and a folder of modules."""
    found = (_kernel(guest, version) for version in guest.list("/lib/modules"))
    return tuple(kernel for kernel in found if kernel is not None)


def find_initramfs_tool(guest: Guest) -> InitramfsTool | None:
    """Return what builds the initramfs here."""
    for tool, places in _TOOLS.items():
        if any(guest.exists(place) for place in places):
            return tool
    return None


def _kernel(guest: Guest, version: str) -> Kernel | None:
    image = _first(guest, _IMAGES, version)
    if not image:
        return None
    initramfs = _first(guest, _INITRAMFS, version)
    carried, unreadable = _carried(guest, initramfs)
    return Kernel(
        version=version,
        image=image,
        initramfs=initramfs,
        available=_modules(guest, f"/lib/modules/{version}/modules.dep"),
        builtin=_builtin(guest, version),
        carried=carried,
        unreadable=unreadable,
    )


def _first(guest: Guest, places: tuple[str, ...], version: str) -> str:
    return next((place for each in places if _is_file(guest, place := each.format(version))), "")


def _is_file(guest: Guest, path: str) -> bool:
    status = guest.status(path)
    return status is not None and status.kind in {FileKind.FILE, FileKind.LINK} and guest.exists(path)


def _carried(guest: Guest, initramfs: str) -> tuple[frozenset[str] | None, str]:
    content = guest.read_bytes(initramfs) if initramfs else b""
    try:
        return modules_in(content or b"") & INTERESTING, ""
    except InitramfsUnreadable as error:
        return None, error.message


def _builtin(guest: Guest, version: str) -> frozenset[str]:
    listed = _modules(guest, f"/lib/modules/{version}/modules.builtin")
    return listed | builtin_by_config(guest.read_text(f"/boot/config-{version}") or "")


def _modules(guest: Guest, path: str) -> frozenset[str]:
    lines = (guest.read_text(path) or "").splitlines()
    return frozenset(module_name(line.partition(":")[0].strip()) for line in lines) & INTERESTING
