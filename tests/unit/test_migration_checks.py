"""Environment checks, and what a registration makes of a source."""

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.contract.catalogue import CATALOGUE
from wherry.contract.enumerations import CheckResult, MigrationCycle, OsType, SourceState
from wherry.contract.errors import ApiError
from wherry.contract.sources import EnvironmentCheck, Registration
from wherry.contract.storage import Disk, Network, PhysicalVolume, VolumeGroup
from wherry.migration import checks
from wherry.migration.records import SourceRecord
from wherry.migration.registration import admit

BARE = Registration(name="web", os_type=OsType.LINUX)
FULL = Registration(
    name="web",
    os_type=OsType.LINUX,
    os_version="DEBIAN_12_64BIT",
    ip="10.0.0.1",
    networks=[Network(mac="00:11:22:33:44:55")],
    cpu_quantity=2,
    memory=2048,
    firmware="BIOS",
    boot_loader="GRUB",
    paravirtualization=True,
    has_rsync=True,
    has_tc=True,
    raw_devices="",
    agent_version="1",
    volume_groups=[VolumeGroup(name="vg", components="/dev/vda2")],
    btrfs_list=[],
    disks=[
        Disk(
            name="/dev/vda",
            size=1 << 30,
            partition_style="GPT",
            physical_volumes=[
                PhysicalVolume(name="/dev/vda1", file_system="ext4", size=100, used_size=10),
                PhysicalVolume(name="/dev/vda2", file_system="LVM2_member"),
            ],
        )
    ],
)


def found(registration: Registration, **facts: Any) -> dict[str, EnvironmentCheck]:
    changed = msgspec.structs.replace(registration, **facts)
    return {check.name: check for check in checks.environment_checks(changed)}


def test_linux_has_its_14_checks_all_fine() -> None:
    results = checks.environment_checks(FULL)
    assert [(check.id, check.name, check.result) for check in results] == [
        (1, "OS_VERSION", "OK"),
        (2, "CPU", "OK"),
        (3, "MEMORY", "OK"),
        (4, "PARAVIRTUALIZATION", "OK"),
        (5, "FIRMWARE", "OK"),
        (6, "BOOT_LOADER", "OK"),
        (7, "RSYNC", "OK"),
        (8, "RAW_DEVICES", "OK"),
        (9, "DISK_INFO", "OK"),
        (10, "PARTITION_STYLE", "OK"),
        (11, "FILE_SYSTEM", "OK"),
        (12, "FREE_SPACE", "OK"),
        (13, "NETWORK", "OK"),
        (14, "AGENT_VERSION", "OK"),
    ]


@pytest.mark.parametrize("os_type", OsType)
def test_what_is_missing_is_a_warning_only(os_type: OsType) -> None:
    bare = msgspec.structs.replace(BARE, os_type=os_type)
    results = checks.environment_checks(bare)
    assert {check.result for check in results} == {CheckResult.OK, CheckResult.WARN}
    assert {check.error_code for check in results if check.result is CheckResult.WARN} == {checks.UNKNOWN_FACT}
    assert checks.verdict(results) is SourceState.WAITING


@pytest.mark.parametrize(
    ("facts", "name", "result", "code"),
    [
        ({"boot_loader": "LILO"}, "BOOT_LOADER", CheckResult.ERROR, "SMS.6564"),
        ({"has_rsync": False}, "RSYNC", CheckResult.WARN, "SMS.6517"),
        ({"paravirtualization": False}, "PARAVIRTUALIZATION", CheckResult.WARN, "SMS.0207"),
        ({"raw_devices": "/dev/raw/raw1"}, "RAW_DEVICES", CheckResult.WARN, "WHERRY.5702"),
        ({"disks": [Disk(name="/dev/vda")]}, "DISK_INFO", CheckResult.WARN, "SMS.6519"),
        ({"disks": []}, "DISK_INFO", CheckResult.WARN, "SMS.1352"),
        ({"disks": [], "volume_groups": []}, "DISK_INFO", CheckResult.WARN, "WHERRY.5701"),
        ({"btrfs_list": None}, "DISK_INFO", CheckResult.WARN, "WHERRY.5701"),
        (
            {"disks": [Disk(name="a", size=1, partition_style="SUN")]},
            "PARTITION_STYLE",
            CheckResult.WARN,
            "WHERRY.5703",
        ),
        ({"disks": [Disk(name="a", size=1)]}, "PARTITION_STYLE", CheckResult.WARN, "WHERRY.5701"),
        (
            {"disks": [Disk(physical_volumes=[PhysicalVolume(name="a", file_system="zfs")])]},
            "FILE_SYSTEM",
            CheckResult.WARN,
            "SMS.6509",
        ),
        (
            {"disks": [Disk(physical_volumes=[PhysicalVolume(name="a", size=1000, used_size=1000)])]},
            "FREE_SPACE",
            CheckResult.WARN,
            "WHERRY.5706",
        ),
        ({"networks": [Network(mac="")]}, "NETWORK", CheckResult.WARN, "WHERRY.5701"),
    ],
)
def test_facts_that_are_bad_are_judged(facts: dict[str, Any], name: str, result: CheckResult, code: str) -> None:
    check = found(FULL, **facts)[name]
    assert (check.result, check.error_code) == (result, code)
    assert check.error_or_warn == CATALOGUE[code].message


