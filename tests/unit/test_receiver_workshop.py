"""From an order's words to those of `wherry.boot`, and back to a report's."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from tests.unit.boot.memory_guest import MemoryGuest
from wherry.boot import target as boot
from wherry.boot.changeset import ChangeSet, Notice, RemoveFile, Weight
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.guest import GuestFilesystem
from wherry.boot.guestfs.workbench import GuestfsWorkbench
from wherry.boot.luks_keys import KeyFolder
from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.hardware import Disk, DiskFormat, UserNetwork
from wherry.boot.probe import CheckResult
from wherry.boot.rehearsal import Rehearsal, StageReached
from wherry.contract.enumerations import DiskBus, Firmware, NetworkWish, Verdict
from wherry.contract.landing import MAX_CONSOLE_BYTES, MAX_SCREENSHOT_BYTES, TargetMachine
from wherry.receiver.drivers.qemu.hardware import MOST_NICS, machine_spec, made_up_mac
from wherry.receiver.drivers.qemu.networks import Networks
from wherry.receiver.errors import BootingUnconfigured
from wherry.receiver.landing.workbenches import open_workbench
from wherry.receiver.landing.workshop import affordable, boot_target, passphrases_of, reasons, result_of
from wherry.receiver.settings import WorkbenchKind

MACHINE = TargetMachine(vcpus=4, memory_mb=8192, macs=["52:54:00:AA:BB:CC"], network=NetworkWish.KEEP)
REHEARSAL = Rehearsal(
    Verdict.PASSED, "", "", "", "", took_s=41.5, stages=(StageReached("kernel", 6.0),), hostname="web",
    failed_units=("a.service",), mounts=(), checks=(CheckResult("shop", 0, "x" * 9000 + "end"),), console="login:",
    screenshot=None,
)  # fmt: skip


def test_the_words_of_both_sides_are_the_same() -> None:
    assert {each.value.lower() for each in Firmware} == {each.value for each in boot.Firmware}


def test_a_target_is_told_to_the_conversion() -> None:
    told = boot_target(MACHINE, ["/dev/sda", "/dev/sdb"])
    assert (told.firmware, told.bus, told.network) == (
        boot.Firmware.BIOS,
        DiskBus.VIRTIO_BLK,
        NetworkWish.KEEP,
    )
    assert (told.nics, told.source_disks) == ((boot.Nic("52:54:00:aa:bb:cc"),), ("/dev/sda", "/dev/sdb"))
    assert boot_target(MACHINE, ["/dev/sda", ""]).source_disks == ()


def test_a_rehearsal_takes_no_more_than_the_host_has() -> None:
    small = affordable(MACHINE, 2, 6000)
    assert (small.vcpus, small.memory_mb) == (2, 3000)
    assert affordable(MACHINE, 64, 1 << 20) == MACHINE


def test_a_machine_has_the_cards_of_its_source_or_one_of_its_own() -> None:
    disks = (Disk(Path("/d.qcow2"), DiskFormat.QCOW2),)
    spec = machine_spec("vm-1", MACHINE, disks, Accelerator.TCG, user=4711, network=Networks().find)
    (card,) = spec.nics
    assert (card.mac, card.network, spec.user) == ("52:54:00:aa:bb:cc", UserNetwork(), 4711)
    without = machine_spec(
        "vm-1", structs.replace(MACHINE, macs=[]), disks, Accelerator.TCG, user=None, network=Networks().find
    )
    assert [each.mac for each in without.nics] == [made_up_mac("vm-1")]
    assert made_up_mac("vm-1") != made_up_mac("vm-2")
    many = structs.replace(MACHINE, macs=[f"52:54:00:00:00:{number:02x}" for number in range(20)])
    assert len(machine_spec("vm-1", many, disks, Accelerator.TCG, user=None, network=Networks().find).nics) == MOST_NICS


def test_a_result_is_reported_within_its_limits(tmp_path: Path) -> None:
    picture = tmp_path / "screen.png"
    picture.write_bytes(b"\x89PNG")
    result = result_of(replace(REHEARSAL, console="x" * MAX_CONSOLE_BYTES + "end", screenshot=picture), None)
    assert (result.verdict, result.error, result.seconds) == (Verdict.PASSED, None, 41.5)
    assert (len(result.console), result.console[-3:]) == (MAX_CONSOLE_BYTES, b"end")
    assert result.screenshot == b"\x89PNG"
    assert (result.failed_units, result.new_failed_units) == (["a.service"], None)
    assert (len(result.checks[0].output), result.checks[0].output[-3:]) == (8192, "end")
    picture.write_bytes(bytes(MAX_SCREENSHOT_BYTES + 1))
    assert result_of(replace(REHEARSAL, screenshot=picture), None).screenshot == b""


def test_units_that_fail_in_the_copy_only_are_told() -> None:
    both = replace(REHEARSAL, failed_units=("a.service", "b.service"))
    assert result_of(both, ["b.service", "c.service"]).new_failed_units == ["a.service"]
    assert result_of(both, []).new_failed_units == ["a.service", "b.service"]


def test_a_failure_keeps_code_cause_and_fix() -> None:
    failed = replace(REHEARSAL, verdict=Verdict.FAILED, code="WHERRY.6212", message="m" * 5000, cause="c", fix="f")
    error = result_of(failed, None).error
    assert error is not None
    assert (error.code, len(error.message), error.cause, error.fix) == ("WHERRY.6212", 2048, "c", "f")


def test_why_something_was_changed_is_told_once() -> None:
    target = boot_target(MACHINE, [])
    changes = (RemoveFile("/a", "", ("a card is gone",)), RemoveFile("/b", "", ("a card is gone",)))
    notices = (Notice(Weight.WARNING, "no DHCP there", "set an address"),)
    assert reasons(ChangeSet(target, changes, notices)) == ["a card is gone", "warning: no DHCP there"]


def test_a_workbench_has_to_be_named() -> None:
    kinds = {kind: type(open_workbench(kind, lambda: Accelerator.TCG)) for kind in WorkbenchKind}
    assert kinds == {WorkbenchKind.CHROOT: ChrootWorkbench, WorkbenchKind.GUESTFS: GuestfsWorkbench}
    with pytest.raises(BootingUnconfigured, match="chroot"):
        open_workbench(None, lambda: Accelerator.TCG)


def test_a_passphrase_is_known_by_both_names_of_its_volume(tmp_path: Path) -> None:
    identities = [f"{digit * 8}-0000-0000-0000-000000000000" for digit in "abc"]
    filesystems = [
        GuestFilesystem(f"/dev/sda{number}", "crypto_LUKS", identity, "", 0, number)
        for number, identity in enumerate(identities, 1)
    ]
    guest = MemoryGuest({"/etc/crypttab": f"root UUID={identities[0]} none luks\n"}, filesystems=filesystems)
    for identity, key in zip(identities, (b"sesame\n", b"\xff\xff"), strict=False):
        (tmp_path / identity).write_bytes(key)
        (tmp_path / identity).chmod(0o600)
    assert passphrases_of(guest, KeyFolder(tmp_path)) == {identities[0]: "sesame", "root": "sesame"}
