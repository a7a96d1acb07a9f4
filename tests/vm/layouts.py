"""Small systems that boot nothing, in layers of LVM, md and LUKS: for what opens them. For root."""

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.mounting import attached
from tests.vm.recipe import MIB
from tests.vm.storage import Mirror, Volume, fill_luks, format_luks, make_volume_group, write_superblocks
from wherry.process import run

_SIZE: Final = 160 * MIB
_HEADER: Final = 2 * MIB
"""Of LUKS, in bytes."""
_SYSTEM: Final = {"etc/os-release": "ID=debian\n", "etc/hostname": "layered\n", "sbin/init": "", "etc/fstab": ""}
"""The signs of a root filesystem."""


@dataclass(frozen=True, slots=True)
class LayeredSystem:
    """Its disks, and the keys of what is encrypted by their LUKS UUIDs."""

    disks: tuple[Path, ...]
    keys: Mapping[str, bytes]


def lvm_in_luks2(folder: Path, key: bytes) -> LayeredSystem:
    """A volume group in an encrypted disk, with a header of LUKS 2."""
    inner, disk = _blank(folder / "inner.raw", _SIZE), _blank(folder / "disk-0.raw", _SIZE + _HEADER)
    root, _swap = make_volume_group(Volume(inner, 0, _SIZE))
    with _key_file(folder, key) as file:
        identity = format_luks(Volume(disk, 0, _SIZE + _HEADER), file)
        _fill(
            root,
            {
                **_SYSTEM,
                "etc/crypttab": f"pv0 UUID={identity} none luks\n",
                "etc/fstab": "/dev/vg0/root / ext4 rw 0 1\n",
            },
        )
        fill_luks(Volume(disk, 0, _SIZE + _HEADER), inner, file)
    with attached(disk) as device:
        run(["cryptsetup", "convert", "--batch-mode", "--type", "luks2", str(device)])
    return LayeredSystem((disk,), {identity: key})


def luks_in_lvm(folder: Path, key: bytes) -> LayeredSystem:
    """An encrypted logical volume."""
    disk = _blank(folder / "disk-0.raw", _SIZE)
    volume, _swap = make_volume_group(Volume(disk, 0, _SIZE))
    inner = _blank(folder / "inner.raw", volume.size - _HEADER)
    with _key_file(folder, key) as file:
        identity = format_luks(volume, file)
        table = f"root /dev/disk/by-uuid/{identity} none luks\n"
        _fill(Volume(inner, 0, volume.size - _HEADER), {**_SYSTEM, "etc/crypttab": table})
        fill_luks(volume, inner, file)
    return LayeredSystem((disk,), {identity: key})


def luks_on_md(folder: Path, key: bytes) -> LayeredSystem:
    """An encrypted mirror of two disks, and /srv on a partition of another, by the name that mdadm.conf gives that."""
    disks = tuple(_blank(folder / f"disk-{number}.raw", _SIZE) for number in range(4))
    mirrors = [Mirror(uuid.uuid4(), (Volume(a, 0, _SIZE), Volume(b, 0, _SIZE))) for a, b in (disks[:2], disks[2:])]
    inner = _blank(folder / "inner.raw", mirrors[0].data.size - _HEADER)
    with _key_file(folder, key) as file:
        identity = format_luks(mirrors[0].data, file)
        files = {
            **_SYSTEM,
            "etc/crypttab": f"root UUID={identity} none luks\n",
            "etc/fstab": "/dev/mapper/root / ext4 rw 0 1\n/dev/md7p1 /srv ext4 rw 0 2\n",
            "etc/mdadm/mdadm.conf": mirrors[1].line.replace("/dev/md0", "/dev/md7") + "\n",
            "srv/below": "",
        }
        _fill(Volume(inner, 0, mirrors[0].data.size - _HEADER), files)
        fill_luks(mirrors[0].data, inner, file)
    _fill(_partition(mirrors[1].data), {"served": "yes\n"})
    for mirror in mirrors:
        first, second = mirror.partitions
        run(["cp", "--sparse=always", str(first.image), str(second.image)])
        write_superblocks(mirror)
    return LayeredSystem(disks, {identity: key})


BUILDERS: Final[Mapping[str, Callable[[Path, bytes], LayeredSystem]]] = {
    builder.__name__: builder for builder in (lvm_in_luks2, luks_in_lvm, luks_on_md)
}


def _blank(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def _partition(volume: Volume) -> Volume:
    """Make a partition table in *volume*; return its only partition."""
    with attached(volume.image, offset=volume.offset, size=volume.size) as device:
        table = f"label: gpt\nstart={MIB // 512}, size={(volume.size - 2 * MIB) // 512}\n"
        run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(device)], stdin=table.encode())
    return Volume(volume.image, volume.offset + MIB, volume.size - 2 * MIB)


@contextlib.contextmanager
def _key_file(folder: Path, key: bytes) -> Iterator[Path]:
    path = folder / "key"
    path.write_bytes(key)
    yield path
    path.unlink()


def _fill(volume: Volume, files: Mapping[str, str]) -> None:
    """Make a filesystem with *files* in *volume*."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with attached(volume.image, offset=volume.offset, size=volume.size) as device:
            run(["mkfs.ext4", "-q", "-d", folder, str(device)])
