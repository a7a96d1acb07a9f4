"""The disks of a source server: partition tables, ESP, and where the filesystems of each layout lie. For root.

The kernel of the machine that tests may lack vfat, so the ESP is written by mtools.
"""

import contextlib
import os
import stat
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from demo.mounting import attached, mounted, partitioned
from tests.vm.recipe import MIB, Layout, Recipe, RootFilesystem
from tests.vm.storage import (
    CRYPT_NAME,
    VOLUME_GROUP,
    Mirror,
    Volume,
    fill_luks,
    format_luks,
    make_volume_group,
    write_superblocks,
)
from wherry.process import run

BIOS_BOOT_SIZE: Final = MIB
ESP_SIZE: Final = 64 * MIB
_BOOT_SIZE: Final = 192 * MIB
BIOS_BOOT_AT: Final = MIB
ESP_AT: Final = BIOS_BOOT_AT + BIOS_BOOT_SIZE
_THIRD_AT: Final = ESP_AT + ESP_SIZE
_FOURTH_AT: Final = _THIRD_AT + _BOOT_SIZE
_SWAP_SIZE: Final = 64 * MIB
_DATA_SIZE: Final = 128 * MIB
_THIRD: Final = 3
"""The number of the partition that GRUB reads: the root filesystem, or /boot where that has a partition of its own."""

SWAP_FILE: Final = "swapfile"
"""Of the layout that has one, in its root filesystem."""
ROOT_SUBVOLUME: Final = "@rootfs"
KEY_FILE: Final = "etc/keys/root.key"

_MAKERS: Final = {
    RootFilesystem.EXT4: ("mkfs.ext4", "-q", "-U", "{uuid}"),
    # Without what the kernel and the GRUB of Debian 11 can't read.
    RootFilesystem.XFS: ("mkfs.xfs", "-q", "-m", "bigtime=0,inobtcount=0,uuid={uuid}"),
    RootFilesystem.BTRFS: ("mkfs.btrfs", "-q", "-U", "{uuid}"),
}

_TYPES: Final = {
    Layout.PLAIN: "linux",
    Layout.LVM: "lvm",
    Layout.THIN: "lvm",
    Layout.MIRROR: "raid",
    Layout.SPREAD: "linux",
    Layout.LUKS: "CA7D7CCB-63ED-4C53-861C-1742536059CC",
}


