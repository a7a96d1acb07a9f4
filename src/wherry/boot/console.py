"""What the text of a serial console says: how far a machine has come, and what is wrong with it. Pure.

Firmware: SeaBIOS and OVMF. Boot loader: GRUB 2. Initramfs: initramfs-tools and dracut. Then Linux and systemd.
The text is a guest's: it's matched with bounded patterns, and only so much of it is looked at in one go.
"""

import re
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from wherry.boot.unlocking import Prompt


class Stage(IntEnum):
    """How far a machine has come, in the order in which it comes there."""

    STARTED = 0
    FIRMWARE = 1
    """The firmware said that it starts something from a disk."""
    BOOT_LOADER = 2
    KERNEL = 3
    INIT = 4
    """The root filesystem's own init runs."""
    MULTI_USER = 5
    LOGIN = 6

    @property
    def word(self) -> str:
        """Its name for people and for JSON."""
        return self.name.lower().replace("_", "-")


class Trouble(StrEnum):
    """What can be wrong, as far as the console shows it."""

    NO_BOOTABLE_DISK = "no-bootable-disk"
    BOOT_LOADER_FAILED = "boot-loader-failed"
    ROOT_NOT_FOUND = "root-not-found"
    INITRAMFS_FAILED = "initramfs-failed"
    KERNEL_PANIC = "kernel-panic"
    EMERGENCY_MODE = "emergency-mode"


@dataclass(frozen=True, slots=True)
class Sign:
    """A trouble and the words on the console that show it."""

    trouble: Trouble
    words: str


_STAGES: Final = (
    (Stage.FIRMWARE, r"Booting from [A-Z]|BdsDxe: starting Boot"),
    (Stage.BOOT_LOADER, r"GRUB loading|Welcome to GRUB|GNU GRUB {1,4}version|Loading Linux |Booting [`'\"]"),
    (Stage.KERNEL, r"Linux version \d|Loading, please wait\.\.\.|Begin: Loading essential drivers|Run /init as init"),
    (Stage.INIT, r"systemd\[1\]: systemd \d|systemd \d{1,3}[^\n]{0,60} running in system mode|Welcome to [^\nG]"),
    (Stage.MULTI_USER, r"Reached target [^\n]{0,40}[Mm]ulti-[Uu]ser"),
    (Stage.LOGIN, r"(?m:^[\w.-]{1,64} login: )"),
)

# The more exact signs first: what stands further down is often no more than their consequence.
_TROUBLES: Final = (
    (Trouble.ROOT_NOT_FOUND, r"ALERT! {1,4}[^\n]{1,120}? does not exist"),
    (Trouble.ROOT_NOT_FOUND, r"VFS: Unable to mount root fs[^\n]{0,80}|VFS: Cannot open root device[^\n]{0,80}"),
    (Trouble.ROOT_NOT_FOUND, r"Warning: /dev/disk/by-[^\n]{1,120}? does not exist"),
    (Trouble.KERNEL_PANIC, r"Kernel panic - not syncing[^\n]{0,160}"),
    (Trouble.EMERGENCY_MODE, r"You are in (?:emergency|rescue) mode|Cannot open access to console, the root account"),
    (Trouble.INITRAMFS_FAILED, r"\(initramfs\) |Entering emergency mode\. Exit the shell|dracut:/# "),
    (Trouble.BOOT_LOADER_FAILED, r"grub rescue>|(?m:^grub> )"),
    # OVMF starts its own shell when no disk can be booted.
    (
        Trouble.NO_BOOTABLE_DISK,
        r"No bootable (?:device|option)|Boot failed: not a bootable disk|UEFI Interactive Shell",
    ),
)

# initramfs-tools; systemd; cryptsetup itself and GRUB. Each ends where the answer is typed.
_PROMPTS: Final = re.compile(
    r"Please unlock disk (?P<a>[^\n:]{1,200}):"
    r"|Please enter passphrase for disk (?P<b>[^\n:]{1,200}):"
    r"|Enter passphrase for (?P<c>[^\n:]{1,200}):"
)

