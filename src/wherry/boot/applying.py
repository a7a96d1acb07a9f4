"""Applying a change set to an opened system, and undoing it."""

import contextlib
from collections.abc import Sequence
from typing import Final

from wherry.boot.blocks import BIOS_BOOT
from wherry.boot.changeset import (
    Change,
    ChangeSet,
    CopyFile,
    InstallLoader,
    MakeLink,
    RebuildInitramfs,
    RemoveFile,
    RestoreLabels,
    WriteFile,
)
from wherry.boot.errors import GuestProgramFailed, PlanBlocked, PlanOutdated
from wherry.boot.guest import Guest, GuestDisk
from wherry.boot.rebuilding import rebuild
from wherry.boot.target import Firmware
from wherry.boot.undo import Absent, Recorder, Undo, restore

AUTORELABEL: Final = "/.autorelabel"
"""A system with SELinux labels all of its files at its next start where this is."""

_BOOT_AREA: Final = 1 << 20
"""What GRUB may write at the start of a disk: its sector and the gap before the first partition."""
_GRUB_INSTALL: Final = ("/usr/sbin/grub-install", "/usr/sbin/grub2-install")
_GRUB_FOLDERS: Final = ("/boot/grub", "/boot/grub2")
_INSTALL_LIMIT_S: Final = 900.0
_LABEL_LIMIT_S: Final = 300.0


def apply(guest: Guest, changes: ChangeSet) -> Undo:
    """Make all changes, or none: what was done is undone when one fails. Return what was before.

    Raises:
        PlanBlocked: the system can't boot on the target machine.
        PlanOutdated: a file isn't what it was when the change set was planned.
        GuestProgramFailed: a program of the system failed.
        InitramfsIncomplete: a rebuilt initramfs still lacks a driver.
        WorkbenchFailed: a place can't be written.
    """
    if changes.blockers:
        raise PlanBlocked(reason=changes.blockers[0].text, fix=changes.blockers[0].fix)
    recorder = Recorder(guest)
    try:
        for change in changes.changes:
            _apply(guest, change, recorder)
    except BaseException:
        undo(guest, recorder.record())
        raise
    return recorder.record()


def undo(guest: Guest, record: Undo) -> None:
    """Put the system back to what it was. Raises WorkbenchFailed where a place can't be written."""
    restore(guest, record)


def _apply(guest: Guest, change: Change, recorder: Recorder) -> None:
    match change:
        case WriteFile():
            _expect(guest, change.path, change.before)
            recorder.file(change.path)
            guest.write_text(change.path, change.after, change.mode)
        case RemoveFile():
            _expect(guest, change.path, change.before)
            recorder.name(change.path)
            guest.remove(change.path)
        case CopyFile():
            content = guest.read_bytes(change.source)
            if content is None:
                raise PlanOutdated(path=change.source)
            recorder.file(change.path)
            guest.write(change.path, content)
        case MakeLink():
            recorder.name(change.path)
            guest.make_link(change.path, change.target)
        case RebuildInitramfs():
            rebuild(guest, change, recorder)
        case InstallLoader():
            _install(guest, change, recorder)
        case RestoreLabels():
            made = [each.path for each in recorder.record().saved if isinstance(each, Absent)]
            _label(guest, change.policy, [path for path in made if guest.exists(path)], recorder)


def _expect(guest: Guest, path: str, before: str | None) -> None:
    if guest.read_text(path) != before:
        raise PlanOutdated(path=path)


def _install(guest: Guest, change: InstallLoader, recorder: Recorder) -> None:
    program = next((path for path in _GRUB_INSTALL if guest.exists(path)), _GRUB_INSTALL[0])
    folders = [folder for folder in _GRUB_FOLDERS if guest.is_dir(folder)]
    if change.firmware is Firmware.BIOS:
        disk = guest.disks[change.disk]
        for offset, size in _boot_areas(disk):
            recorder.sectors(change.disk, offset, size)
        command = [program, "--target=i386-pc", disk.device]
    else:
        folders.append(change.esp)
        command = [program, "--target=x86_64-efi", f"--efi-directory={change.esp}", "--removable", "--no-nvram"]
    with contextlib.ExitStack() as remembered:
        for folder in folders:
            remembered.enter_context(recorder.folder(folder))
        done = guest.run(command, timeout_s=_INSTALL_LIMIT_S)
    if done.status:
        raise GuestProgramFailed(program=program, status=done.status, words=done.stderr.strip()[-500:])


def _boot_areas(disk: GuestDisk) -> list[tuple[int, int]]:
    """Return offset and size of what grub-install writes on a disk, past its filesystems.

    A GPT at the start is written back with it: nothing changed it.
    """
    gap = min([disk.size, _BOOT_AREA, *(each.offset for each in disk.partitions if each.offset)])
    core = [(each.offset, each.size) for each in disk.partitions if each.type == BIOS_BOOT and disk.table == "gpt"]
    return [(0, gap), *core]


def _label(guest: Guest, policy: str, paths: Sequence[str], recorder: Recorder) -> None:
    """Label the new *paths* by the system's policy; where that fails, let its next start label everything."""
    if not paths:
        return
    contexts = f"/etc/selinux/{policy}/contexts/files/file_contexts"
    done = guest.run(["setfiles", "-F", contexts, *paths], timeout_s=_LABEL_LIMIT_S)
    if done.status:
        recorder.file(AUTORELABEL)
        guest.write(AUTORELABEL, b"")
