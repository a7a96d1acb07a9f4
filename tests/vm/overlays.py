"""Overlays over a source server's disks, sound or broken in one way, with the probe put in as a receiver does it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.vm.disk import BIOS_BOOT_AT, BIOS_BOOT_SIZE, ESP_AT, ESP_SIZE
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.guest import Guest
from wherry.boot.overlay import make_overlay
from wherry.boot.probe import Check, install

_BOOT_CODE: Final = 440  # bytes of the first sector, before the disk's signature

UNKNOWN_UUID: Final = "00000000-1111-2222-3333-444444444444"


def probed_overlay(
    disks: Sequence[Path], folder: Path, checks: Sequence[Check] = (), change: Callable[[Guest], None] | None = None
) -> list[Path]:
    """Return overlays over *disks*, in *folder*, changed by *change*, with the probe and *checks* in them."""
    overlays = make_overlay(disks, folder)
    with ChrootWorkbench().open(overlays, writable=True) as guest:
        if change is not None:
            change(guest)
        install(guest, checks)
    return overlays


def with_unknown_uuid(guest: Guest) -> None:
    """Have /etc/fstab name a filesystem that isn't on the disks."""
    before = guest.read_text("/etc/fstab") or ""
    guest.write_text("/etc/fstab", f"{before}UUID={UNKNOWN_UUID} /data ext4 defaults 0 2\n")


def without_loader_files(guest: Guest) -> None:
    """Have GRUB miss the first module that it needs."""
    guest.remove("/boot/grub/i386-pc/normal.mod")


FAILING_UNIT: Final = "fails-in-the-copy.service"


def with_failing_unit(guest: Guest) -> None:
    """Have a unit fail that isn't on the disks."""
    folder = "/etc/systemd/system"
    guest.write_text(f"{folder}/{FAILING_UNIT}", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    guest.make_directory(f"{folder}/multi-user.target.wants")
    guest.make_link(f"{folder}/multi-user.target.wants/{FAILING_UNIT}", f"{folder}/{FAILING_UNIT}")


def with_dying_init(guest: Guest) -> None:
    """Have the first process end at once, at which the kernel panics."""
    guest.write("/usr/lib/systemd/systemd", guest.read_bytes("/bin/false") or b"")


def without_boot_sector(disk: Path) -> None:
    """Take away the boot code of the disk's first sector; its partition table stays."""
    _clear(disk, 0, _BOOT_CODE)


def without_core(disk: Path) -> None:
    """Take away what the first sector's code starts: the content of the BIOS-boot partition."""
    _clear(disk, BIOS_BOOT_AT, BIOS_BOOT_SIZE)


def without_esp(disk: Path) -> None:
    """Take away the ESP's content, its filesystem too."""
    _clear(disk, ESP_AT, ESP_SIZE)


def _clear(disk: Path, offset: int, size: int) -> None:
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(bytes(size))
