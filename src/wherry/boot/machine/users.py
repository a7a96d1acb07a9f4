"""Whom a virtual machine's QEMU runs as: a user of its own, who owns nothing and has no name.

A guest that breaks out of QEMU is then nobody, and can't reach what other guests' QEMUs have. The user's number is
taken from a range that systemd's documentation leaves to containers; no user has to be made.
Sources: user_namespaces(7), uid_map; systemd's "Users, Groups, UIDs and GIDs".
"""

import os
import zlib
from pathlib import Path
from typing import Final

import structlog

from wherry.boot.machine.accelerator import Accelerator

log = structlog.get_logger(__name__)

FIRST_USER: Final = 0x6F000000
"""The first number of the range."""
USERS: Final = 1 << 16
"""How many numbers the range has."""

KVM: Final = Path("/dev/kvm")
_UID_MAP: Final = Path("/proc/self/uid_map")
_GROUP_MAY: Final = 0o060
_ALL_MAY: Final = 0o006


class MachineUsers:
    """The users of one host's machines."""

    def __init__(self, first: int = FIRST_USER, *, kvm: Path = KVM, uid_map: Path = _UID_MAP) -> None:
        """*first*: of `USERS` numbers that nobody else has here; 0: machines run as this process's own user."""
        self._kvm = kvm
        self._first = 0
        reason = _obstacle(first, uid_map)
        if reason:
            log.warning("machines_unconfined", reason=reason, consequence="QEMU runs as this program's own user")
        else:
            self._first = first

    def of(self, name: str, accelerator: Accelerator) -> int | None:
        """Return the user of the machine *name*, the same each time; None: this process's own."""
        if not self._first:
            return None
        if accelerator is Accelerator.KVM and not _opens_to_group(self._kvm):
            log.warning("machine_unconfined", machine=name, reason=f"{self._kvm} is for root alone")
            return None
        return self._first + zlib.crc32(name.encode()) % USERS


def groups_for(accelerator: Accelerator, kvm: Path = KVM) -> list[int]:
    """Return the groups that a user needs for the accelerator."""
    return [kvm.stat().st_gid] if accelerator is Accelerator.KVM else []


def _obstacle(first: int, uid_map: Path) -> str:
    """Return why no such user can be had, "" where one can."""
    if not first:
        return "the operator wants it so"
    if os.geteuid() != 0:
        return "only root can start programs as somebody else"
    for line in uid_map.read_text().splitlines():
        begin, _, count = (int(word) for word in line.split())
        if begin <= first and first + USERS <= begin + count:
            return ""
    return "this container has no such users"


def _opens_to_group(kvm: Path) -> bool:
    status = kvm.stat()
    group = status.st_mode & _GROUP_MAY == _GROUP_MAY and status.st_gid != 0
    return group or status.st_mode & _ALL_MAY == _ALL_MAY