@dataclass(frozen=True, slots=True)
class ServerDisks:
    """The disks of a server as they're built. The first one is booted from."""

    images: tuple[Path, ...]
    recipe: Recipe
    root: Volume
    """Where the root filesystem is built."""
    root_uuid: str
    esp_uuid: str
    """The FAT volume's serial number as blkid writes it: XXXX-XXXX."""
    boot_uuid: str = ""
    """Of the filesystem for /boot, where that has a partition of its own."""
    root_name: str = ""
    """How the kernel's line and fstab name the root filesystem, where it isn't by UUID."""
    fstab: tuple[str, ...] = ()
    """Further lines."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that the layout needs in the root filesystem."""
    encrypted_uuid: str = ""
    """Of the LUKS header in the last partition."""
    mirror: Mirror | None = None

    @property
    def root_source(self) -> str:
        """How the root filesystem is named."""
        return self.root_name or f"UUID={self.root_uuid}"


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of a mounted server."""

    disk: Path
    root: Path
    third: Path
    """The partition that GRUB reads."""
    last: Path
    """The last partition."""


def make_disks(folder: Path, recipe: Recipe) -> ServerDisks:
    """Make a server's disks in *folder*, with an ESP and empty filesystems."""
    image = folder / "disk-0.raw"
    _partition(image, recipe)
    serial = os.urandom(4).hex().upper()
    run(["mformat", "-i", _esp(image), "-F", "-T", str(ESP_SIZE // 512), "-h", "64", "-s", "32", "-N", serial, "::"])
    disks = _laid_out(image, recipe, str(uuid.uuid4()), f"{serial[:4]}-{serial[4:]}")
    _make_filesystem(recipe.root, disks.root, disks.root_uuid)
    if disks.boot_uuid:
        _make_filesystem(RootFilesystem.EXT4, Volume(image, _THIRD_AT, _BOOT_SIZE), disks.boot_uuid)
    return disks


def finish_disks(disks: ServerDisks) -> None:
    """Do what a layout needs when its filesystems are complete and unmounted."""
    first = disks.images[0]
    rest = _rest(first, disks.recipe)
    if disks.recipe.layout is Layout.LUKS:
        key = disks.root.image.with_suffix(".key")
        key.write_text(disks.files[KEY_FILE])
        fill_luks(rest, disks.root.image, key)
        key.unlink()
        disks.root.image.unlink()
    if disks.mirror is not None:
        begin, count = rest.offset // MIB, rest.size // MIB
        place = (f"seek={begin}", f"skip={begin}", f"count={count}")
        run(["dd", f"if={first}", f"of={disks.images[1]}", "bs=1M", "conv=notrunc,sparse", *place], timeout_s=600)
        write_superblocks(disks.mirror)


@contextlib.contextmanager
def mounted_server(disks: ServerDisks, place: Path) -> Iterator[Devices]:
    """Lend the server's filesystems, mounted below *place*, and their devices."""
    options = [f"subvol={ROOT_SUBVOLUME}"] if disks.recipe.root is RootFilesystem.BTRFS else []
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(attached(disks.images[0]))
        partitions = stack.enter_context(partitioned(device))
        third = partitions[_THIRD - 1]
        root = third
        if disks.boot_uuid:
            root = stack.enter_context(_renamed(disks.root))
        stack.enter_context(mounted(root, place, options))
        if disks.boot_uuid:
            stack.enter_context(mounted(third, place / "boot"))
        yield Devices(device, root, third, partitions[-1])


@contextlib.contextmanager
def _renamed(volume: Volume) -> Iterator[Path]:
    """Lend a device for *volume* that isn't called after a loop device, which grub-mkconfig would take for its file."""
    with attached(volume.image, offset=volume.offset, size=volume.size) as device:
        node = device.with_name(f"{device.name}-volume")
        os.mknod(node, stat.S_IFBLK | 0o600, device.stat().st_rdev)
        try:
            yield node
        finally:
            node.unlink()


def fill_esp(image: Path, files: Mapping[str, Path]) -> None:
    """Copy files into the empty ESP under the names that are given, and make the folders above them."""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents} - {"."}
    run(["mmd", "-i", _esp(image), *(f"::{folder}" for folder in sorted(folders))])
    for name, source in files.items():
        run(["mcopy", "-i", _esp(image), str(source), f"::{name}"])


def _partition(image: Path, recipe: Recipe) -> None:
    rest = _rest(image, recipe)
    parts = [(BIOS_BOOT_AT, BIOS_BOOT_SIZE, "21686148-6449-6E6F-744E-656564454649"), (ESP_AT, ESP_SIZE, "uefi")]
    if recipe.layout is not Layout.PLAIN:
        parts.append((_THIRD_AT, _BOOT_SIZE, "linux"))
    if recipe.layout is Layout.SPREAD:
        parts.append((_FOURTH_AT, _SWAP_SIZE, "swap"))
    parts.append((rest.offset, rest.size, _TYPES[recipe.layout]))
    _write_table(image, recipe.disk_size, parts)


def _write_table(image: Path, size: int, parts: Sequence[tuple[int, int, str]]) -> None:
    """Make an image of *size* bytes with partitions: begin and size in bytes, and the type of each."""
    with image.open("wb") as file:
        file.truncate(size)
    lines = ["label: gpt", *(f"start={at // 512}, size={length // 512}, type={kind}" for at, length, kind in parts)]
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)], stdin="\n".join(lines).encode())


def _rest(image: Path, recipe: Recipe) -> Volume:
    """Return the last partition."""
    begin = {Layout.PLAIN: _THIRD_AT, Layout.SPREAD: _FOURTH_AT + _SWAP_SIZE}.get(recipe.layout, _FOURTH_AT)
    return Volume(image, begin, recipe.disk_size - MIB - begin)


