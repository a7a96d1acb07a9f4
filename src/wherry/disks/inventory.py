"""Which disks this server has, and what of its kernel decides whether they can be moved.

Everything comes from /sys and /lib/modules; no program is run. The *root* of each function is where those folders are
looked for.
Source: Linux Documentation/ABI/stable/sysfs-block and Documentation/kbuild/kbuild.rst (modules.builtin).
"""

import os
from collections.abc import Iterable
from pathlib import Path

VIRTIO_DRIVERS = ("virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net")
"""What a Linux needs to find its disk and its network on a KVM host."""

_ROOT = Path("/")


def local_disks(root: Path = _ROOT) -> list[Path]:
    """Return the whole disks of the server, ordered by name.

    Disks are block devices with hardware beneath them, virtual hardware included. Left out is what is made of others
    (device mapper, md, loop, zram), what has no medium, what can be taken out (sticks, optical drives), what the
    kernel hides (the paths of an NVMe multipath disk), and the boot sections of an eMMC (mmcblk0boot0).
    """
    found = (entry for entry in (root / "sys/block").glob("*") if _is_local_disk(entry))
    return [Path("/dev") / entry.name.replace("!", "/") for entry in sorted(found)]


def raw_devices(root: Path = _ROOT) -> list[str]:
    """Return the character devices that the raw driver of older kernels has bound to disks, such as raw1."""
    return sorted(entry.name for entry in (root / "sys/class/raw").glob("raw[0-9]*"))


def missing_virtio_drivers(root: Path = _ROOT, release: str = "") -> list[str]:
    """Return which of VIRTIO_DRIVERS kernel *release* (by default the running one) has neither built in nor loadable.

    With one of them missing, a copy of this server finds no disk or no network on a KVM host.
    """
    running = os.uname().release
    modules = root / "lib/modules" / (release or running)
    known = {*_module_names(modules / "modules.builtin"), *_module_names(modules / "modules.dep")}
    if release in {"", running}:
        known |= {entry.name for entry in (root / "sys/module").glob("*")}
        known |= {entry.name for entry in (root / "sys/bus/virtio/drivers").glob("*")}
    return [driver for driver in VIRTIO_DRIVERS if driver not in known]


def _is_local_disk(entry: Path) -> bool:
    has_medium = _text(entry / "size") not in {"", "0"}
    is_fixed = _text(entry / "removable") == "0" and _text(entry / "hidden") in {"", "0"}
    return (entry / "device").exists() and has_medium and is_fixed and "boot" not in entry.name


def _module_names(listing: Path) -> Iterable[str]:
    """Yield the module names of a listing with lines such as kernel/drivers/block/virtio_blk.ko.xz: ..."""
    for line in _text(listing).splitlines():
        path = line.partition(":")[0]
        yield path.rpartition("/")[2].partition(".")[0].replace("-", "_")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
