"""A raw image as qcow2, made by `qemu-img`, which ends with the receiver."""

import os
from pathlib import Path

from wherry.process import ProgramMissing, run

CONVERSION_S = 24 * 3600.0
"""How long one step of `qemu-img` may take, in seconds; a bound for a hanging medium, not for slow ones."""

_PACKAGES = "qemu-utils (Debian, Ubuntu), qemu-img (Fedora, RHEL, Arch, Alpine), qemu-tools (SUSE)"


def require_converter() -> None:
    """Raise ProgramMissing, which names the package, unless `qemu-img` is there."""
    try:
        run(["qemu-img", "--version"], timeout_s=60)
    except ProgramMissing as error:
        raise ProgramMissing(
            program="qemu-img",
            cause="--image-format qcow2 converts with it.",
            fix=f"Install the package {_PACKAGES}, or start without --image-format qcow2.",
        ) from error


def convert_image(raw: Path, target: Path) -> None:
    """Make *target* of *raw*, check it, compare both; durable on return.

    Raises ProgramFailed (a full disk, too), ProgramMissing, ProgramTimedOut, OSError.
    """
    for words in (
        ("convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)),
        ("check", "-f", "qcow2", str(target)),
        ("compare", "-f", "raw", "-F", "qcow2", str(raw), str(target)),
    ):
        # One that outlived the receiver would hold the room of what the next start removes.
        run(["qemu-img", *words], timeout_s=CONVERSION_S, tethered=True)
    target.chmod(0o600)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
