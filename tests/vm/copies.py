"""Copies of a source server as they land, sound or broken in one way, with the probe put in. For root."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.unit.boot.memory_guest import MemoryGuest
from tests.vm.disk import BIOS_BOOT_AT, BIOS_BOOT_SIZE, ESP_AT, ESP_SIZE, mounted_root
from tests.vm.source_image import SourceImage, copy_of
from wherry.boot.guest import FileKind
from wherry.boot.probe import Check, install

_GRUB: Final = "boot/grub/grub.cfg"
_BOOT_CODE: Final = 440  # bytes of the first sector, before the disk's signature

UNKNOWN_UUID: Final = "00000000-1111-2222-3333-444444444444"

Change = Callable[[Path], None]
"""Changes the mounted root filesystem at a path."""


def landed(image: SourceImage, folder: Path, checks: Sequence[Check] = (), change: Change | None = None) -> Path:
    """Return a copy of the server's disk in *folder*, changed by *change*, with the probe and *checks* in it."""
    copy = copy_of(image, folder / "landed.raw")
    root = folder / "root"
    with mounted_root(copy, root):
        if change is not None:
            change(root)
        _put_probe(root, checks)
    return copy


def _put_probe(root: Path, checks: Sequence[Check]) -> None:
    """Put the probe in by way of a guest in memory, whose files are written out."""
    guest = MemoryGuest({f"/{_GRUB}": (root / _GRUB).read_bytes()})
    install(guest, checks)
    for name, node in guest.nodes.items():
        path = root / name.removeprefix("/")
        if node.kind is FileKind.FILE:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(node.content)
            path.chmod(node.mode)
        elif node.kind is FileKind.LINK:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(node.content.decode())


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


def with_unknown_uuid(root: Path) -> None:
    """Have /etc/fstab name a filesystem that isn't on the disks."""
    with (root / "etc/fstab").open("a") as fstab:
        fstab.write(f"UUID={UNKNOWN_UUID} /data ext4 defaults 0 2\n")


def without_loader_files(root: Path) -> None:
    """Have GRUB find none of its modules."""
    (root / "boot/grub/i386-pc").rename(root / "boot/grub/elsewhere")


def with_dying_init(root: Path) -> None:
    """Have the first process end at once, at which the kernel panics."""
    init = root / "lib/systemd/systemd"
    init.unlink()
    init.write_bytes((root / "bin/false").read_bytes())
    init.chmod(0o755)