def _laid_out(image: Path, recipe: Recipe, root_uuid: str, esp_uuid: str) -> ServerDisks:
    """Make what lies between the last partition and the root filesystem."""
    rest, boot_uuid = _rest(image, recipe), str(uuid.uuid4())
    match recipe.layout:
        case Layout.PLAIN:
            return ServerDisks((image,), recipe, rest, root_uuid, esp_uuid)
        case Layout.LVM | Layout.THIN:
            root, swap = make_volume_group(rest, thin=recipe.layout is Layout.THIN)
            with attached(swap.image, offset=swap.offset, size=swap.size) as device:
                run(["mkswap", "-q", str(device)])
            fstab = (f"/dev/mapper/{VOLUME_GROUP}-swap none swap sw 0 0",)
            name = f"/dev/mapper/{VOLUME_GROUP}-root"
            return ServerDisks((image,), recipe, root, root_uuid, esp_uuid, boot_uuid, name, fstab)
        case Layout.MIRROR:
            other = image.with_name("disk-1.raw")
            _partition(other, recipe)
            mirror = Mirror(uuid.uuid4(), (rest, _rest(other, recipe)))
            files = {"etc/mdadm/mdadm.conf": f"HOMEHOST <system>\nMAILADDR root\n{mirror.line}\n"}
            return ServerDisks(
                (image, other), recipe, mirror.data, root_uuid, esp_uuid, boot_uuid, files=files, mirror=mirror
            )
        case Layout.SPREAD:
            swap = Volume(image, _FOURTH_AT, _SWAP_SIZE)
            swap_uuid, data_uuid = str(uuid.uuid4()), str(uuid.uuid4())
            with attached(swap.image, offset=swap.offset, size=swap.size) as device:
                run(["mkswap", "-q", "-U", swap_uuid, str(device)])
            data = image.with_name("disk-1.raw")
            _write_table(data, _DATA_SIZE, [(MIB, _DATA_SIZE - 2 * MIB, "linux")])
            _make_filesystem(RootFilesystem.EXT4, Volume(data, MIB, _DATA_SIZE - 2 * MIB), data_uuid)
            lines = (
                f"UUID={swap_uuid} none swap sw 0 0",
                f"/{SWAP_FILE} none swap sw 0 0",
                f"UUID={data_uuid} /srv ext4 defaults 0 2",
            )
            return ServerDisks((image, data), recipe, rest, root_uuid, esp_uuid, boot_uuid, fstab=lines)
        case Layout.LUKS:
            return _encrypted(rest, recipe, root_uuid, esp_uuid, boot_uuid)


def _encrypted(rest: Volume, recipe: Recipe, root_uuid: str, esp_uuid: str, boot_uuid: str) -> ServerDisks:
    key = os.urandom(32).hex()
    image = rest.image.with_name("root.raw")
    image.write_text(key)
    identity = format_luks(rest, image)
    # What is encrypted begins 2 MiB into the partition with a header of LUKS 1.
    size = rest.size - 2 * MIB
    with image.open("wb") as file:
        file.truncate(size)
    files = {
        KEY_FILE: key,
        "etc/crypttab": f"{CRYPT_NAME} UUID={identity} /{KEY_FILE} luks,initramfs\n",
        "etc/cryptsetup-initramfs/conf-hook": f"KEYFILE_PATTERN=/{KEY_FILE}\nUMASK=0077\n",
    }
    return ServerDisks(
        (rest.image,),
        recipe,
        Volume(image, 0, size),
        root_uuid,
        esp_uuid,
        boot_uuid,
        f"/dev/mapper/{CRYPT_NAME}",
        files=files,
        encrypted_uuid=identity,
    )


def _make_filesystem(kind: RootFilesystem, volume: Volume, identity: str) -> None:
    with attached(volume.image, offset=volume.offset, size=volume.size) as device:
        run([word.format(uuid=identity) for word in (*_MAKERS[kind], str(device))])
        if kind is RootFilesystem.BTRFS:
            place = volume.image.with_name("top")
            with mounted(device, place):
                run(["btrfs", "subvolume", "create", str(place / ROOT_SUBVOLUME)])
            place.rmdir()


def _esp(image: Path) -> str:
    return f"{image}@@{ESP_AT}"
