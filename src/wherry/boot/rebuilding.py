"""Building an initramfs anew by the system's own tool.

The tool works on a copy of its configuration, so that the owner's stays: at the new home it finds by itself what it
needs. It writes to a folder of its own; the result is looked into before it takes the old one's place.
Sources: mkinitramfs(8), update-initramfs(8), dracut(8).
"""

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Final

from wherry.boot.changeset import RebuildInitramfs
from wherry.boot.drivers import LAYERS
from wherry.boot.errors import GuestProgramFailed, InitramfsIncomplete, InitramfsUnreadable
from wherry.boot.guest import Guest
from wherry.boot.initramfs import modules_in
from wherry.boot.system import InitramfsTool
from wherry.boot.undo import Recorder

_FOLDER: Final = "/var/tmp/wherry-initramfs"  # noqa: S108 (a folder of the landed system, where nobody else is)
_RESULT: Final = f"{_FOLDER}/initramfs"
_LIMIT_S: Final = 1800.0
"""An emulated machine may take many minutes for it."""


def rebuild(guest: Guest, change: RebuildInitramfs, recorder: Recorder) -> None:
    """Build the initramfs and put it in its place.

    Raises:
        GuestProgramFailed: the tool failed; the old initramfs is still there.
        InitramfsIncomplete: the new one lacks a driver.
        InitramfsUnreadable: the new one can't be read.
    """
    _run(guest, ["rm", "-rf", _FOLDER])
    recorder.name(_FOLDER)
    guest.make_directory(_FOLDER, 0o700)
    try:
        build = _by_dracut if change.tool is InitramfsTool.DRACUT else _by_initramfs_tools
        build(guest, change)
        content = guest.read_bytes(_RESULT) or b""
        lacking = (set(change.modules) | _layers(guest.read_bytes(change.path) or b"")) - modules_in(content)
        if lacking:
            raise InitramfsIncomplete(path=change.path, modules=", ".join(sorted(lacking)))
        recorder.file(change.path)
        guest.write(change.path, content)
        _remember_checksum(guest, change, content, recorder)
    finally:
        _run(guest, ["rm", "-rf", _FOLDER])


def _layers(initramfs: bytes) -> frozenset[str]:
    """Return which drivers of volumes and filesystems the old one has; none of one that can't be read."""
    with contextlib.suppress(InitramfsUnreadable):
        return modules_in(initramfs) & LAYERS
    return frozenset()


def _by_initramfs_tools(guest: Guest, change: RebuildInitramfs) -> None:
    """Run mkinitramfs as for any machine: MODULES=dep would look for the disks of this one."""
    folder = f"{_FOLDER}/etc"
    _run(guest, ["cp", "-a", "/etc/initramfs-tools", folder])
    modules = guest.read_text(f"{folder}/modules") or ""
    guest.write_text(f"{folder}/modules", "\n".join([modules, *change.modules, ""]))
    settings = ["MODULES=most", f"RESUME={change.resume}" if change.resume else "", ""]
    guest.write_text(f"{folder}/conf.d/zz-wherry", "\n".join(settings))
    _run(guest, ["mkinitramfs", "-d", folder, "-o", _RESULT, change.kernel])


def _by_dracut(guest: Guest, change: RebuildInitramfs) -> None:
    drivers = " ".join(change.modules)
    _run(guest, ["dracut", "--force", "--no-hostonly", "--add-drivers", drivers, _RESULT, change.kernel])


def _remember_checksum(guest: Guest, change: RebuildInitramfs, content: bytes, recorder: Recorder) -> None:
    """Tell update-initramfs that the new file is its own; it wouldn't touch one that somebody altered."""
    path = f"/var/lib/initramfs-tools/{change.kernel}"
    if guest.read_text(path):
        recorder.file(path)
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        guest.write_text(path, f"{digest}  {change.path}\n")


def _run(guest: Guest, argv: Sequence[str]) -> None:
    done = guest.run(argv, timeout_s=_LIMIT_S)
    if done.status:
        raise GuestProgramFailed(program=argv[0], status=done.status, words=done.stderr.strip()[-500:] or "(nothing)")
