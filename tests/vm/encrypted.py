"""The keys of encrypted source servers, and an initramfs that asks for one instead of having it."""

from pathlib import Path
from typing import Final

import zstandard

from demo.mounting import attached, mounted, partitioned
from tests.unit.boot.cpio_archive import cpio
from tests.vm.source_image import SourceImage
from wherry.boot.guest import Guest

_KEY_FILE: Final = b"cryptroot/keyfiles/cryptroot.key\0"
_HEADER: Final = 110
"""Of an entry in a cpio archive, in bytes; its size stands at 54."""


def key_of(server: SourceImage, folder: Path) -> bytes:
    """Return the key that the initramfs of an encrypted server opens its root with; *folder* for a mount."""
    with (
        attached(server.path, read_only=True) as device,
        partitioned(device) as partitions,
        mounted(partitions[2], folder, ["ro", "noload"]),
    ):
        (path,) = folder.glob("initrd.img-*")
        packed = path.read_bytes()
    archive = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    name = archive.index(_KEY_FILE)
    size = int(archive[name - _HEADER + 54 : name - _HEADER + 62], 16)
    begin = name + len(_KEY_FILE)
    begin += -begin % 4
    return archive[begin : begin + size]


def key_folder(folder: Path, identity: str, key: bytes) -> Path:
    """Make *folder* a folder of keys with one for the volume *identity*; return it."""
    folder.mkdir(mode=0o700)
    path = folder / identity
    path.touch(mode=0o600)
    path.write_bytes(key)
    return folder


def asking_for_the_passphrase(guest: Guest) -> None:
    """Have the initramfs ask for the key that it has: a second archive behind it takes the place of one file."""
    (volume,) = [each for each in guest.filesystems if each.type == "crypto_LUKS"]
    (name,) = [name for name in guest.list("/boot") if name.startswith("initrd.img-")]
    content = guest.read_bytes(f"/boot/{name}") or b""
    table = f"cryptroot UUID={volume.uuid} none luks,initramfs\n"
    guest.write(f"/boot/{name}", content + bytes(-len(content) % 4) + cpio(["cryptroot/crypttab"], table.encode()))
