"""What `wherry boot` prints, held against files that people can read: tests/unit/boot/golden."""

from pathlib import Path

import msgspec
import pytest

from tests.unit.boot.memory_guest import MemoryGuest
from tests.unit.boot.sample_systems import debian, red_hat
from wherry.boot.changeset import render
from wherry.boot.inspection import inspect
from wherry.boot.planning import plan
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.cli.boot_texts import as_json, describe
from wherry.contract.enumerations import DiskBus, NetworkWish

GOLDEN = Path(__file__).parent / "golden"
SYSTEMS = {"debian": debian, "red_hat": red_hat}
TARGETS = {
    "debian": TargetMachine(Firmware.BIOS, DiskBus.VIRTIO_BLK, NetworkWish.DHCP, (Nic("52:54:00:12:34:56"),)),
    "red_hat": TargetMachine(Firmware.UEFI, DiskBus.NVME),
}


def hold(name: str, text: str) -> None:
    """Compare *text* with what is kept; a file that isn't there yet is written, and the test fails once."""
    path = GOLDEN / name
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path} was made: read it, and run the test again")
    assert text == path.read_text()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_for_people(name: str) -> None:
    hold(f"{name}.inspect.txt", describe(inspect(SYSTEMS[name]())))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_plan_for_people(name: str) -> None:
    hold(f"{name}.plan.txt", render(plan(inspect(SYSTEMS[name]()), TARGETS[name])))


def test_a_plan_as_json() -> None:
    hold("red_hat.plan.json", as_json(plan(inspect(red_hat()), TARGETS["red_hat"])))


def test_json_of_a_system_tells_no_files_contents() -> None:
    guest = debian(changes={"/etc/netplan/01.yaml": "network: {ethernets: {eth0: {auth: {password: secret}}}}\n"})
    told = msgspec.json.decode(as_json(inspect(guest)))
    assert "/etc/netplan/01.yaml" in told["files"]
    assert "secret" not in as_json(inspect(guest))
    assert told["kernels"][0]["carried"] == ["sd_mod"]


@pytest.mark.parametrize("content", [b"\xff\xfe /dev/sda1\n", b"/dev/sda1 /caf\xe9 ext4 rw\n"])
def test_bytes_that_are_no_text_are_shown_as_such(content: bytes) -> None:
    guest: MemoryGuest = debian(changes={"/etc/fstab": content, "/etc/hostname": b"h\xe9\n"})
    system = inspect(guest)
    changes = plan(system, TARGETS["debian"])
    for text in (describe(system), as_json(system), render(changes), as_json(changes)):
        assert text.encode()
