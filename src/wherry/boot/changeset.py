"""What is to be changed in a landed system so that it boots on its target machine: planned, shown, then applied."""

import difflib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from wherry.boot.system import InitramfsTool
from wherry.boot.target import Firmware, TargetMachine


class WriteFile(msgspec.Struct, frozen=True, tag=True):
    """A file gets another content, or is new."""

    path: str
    after: str
    why: tuple[str, ...]
    before: str | None = None
    """None where there's no such file."""
    mode: int | None = None
    """Permissions of a new file; None for 644, or for what an existing one has."""


class RemoveFile(msgspec.Struct, frozen=True, tag=True):
    """A file falls away."""

    path: str
    before: str
    why: tuple[str, ...]


class CopyFile(msgspec.Struct, frozen=True, tag=True):
    """A file is there at a second place too."""

    source: str
    path: str
    why: tuple[str, ...]


class MakeLink(msgspec.Struct, frozen=True, tag=True):
    """A symbolic link is made."""

    path: str
    target: str
    why: tuple[str, ...]


class RebuildInitramfs(msgspec.Struct, frozen=True, tag=True):
    """An initramfs is built anew, with drivers that it lacks."""

    kernel: str
    path: str
    tool: InitramfsTool
    modules: tuple[str, ...]
    why: tuple[str, ...]
    resume: str = ""
    """Where initramfs-tools would look for a sleeping system, as its RESUME; "" for what it's configured to."""


class InstallLoader(msgspec.Struct, frozen=True, tag=True):
    """GRUB is installed from the system's own packages."""

    firmware: Firmware
    disk: int
    """Index of the disk whose boot sector gets it; for UEFI it's on the ESP."""
    esp: str
    why: tuple[str, ...]


class RestoreLabels(msgspec.Struct, frozen=True, tag=True):
    """What the changes made gets its SELinux labels, by the system's own policy."""

    policy: str
    why: tuple[str, ...]


Change = WriteFile | RemoveFile | CopyFile | MakeLink | RebuildInitramfs | InstallLoader | RestoreLabels


class Weight(StrEnum):
    """How much a notice matters."""

    NOTE = "note"
    WARNING = "warning"
    """The system may not come up as it should."""
    BLOCKER = "blocker"
    """It can't boot."""


class Notice(msgspec.Struct, frozen=True):
    """Something that no change can mend, for a person to decide."""

    weight: Weight
    text: str
    fix: str


class ChangeSet(msgspec.Struct, frozen=True):
    """All changes, in the order in which they are applied, and what a person should know."""

    target: TargetMachine
    changes: tuple[Change, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def blockers(self) -> tuple[Notice, ...]:
        """What keeps the system from booting on the target machine."""
        return tuple(notice for notice in self.notices if notice.weight is Weight.BLOCKER)


def written_paths(change: Change) -> tuple[str, ...]:
    """Return the names in the system that *change* makes or writes."""
    if isinstance(change, WriteFile | CopyFile | MakeLink | RebuildInitramfs):
        return (change.path,)
    return ()


_WHY: Final = "# "


def render(changes: ChangeSet) -> str:
    """Return the change set for people: reasons, a unified diff for each text, then the notices."""
    blocks = ["\n".join([*(_WHY + why for why in change.why), *_render(change)]) for change in changes.changes]
    notices = [f"{notice.weight}: {notice.text}\n  fix: {notice.fix}" for notice in changes.notices]
    return printable("\n\n".join([*blocks, *notices] or ["Nothing has to be changed."]) + "\n")


def printable(text: str) -> str:
    """Return a text of a landed system with a sign for each byte that is no text."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _render(change: Change) -> Sequence[str]:
    if isinstance(change, WriteFile | RemoveFile):
        return list(_diff(change.path, change.before, None if isinstance(change, RemoveFile) else change.after))
    return [_order(change)]


def _order(change: CopyFile | MakeLink | RebuildInitramfs | InstallLoader | RestoreLabels) -> str:
    match change:
        case CopyFile():
            return f"copy {change.source} to {change.path}"
        case MakeLink():
            return f"link {change.path} -> {change.target}"
        case RebuildInitramfs():
            return f"rebuild {change.path} by {change.tool} with {' '.join(change.modules)}"
        case InstallLoader():
            place = f"disk {change.disk}" if change.firmware is Firmware.BIOS else change.esp
            return f"install GRUB for {change.firmware} on {place}"
        case RestoreLabels():
            return f"label the changed files by the SELinux policy {change.policy}"


def _diff(path: str, before: str | None, after: str | None) -> Iterator[str]:
    """Yield a unified diff; None stands for a file that isn't there."""
    names = ("/dev/null" if before is None else f"a{path}", "/dev/null" if after is None else f"b{path}")
    old, new = (_lines(text or "") for text in (before, after))
    yield from difflib.unified_diff(old, new, *names, lineterm="")
    if (before or after) and not (after if after is not None else before or "").endswith("\n"):
        yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []
