"""Machines that run: told what to do, found again, and gone with their owner. The guest is one sector of code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vm.waiting import until
from wherry.boot.machine.accelerator import Accelerator, boot_sector, boots_with
from wherry.boot.machine.errors import MachineGone, MachineNotStarted, MonitorRefused
from wherry.boot.machine.hardware import Disk, MachineSpec
from wherry.boot.machine.machine import Machine
from wherry.contract.enumerations import DiskBus

SPOKEN = b"wherry boots here"

OWNER = """
import sys, time
from pathlib import Path
from tests.vm.test_machine import spec_of
from wherry.boot.machine.machine import Machine
machine = Machine.start(spec_of(Path(sys.argv[1])), Path(sys.argv[2]), with_owner=sys.argv[3] == "with")
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk, of code.raw"
    path.write_bytes(boot_sector().ljust(1 << 20, b"\0"))
    return path


def spec_of(disk: Path, bus: DiskBus = DiskBus.VIRTIO_BLK) -> MachineSpec:
    return MachineSpec("tiny", Accelerator.TCG, (Disk(disk),), bus, vcpus=1, memory_mib=64, once=True)


def spoken(machine: Machine) -> bool:
    return SPOKEN in machine.console().read_bytes()


def test_the_translator_boots_anywhere_and_a_limit_is_kept() -> None:
    assert boots_with(Accelerator.TCG, limit_s=60)
    assert not boots_with(Accelerator.TCG, limit_s=0)


@pytest.mark.parametrize("bus", list(DiskBus))
def test_firmware_starts_code_from_each_bus(disk: Path, tmp_path: Path, bus: DiskBus) -> None:
    # The folder's path is longer than the kernel's limit for names of sockets.
    folder = tmp_path / ("long" * 30) / "machine"
    with Machine.start(spec_of(disk, bus), folder, with_owner=True) as machine:
        until(lambda: spoken(machine))
        assert machine.status() == "running"
        assert machine.read_operations() >= 1
    assert machine.ended()


def test_the_screen_can_be_seen(disk: Path, tmp_path: Path) -> None:
    with Machine.start(spec_of(disk), tmp_path / "machine", with_owner=True) as machine:
        until(lambda: spoken(machine))
        machine.screenshot(tmp_path / "screen.png")
        assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
        with pytest.raises(MonitorRefused):
            machine.order("no-such-order")


def test_a_machine_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(MachineNotStarted, match="No such file"):
        Machine.start(spec_of(tmp_path / "missing.raw"), tmp_path / "machine", with_owner=True)


def test_a_machine_is_found_again_until_it_ends(disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    assert Machine.find("tiny", folder) is None
    with Machine.start(spec_of(disk), folder, with_owner=False) as machine:
        found = Machine.find("tiny", folder)
        assert found is not None
        assert found.status() == "running"
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert all(Machine.find("tiny", folder) for _ in range(9))
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
        found.stop()
        assert machine.ended(60)
        with pytest.raises(MachineGone):
            machine.status()
    assert Machine.find("tiny", folder) is None


@pytest.mark.parametrize("bond", ["with", "without"])
def test_a_machine_ends_with_a_killed_owner_only_if_it_should(disk: Path, tmp_path: Path, bond: str) -> None:
    folder = tmp_path / "machine"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(disk), str(folder), bond],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with owner:
        assert owner.stdout is not None
        assert b"started\n" in iter(owner.stdout.readline, b"")
        machine = Machine.find("tiny", folder)
        assert machine is not None
        owner.send_signal(signal.SIGKILL)
    try:
        assert machine.ended(60 if bond == "with" else 1) is (bond == "with")
    finally:
        machine.kill()


def test_an_old_number_of_a_process_is_no_machine(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    assert Machine.find("tiny", tmp_path) is None
    (tmp_path / "pid").write_text("not a number")
    assert Machine.find("tiny", tmp_path) is None