_REASONS: Final = re.compile(
    r"error: [^\n]{1,300}"
    r"|(?:Dependency failed for|Timed out waiting for device|Failed to start|Failed to mount) [^\n]{1,300}"
)
_UNIT: Final = re.compile(r"\S{1,255}\.(?:device|mount|swap|service|target) - ")  # before what the unit is called

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[A-Za-z=>]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)"
)
_CUT_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]{0,20}")  # systemd shortens lines without looking
_MOVES: Final = re.compile(r"\x1b\[\d{1,3};\d{1,3}H")
# What the next piece may finish.
_UNFINISHED: Final = re.compile(r"(?:\r|\x1b(?:[()]|\[[0-9;?]{0,20}|\][^\x07\x1b]{0,200})?)\Z")
_LONGEST_SIGN: Final = 400
MOST_TEXT: Final = 1 << 20
"""How much of a console's text is kept, in characters; the beginning and the end count."""


def plain(raw: str) -> str:
    """Return a console's text without what moves the cursor and sets colours; a move to another line is a new line."""
    text = _CUT_ESCAPES.sub("", _ESCAPES.sub("", _MOVES.sub("\n", raw)))
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def reasons_in(text: str) -> list[str]:
    """Return what the boot loader and systemd give as reasons in *text*, the newest last, each once."""
    found = (_UNIT.sub("", match[0]).strip().rstrip(".") for match in _REASONS.finditer(text))
    return list(dict.fromkeys(found))[-8:]


@dataclass(slots=True)
class Console:
    """The text of a console as it comes, and what it has said so far."""

    stage: Stage = Stage.STARTED
    signs: list[Sign] = field(default_factory=list)
    """Each trouble once, in the order in which they were seen."""
    prompts: list[Prompt] = field(default_factory=list)
    """Each question for a passphrase, as often as it was put."""
    _kept: str = ""
    _unfinished: str = ""

    @property
    def text(self) -> str:
        """All of it, or its beginning and its end where it's long."""
        return self._kept

    @property
    def trouble(self) -> Sign | None:
        """The sign that says most: of several, a root that isn't found explains the shell and the panic after it."""
        order = [trouble for trouble, _ in _TROUBLES]
        return min(self.signs, key=lambda sign: order.index(sign.trouble), default=None)

    @property
    def reasons(self) -> list[str]:
        """What the boot loader and systemd gave as reasons, the newest last, each once."""
        return reasons_in(self._kept)

    def feed(self, raw: str) -> None:
        """Take what has come since the last time."""
        if not raw:
            return
        whole = self._unfinished + raw
        cut = _UNFINISHED.search(whole)
        self._unfinished = "" if cut is None else cut[0]
        fresh = plain(whole.removesuffix(self._unfinished))
        seam = self._kept[-_LONGEST_SIGN:]
        self._kept += fresh
        self._look(seam + fresh)
        self._look_for_prompts(seam, fresh)
        if len(self._kept) > MOST_TEXT:
            half = MOST_TEXT // 2
            self._kept = f"{self._kept[: half // 2]}\n[...]\n{self._kept[-half:]}"

    def _look(self, piece: str) -> None:
        for stage, pattern in _STAGES:
            if stage > self.stage and re.search(pattern, piece):
                self.stage = stage
        for trouble, pattern in _TROUBLES:
            if any(sign.trouble is trouble for sign in self.signs):
                continue
            if found := re.search(pattern, piece):
                self.signs.append(Sign(trouble, found[0].strip()))

    def _look_for_prompts(self, seam: str, fresh: str) -> None:
        for found in _PROMPTS.finditer(seam + fresh):
            if found.end() > len(seam):  # else it was seen before
                volume = next(name for name in found.groups() if name is not None)
                self.prompts.append(Prompt(found[0], volume.strip()))
