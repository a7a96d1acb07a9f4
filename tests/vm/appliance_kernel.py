"""A kernel for libguestfs's appliance, where this machine has none of its own in /boot: Debian's for clouds."""

import contextlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.vm.source_image import CACHE
from wherry.process import run

_FOLDER: Final = CACHE / "appliance-kernel"


def appliance_environment() -> Mapping[str, str]:
    """Return the variables by which libguestfs finds a kernel; none where it finds one by itself."""
    if any(Path("/boot").glob("vmlinuz-*")):
        return {}
    if not _FOLDER.exists():
        _fetch()
    Path("/lib/modules").mkdir(exist_ok=True)  # supermin looks for the directory, whatever it's told
    (version,) = [each.name for each in (_FOLDER / "lib/modules").iterdir()]
    return {
        "SUPERMIN_KERNEL": str(_FOLDER / f"boot/vmlinuz-{version}"),
        "SUPERMIN_KERNEL_VERSION": version,
        "SUPERMIN_MODULES": str(_FOLDER / "lib/modules" / version),
    }


def _fetch() -> None:
    """Download and unpack the package without installing it."""
    depends = run(["apt-cache", "depends", "linux-image-cloud-amd64"]).decode()
    names = re.findall(r"Depends: (linux-image-\S+-cloud-amd64)\s", depends)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="kernel-") as folder, contextlib.chdir(folder):
        Path(folder).chmod(0o755)  # apt fetches as another user
        run(["apt-get", "download", "-qq", names[0]], timeout_s=300)
        (package,) = Path(folder).glob("*.deb")
        unpacked = Path(folder) / "unpacked"
        run(["dpkg-deb", "--extract", str(package), str(unpacked)])
        (version,) = [each.name for each in (unpacked / "lib/modules").iterdir()]
        run(["depmod", "--basedir", str(unpacked), version])
        unpacked.rename(_FOLDER)
