"""What the doctor prints of its findings."""

import msgspec
import pytest

from wherry.cli.diagnosis import as_json, as_text
from wherry.disks.tracking.doctor import Diagnosis, DiskFinding, Finding

RING = Finding("ftrace", works=True, reason="", facts=(("rings", "2"),))
NO_RING = Finding("ftrace", works=False, reason="there is no tracefs")
NO_MAP = Finding("ebpf", works=False, reason="EPERM")
MEMORY = Finding("memory", works=True, reason="")
NO_MEMORY = Finding("memory", works=False, reason="/run lies on a disk")
DISK = DiskFinding("/dev/sda", works=True, reason="", beneath=())
VOLUME = DiskFinding("/dev/dm-0", works=False, reason="it's made of sda", beneath=("sda",))


def found(*channels: Finding, memory: Finding = MEMORY, disks: tuple[DiskFinding, ...] = (DISK,)) -> Diagnosis:
    return Diagnosis("6.1.0", "x86_64", channels, memory, disks)


@pytest.mark.parametrize(
    ("diagnosis", "works"),
    [
        (found(RING, NO_MAP), True),
        (found(NO_RING, NO_MAP), False),
        (found(RING, NO_MAP, memory=NO_MEMORY), False),
        (found(RING, disks=()), False),
        (found(RING, disks=(DISK, VOLUME)), False),
    ],
)
def test_changes_can_be_tracked_with_a_channel_its_memory_and_every_disk(diagnosis: Diagnosis, works: bool) -> None:
    assert diagnosis.works is works
    assert as_text(diagnosis).splitlines()[-1].startswith(f"changes can be tracked: {'yes' if works else 'no'}")
    assert msgspec.json.decode(as_json(diagnosis))["tracked"] is works


def test_what_does_not_work_has_a_cause_and_a_fix() -> None:
    text = as_text(found(RING, NO_MAP, memory=NO_MEMORY, disks=(VOLUME,)))
    assert "channel ftrace: works; rings: 2" in text
    assert "channel ebpf: does not work\n  cause: EPERM\n  fix:   " in text
    assert "memory: does not work\n  cause: /run lies on a disk\n  fix:   " in text
    assert "disk /dev/dm-0: does not work\n  cause: it's made of sda\n  fix:   Move /dev/sda instead" in text
    findings = msgspec.json.decode(as_json(found(RING, NO_MAP, memory=NO_MEMORY, disks=(VOLUME,))))["findings"]
    assert all(bool(each["cause"]) is bool(each["fix"]) is not each["works"] for each in findings)
