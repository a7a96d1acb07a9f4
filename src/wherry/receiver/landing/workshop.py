"""The real converter and rehearser: what `wherry.boot` does, put together for an order."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from wherry.boot import probe
from wherry.boot.applying import apply
from wherry.boot.changeset import ChangeSet, render
from wherry.boot.guest import Guest
from wherry.boot.inspection import CRYPTTAB, inspect
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import DiskFormat
from wherry.boot.machine.users import MachineUsers
from wherry.boot.overlay import machine_disks, make_overlay
from wherry.boot.places import LUKS, volume_names
from wherry.boot.planning import plan
from wherry.boot.rehearsal import Rehearsal, rehearse
from wherry.boot.target import Firmware, Nic
from wherry.boot.target import TargetMachine as BootTarget
from wherry.boot.verdicts import Question
from wherry.boot.workbench import Workbench
from wherry.contract.landing import (
    MAX_CONSOLE_BYTES,
    MAX_SCREENSHOT_BYTES,
    LandingOrder,
    RehearsalResult,
    RehearsalStage,
    RehearsedCheck,
    TargetMachine,
)
from wherry.receiver.drivers.qemu.hardware import machine_spec
from wherry.receiver.drivers.qemu.networks import ISOLATED
from wherry.receiver.landing.words import Stopped, told

log = structlog.get_logger(__name__)

_MOST_LINE: Final = 1024
_MOST_OUTPUT: Final = 8192
_MOST_NAME: Final = 255
_MOST_UNITS: Final = 500
_MIB: Final = 1 << 20
_LEAST_MEMORY_MB: Final = 256


class BootConverter:
    """Converts by inspection, plan and change set, on a workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def convert(self, disks: Sequence[Path], names: Sequence[str], machine: TargetMachine, account: Path) -> list[str]:
        """Change the system on *disks* for *machine*; see `words.Converter`."""
        target = boot_target(machine, names)
        with self._workbench.open(disks, writable=True) as guest:
            changes = plan(inspect(guest), target)
            (account / "changes.txt").write_text(render(changes), errors="replace")
            undo = apply(guest, changes)
        (account / "undo.json").write_bytes(msgspec.json.encode(undo))
        log.info("converted_system", changes=len(changes.changes), notices=len(changes.notices))
        return reasons(changes)


class BootRehearser:
    """Rehearses in a virtual machine of this host that reaches nobody."""

    def __init__(
        self,
        workbench: Workbench,
        accelerator: Callable[[], Accelerator],
        users: MachineUsers,
        keys: KeyFolder | None = None,
    ) -> None:
        """*keys*: of encrypted volumes, to be typed where a server asks for them."""
        self._workbench = workbench
        self._accelerator = accelerator
        self._users = users
        self._keys = keys

    def rehearse(
        self, disks: Sequence[Path], order: LandingOrder, folder: Path, tell: Callable[[str], None], stopped: Stopped
    ) -> RehearsalResult:
        """Boot overlays over *disks* in *folder*; see `words.Rehearser`."""
        _remove(folder)  # of a receiver that was killed
        checks = [probe.Check(check.name, check.command, check.timeout_s) for check in order.checks]
        began = time.monotonic()

        def told_and_stopped() -> bool:
            tell(f"the copy is booting, for {time.monotonic() - began:.0f} s so far")
            return stopped()

        try:
            overlays = make_overlay(disks, folder / "disks", DiskFormat.QCOW2)
            with self._workbench.open(overlays, writable=True) as guest:
                probe.install(guest, checks)
                passphrases = {} if self._keys is None else passphrases_of(guest, self._keys)
            name, accelerator = f"rehearsal-{order.id[:8]}", self._accelerator()
            machine = affordable(order.target, os.cpu_count() or 1, _host_memory_mb())
            user = self._users.of(name, accelerator)
            spec = machine_spec(
                name, machine, machine_disks(overlays, disks), accelerator, user=user, network=lambda _name: ISOLATED
            )
            question = Question(
                Firmware(order.target.firmware.lower()),
                order.target.disk_bus,
                checks,
                # Where nobody knows what failed on the source, a strict rehearsal takes each failure for a new one.
                failing_before=frozenset(order.failed_before or ()) if order.strict_units else None,
                limit_s=float(order.limit_s),
                passphrases=passphrases,
            )
            return result_of(rehearse(spec, question, folder / "machine", told_and_stopped), order.failed_before)
        finally:
            _remove(folder)


def passphrases_of(guest: Guest, keys: KeyFolder) -> dict[str, str]:
    """Return what can be typed to open the encrypted volumes of an opened system, by their names and their UUIDs.

    Raises LuksKeyUnusable, WorkbenchFailed.
    """
    names = volume_names(guest.read_text(CRYPTTAB) or "", guest)
    found: dict[str, str] = {}
    for volume in guest.filesystems:
        passphrase = keys.passphrase(volume.uuid) if volume.type == LUKS else None
        if passphrase is not None:
            found.update({volume.uuid: passphrase, names.get(volume.uuid, volume.uuid): passphrase})
    return found


def boot_target(machine: TargetMachine, names: Sequence[str]) -> BootTarget:
    """Return the target machine in the words of `wherry.boot`; *names*: of the disks, on the source."""
    return BootTarget(
        firmware=Firmware(machine.firmware.lower()),
        bus=machine.disk_bus,
        network=machine.network,
        nics=tuple(Nic(mac.lower()) for mac in machine.macs),
        source_disks=tuple(names) if all(names) else (),
    )


def affordable(machine: TargetMachine, processors: int, memory_mb: int) -> TargetMachine:
    """Return *machine* no larger than this host, of whose memory a rehearsal gets half at most."""
    most = max(_LEAST_MEMORY_MB, memory_mb // 2)
    return msgspec.structs.replace(
        machine, vcpus=min(machine.vcpus, processors), memory_mb=min(machine.memory_mb, most)
    )


def reasons(changes: ChangeSet) -> list[str]:
    """Return why what was changed, and what a person should know, a sentence each."""
    why = [reason for change in changes.changes for reason in change.why]
    told = [f"{notice.weight.value}: {notice.text}" for notice in changes.notices]
    return [line[:_MOST_LINE] for line in dict.fromkeys([*why, *told])]


def result_of(rehearsal: Rehearsal, failed_before: Sequence[str] | None) -> RehearsalResult:
    """Return what a rehearsal came to, in the words of a report. Of a long console text the end stays.

    *failed_before*: the units that had failed on the source, None where nobody knows.
    """
    failed = [unit[:_MOST_NAME] for unit in rehearsal.failed_units[:_MOST_UNITS]]
    return RehearsalResult(
        verdict=rehearsal.verdict,
        seconds=rehearsal.took_s,
        error=told(rehearsal) if rehearsal.code else None,
        stages=[RehearsalStage(name=each.stage[:_MOST_NAME], at_s=each.after_s) for each in rehearsal.stages[:100]],
        failed_units=failed,
        new_failed_units=None if failed_before is None else [unit for unit in failed if unit not in failed_before],
        checks=[
            RehearsedCheck(name=check.name, status=check.status, output=check.output[-_MOST_OUTPUT:])
            for check in rehearsal.checks
        ],
        console=rehearsal.console.encode(errors="replace")[-MAX_CONSOLE_BYTES:],
        screenshot=_picture(rehearsal.screenshot),
    )


def _picture(path: Path | None) -> bytes:
    if path is None or path.stat().st_size > MAX_SCREENSHOT_BYTES:
        return b""
    return path.read_bytes()


def _host_memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
