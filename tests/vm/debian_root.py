"""A Debian root filesystem from packages, as a tarball that is made once for each list of packages.

The mirrors are those of this machine's own apt. The initramfs isn't in it: it's made once, when a disk is made.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.vm.recipe import Suite, digest
from wherry.process import run

_APT: Final = Path("/etc/apt")
_INSTALL_S: Final = 1800.0

_MODULES: Final = ("/lib/modules/*/kernel", "/usr/lib/modules/*/kernel")
_UNUSED_MODULES: Final = (
    *(
        "sound",
        "virt",
        "samples",
        "drivers/gpu",
        "drivers/media",
        "drivers/infiniband",
        "drivers/iio",
        "drivers/comedi",
    ),
    *("drivers/staging", "drivers/hwmon", "drivers/usb", "drivers/hid", "drivers/isdn", "drivers/platform"),
    *("drivers/net/wireless", "drivers/net/ethernet", "drivers/net/usb", "drivers/net/can", "drivers/video"),
    *("drivers/input/[jmt]*", "drivers/mtd", "drivers/target", "drivers/bluetooth", "drivers/mmc", "drivers/power"),
    *("drivers/scsi/lpfc", "drivers/scsi/qla*", "drivers/scsi/be2iscsi", "drivers/scsi/bnx*", "drivers/scsi/aic*"),
    *("net/mac80211", "net/wireless", "net/bluetooth", "net/ceph", "net/sunrpc", "net/netfilter", "net/sched"),
    *("fs/ocfs2", "fs/nfs", "fs/nfsd", "fs/smb", "fs/ksmbd", "fs/cifs", "fs/f2fs", "fs/gfs2", "fs/jfs", "fs/ceph"),
    *("arch/x86/kvm", "lib/test_*"),
)
_USED_MODULES: Final = ("drivers/net/ethernet/intel/e1000", "drivers/net/ethernet/intel/e1000e")

_LEFT_OUT: Final = (
    *(f"/usr/share/{folder}/*" for folder in ("doc", "man", "info", "locale", "bug", "lintian", "i18n")),
    # The kernel knows what it calls the hardware of a virtual machine.
    "/usr/lib/udev/hwdb.d/*",
    "/lib/udev/hwdb.d/*",
    "/usr/lib/x86_64-linux-gnu/gconv/*",
    *(f"{modules}/{unused}*" for modules in _MODULES for unused in _UNUSED_MODULES),
)
"""What no server of the tests needs, and what takes long to copy in a slow guest."""

_KEPT: Final = tuple(f"{modules}/{used}*" for modules in _MODULES for used in _USED_MODULES)
"""What isn't left out all the same."""


class NoMirror(RuntimeError):
    """This machine's apt knows no mirror of Debian."""


def debian_root(suite: Suite, packages: Sequence[str], cache: Path) -> Path:
    """Return a tarball of *suite* with *packages*, from *cache* or made now.

    Raises NoMirror, and ProgramFailed where packages can't be had.
    """
    tarball = cache / f"root-{suite}-{digest(packages, _LEFT_OUT, _KEPT)}.tar"
    if tarball.exists():
        return tarball
    cache.mkdir(parents=True, exist_ok=True)
    fresh = tarball.with_suffix(".new.tar")
    with tempfile.TemporaryDirectory(dir=_room(), prefix="wherry-mmdebstrap-") as room:
        # The kernel's own hook makes no initramfs, and no trigger makes another.
        environment = {**os.environ, "TMPDIR": room, "INITRD": "No"}
        run(_mmdebstrap(suite, packages, fresh), environment=environment, timeout_s=_INSTALL_S)
    fresh.replace(tarball)
    return tarball


def _mmdebstrap(suite: Suite, packages: Sequence[str], tarball: Path) -> list[str]:
    never = (
        'mkdir -p "$1/etc/initramfs-tools"; echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"'
    )
    return [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar"),
        f"--include={','.join(packages)}",
        "--dpkgopt=force-unsafe-io",
        # What a hook wrote before the package came stays.
        "--dpkgopt=force-confold",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *(f"--dpkgopt=path-include={pattern}" for pattern in _KEPT),
        f"--essential-hook={never}",
        *(str(suite), str(tarball), f"deb [{_signed_by()}] {mirror()} {suite} main"),
    ]


def mirror() -> str:
    """Return the mirror that this machine's apt takes its own release from. Raises NoMirror."""
    for path in sorted((_APT / "sources.list.d").glob("*.sources")):
        for line in path.read_text().splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    for path in (_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*.list"))):
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            words = [word for word in line.split() if "://" in word or word.startswith("mirror+")]
            if line.startswith("deb ") and words:
                return words[0]
    raise NoMirror("apt's sources name no mirror")


def _signed_by() -> str:
    return "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"


def _room() -> Path | None:
    """Return a folder in memory if there's room for a root filesystem, None for the usual one."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 6 << 30 else None
