"""Rehearsals of a real server: a sound copy comes up, and each kind of broken copy is told by its own words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vm import overlays
from tests.vm.source_image import INTERFACE, SourceImage, copy_of
from wherry.boot.guest import Guest
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.hardware import Disk, DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.machine.uefi import find_uefi_firmware
from wherry.boot.probe import Check
from wherry.boot.rehearsal import Rehearsal, rehearse
from wherry.boot.target import Firmware
from wherry.boot.verdicts import Question
from wherry.contract.enumerations import DiskBus, Verdict

LIMIT_S = 900.0
CHECKS = (
    Check("card", f"ip -brief address show dev {INTERFACE}"),
    Check("quotes", 'printf \'%s\\n\' "it\'s \\"here\\""; echo second line >&2'),
)


def rehearsal_of(
    disk: Path,
    folder: Path,
    *,
    bus: DiskBus = DiskBus.VIRTIO_BLK,
    firmware: Firmware = Firmware.BIOS,
    checks: tuple[Check, ...] = (),
    failing_before: frozenset[str] | None = None,
    change: Callable[[Guest], None] | None = None,
) -> Rehearsal:
    """Rehearse on an overlay over *disk*, which must stay as it is."""
    before = disk.stat().st_mtime_ns
    overlay = overlays.probed_overlay([disk], folder / "overlay", checks, change)
    spec = MachineSpec(
        "rehearsal",
        accelerator_of_this_process(),
        (Disk(overlay[0], DiskFormat.QCOW2),),
        bus,
        find_uefi_firmware() if firmware is Firmware.UEFI else None,
        nics=(Nic("52:54:00:12:34:56", UserNetwork()),),
    )
    question = Question(firmware, bus, checks, failing_before, LIMIT_S)
    rehearsal = rehearse(spec, question, folder / "machine")
    assert disk.stat().st_mtime_ns == before
    assert rehearsal.screenshot is not None
    assert rehearsal.screenshot.read_bytes().startswith(b"\x89PNG")
    return rehearsal


@pytest.mark.parametrize(
    ("firmware", "bus"),
    [(Firmware.BIOS, DiskBus.VIRTIO_BLK), (Firmware.UEFI, DiskBus.VIRTIO_SCSI)],
)
def test_a_sound_copy_passes(server: SourceImage, tmp_path: Path, firmware: Firmware, bus: DiskBus) -> None:
    rehearsal = rehearsal_of(
        server.path, tmp_path, firmware=firmware, bus=bus, checks=CHECKS, failing_before=frozenset()
    )
    assert (rehearsal.verdict, rehearsal.message) == (Verdict.PASSED, "")
    assert rehearsal.hostname == server.recipe.hostname
    assert rehearsal.failed_units == ()
    assert any(" / ext4 " in line for line in rehearsal.mounts)
    assert [(check.name, check.status) for check in rehearsal.checks] == [("card", 0), ("quotes", 0)]
    assert INTERFACE in rehearsal.checks[0].output
    assert rehearsal.checks[1].output == 'it\'s "here"\nsecond line\n'
    stages = [reached.stage for reached in rehearsal.stages]
    assert stages[-2:] == ["multi-user", "login"] or stages[-1] == "multi-user"


def test_a_failing_check_is_told(server: SourceImage, tmp_path: Path) -> None:
    checks = (Check("port", "exit 7"), Check("endless", "sleep 600", limit_s=2))
    rehearsal = rehearsal_of(server.path, tmp_path, checks=checks)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6218")
    assert [(check.name, check.status) for check in rehearsal.checks] == [("port", 7), ("endless", 124)]


@pytest.mark.parametrize(
    ("before", "verdict", "code"),
    [(None, Verdict.PASSED, ""), (frozenset({"another.service"}), Verdict.FAILED, "WHERRY.6219")],
)
def test_a_unit_that_fails_in_the_copy_only_is_told(
    server: SourceImage, tmp_path: Path, before: frozenset[str] | None, verdict: Verdict, code: str
) -> None:
    rehearsal = rehearsal_of(server.path, tmp_path, failing_before=before, change=overlays.with_failing_unit)
    assert rehearsal.failed_units == (overlays.FAILING_UNIT,)
    assert (rehearsal.verdict, rehearsal.code) == (verdict, code)


def test_an_initramfs_without_the_driver_is_told(server_for_sata: SourceImage, tmp_path: Path) -> None:
    rehearsal = rehearsal_of(server_for_sata.path, tmp_path, bus=DiskBus.VIRTIO_BLK)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6212")
    assert "virtio-blk" in rehearsal.message
    assert "does not exist" in rehearsal.message


def test_the_same_initramfs_does_on_its_own_bus(server_for_sata: SourceImage, tmp_path: Path) -> None:
    assert rehearsal_of(server_for_sata.path, tmp_path, bus=DiskBus.SATA).verdict is Verdict.PASSED


def test_an_unknown_uuid_in_fstab_is_told(server: SourceImage, tmp_path: Path) -> None:
    rehearsal = rehearsal_of(server.path, tmp_path, change=overlays.with_unknown_uuid)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6215")
    assert overlays.UNKNOWN_UUID in rehearsal.message
    assert "fstab" in rehearsal.fix


@pytest.mark.parametrize(
    ("break_", "firmware"),
    [
        (overlays.without_boot_sector, Firmware.BIOS),
        (overlays.without_core, Firmware.BIOS),
        (overlays.without_esp, Firmware.UEFI),
    ],
)
def test_a_missing_boot_loader_is_told(
    server: SourceImage, tmp_path: Path, break_: Callable[[Path], None], firmware: Firmware
) -> None:
    disk = copy_of(server, tmp_path / "landed.raw")
    break_(disk)
    rehearsal = rehearsal_of(disk, tmp_path, firmware=firmware)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6210")


def test_a_boot_loader_without_its_files_is_told(server: SourceImage, tmp_path: Path) -> None:
    rehearsal = rehearsal_of(server.path, tmp_path, change=overlays.without_loader_files)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6211")
    assert "normal.mod" in rehearsal.message


def test_a_kernel_panic_is_told(server: SourceImage, tmp_path: Path) -> None:
    rehearsal = rehearsal_of(server.path, tmp_path, change=overlays.with_dying_init)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6214")
    assert "Attempted to kill init" in rehearsal.message