@pytest.mark.parametrize(
    ("fact", "name", "code"),
    [
        ("driver_files", "DRIVER_FILE", "SMS.6511"),
        ("system_services", "SERVICE", "SMS.6533"),
        ("account_rights", "ACCOUNT_RIGHTS", "WHERRY.5705"),
    ],
)
def test_windows_needs_what_it_needs(fact: str, name: str, code: str) -> None:
    windows = msgspec.structs.replace(BARE, os_type=OsType.WINDOWS)
    check = found(windows, **{fact: False})[name]
    assert (check.result, check.error_code) == (CheckResult.ERROR, code)
    assert found(windows, **{fact: True})[name].result is CheckResult.OK


@given(names=st.lists(st.text(max_size=255), max_size=40))
def test_params_fit_their_field(names: list[str]) -> None:
    check = found(FULL, disks=[Disk(name=name) for name in names])["DISK_INFO"]
    assert len(check.error_params or "") <= 255
    assert msgspec.json.decode(check.error_params or "[]") == (check.params or [])


@pytest.mark.parametrize("letter", ["x", "\u6f22", '"', "\x01"])
def test_a_param_that_is_too_long_by_itself_is_cut(letter: str) -> None:
    check = found(FULL, raw_devices=letter * 255)["RAW_DEVICES"]
    assert check.params is not None
    assert check.params[0].startswith(letter * 30)
    assert len(check.error_params or "") <= 255


def test_a_new_source_waits_or_is_unavailable() -> None:
    admission = admit(BARE, None)
    assert (admission.state, admission.migration_cycle) == ("waiting", "setting")
    refused = admit(msgspec.structs.replace(BARE, boot_loader="LILO"), None)
    assert (refused.state, refused.migration_cycle) == ("unavailable", "checking")


def test_a_sent_state_is_kept_unless_the_checks_contradict_it() -> None:
    sent = msgspec.structs.replace(BARE, state="finished", migration_cycle="cutovered")
    assert (admit(sent, None).state, admit(sent, None).migration_cycle) == ("finished", "cutovered")
    boasting = msgspec.structs.replace(BARE, state="waiting", boot_loader="LILO")
    assert admit(boasting, None).state == "unavailable"
    with pytest.raises(ApiError) as caught:
        admit(msgspec.structs.replace(BARE, state="somewhere"), None)
    assert caught.value.params == ("state",)


@given(state=st.sampled_from(SourceState), boot_loader=st.sampled_from([None, "GRUB", "LILO"]))
def test_registering_again_judges_only_what_has_not_begun(state: SourceState, boot_loader: str | None) -> None:
    known = SourceRecord("s", state, MigrationCycle.REPLICATING, connected=True)
    admission = admit(msgspec.structs.replace(BARE, boot_loader=boot_loader), known)
    judged = SourceState.UNAVAILABLE if boot_loader == "LILO" else SourceState.WAITING
    begun = state not in {SourceState.UNAVAILABLE, SourceState.WAITING}
    assert admission.state is (state if begun else judged)
    if begun:
        assert admission.migration_cycle == "replicating"


def test_a_repaired_source_becomes_available() -> None:
    known = SourceRecord("s", SourceState.UNAVAILABLE, MigrationCycle.CHECKING, connected=True)
    assert dataclasses.astuple(admit(BARE, known))[:2] == ("waiting", "setting")
