"""Finds what runs a guest's instructions here: by booting something tiny, never by the presence of /dev/kvm.

A host may have a /dev/kvm that opens while no guest gets through its firmware with it. So each candidate has to boot
a disk of one sector, whose code says a line on the serial port. What was found is remembered for the process and, in a
file, for as long as the host runs.
"""

import contextlib
import functools
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import structlog

from wherry.durable import write_file
from wherry.process import ProgramMissing

log = structlog.get_logger(__name__)

QEMU: Final = "qemu-system-x86_64"
TRIAL_S: Final = 8.0
"""How long a trial may take, in seconds. Where KVM works it takes less than one."""

_KVM_DEVICE = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TRIAL_DISK: Final = 1 << 20  # SeaBIOS reads no disk of one sector
_SPOKEN: Final = b"wherry boots here\r\n"


class Accelerator(StrEnum):
    """What runs a guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"
    """QEMU's translator: works everywhere, and is many times slower."""

    @property
    def options(self) -> tuple[str, ...]:
        """What QEMU is told."""
        if self is Accelerator.KVM:
            return ("-accel", "kvm", "-cpu", "host")
        return ("-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max")


class _Remembered(msgspec.Struct, frozen=True):
    """The file's content: what was found, and during which run of the host."""

    boot_id: str
    accelerator: Accelerator


def boot_sector() -> bytes:
    """Return a sector that BIOS starts, which says `_SPOKEN` on the first serial port and halts."""
    code = bytes.fromhex(
        "fa"  # cli
        "31c0 8ed8 fc"  # ds = 0; read upwards
        "ba f803"  # dx = 0x3f8, the serial port
        "be 177c"  # si = 0x7c17, the text below
        "ac"  # al = next byte
        "84c0 7403"  # at the end of the text go on behind the loop
        "ee"  # send al
        "ebf8"  # next byte
        "f4 ebfd"  # halt, for good
    )
    return (code + _SPOKEN + b"\0").ljust(510, b"\0") + b"\x55\xaa"


def boots_with(accelerator: Accelerator, limit_s: float = TRIAL_S) -> bool:
    """Try whether a guest gets through its firmware and runs code of its disk with *accelerator*.

    Raises ProgramMissing without QEMU.
    """
    with tempfile.TemporaryDirectory(prefix="wherry-trial-") as folder:
        disk = Path(folder) / "trial.raw"
        disk.write_bytes(boot_sector().ljust(_TRIAL_DISK, b"\0"))
        command = (
            *(QEMU, "-machine", "q35", *accelerator.options, "-m", "64", "-nodefaults", "-display", "none"),
            *("-drive", f"file={disk},format=raw,if=ide", "-serial", "stdio", "-no-reboot"),
        )
        try:
            trial = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise ProgramMissing(program=QEMU) from error
        with trial:
            try:
                return _hears(trial, time.monotonic() + limit_s)
            finally:
                trial.kill()


def _hears(trial: "subprocess.Popen[bytes]", end: float) -> bool:
    """Whether the guest says its line before *end* (monotonic)."""
    assert trial.stdout is not None  # noqa: S101 - it was asked for
    heard = b""
    while (left := end - time.monotonic()) > 0:
        readable, _, _ = select.select([trial.stdout], [], [], left)
        if not readable:
            return False
        piece = os.read(trial.stdout.fileno(), 4096)
        heard += piece
        if _SPOKEN in heard:
            return True
        if not piece:
            return False
    return False


def find_accelerator(
    memory: Path | None = None, tries: Callable[[Accelerator], bool] = boots_with, device: Path = _KVM_DEVICE
) -> Accelerator:
    """Return the best accelerator with which a guest boots here.

    With *memory*, a file, the answer is taken from there if it was found since the host's last boot, and put there.
    """
    boot_id = _BOOT_ID.read_text().strip()
    if memory is not None and (remembered := _recall(memory)) is not None and remembered.boot_id == boot_id:
        return remembered.accelerator
    found = Accelerator.KVM if device.exists() and tries(Accelerator.KVM) else Accelerator.TCG
    log.info("accelerator_found", accelerator=found)
    if memory is not None:
        write_file(memory, msgspec.json.encode(_Remembered(boot_id, found)))
    return found


@functools.cache
def accelerator_of_this_process() -> Accelerator:
    """Return what `find_accelerator` finds, looked for once in the life of the process."""
    return find_accelerator()


def _recall(memory: Path) -> _Remembered | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(memory.read_bytes(), type=_Remembered)
    return None
