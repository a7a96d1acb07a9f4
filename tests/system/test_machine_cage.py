"""Machines as users who own nothing, and the text of their consoles, which is kept within limits whoever is killed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.vm.waiting import until
from wherry.boot.machine.accelerator import Accelerator, boot_sector
from wherry.boot.machine.hardware import DiskFormat, MachineSpec, Nic, UserNetwork
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.users import MachineUsers
from wherry.boot.overlay import machine_disks, make_overlay

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to start programs as somebody else"),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]

LINE = b"wherry boots here"
HALT, AGAIN = bytes.fromhex("f4ebfd"), bytes.fromhex("ebf390")
ENDLESS = boot_sector().replace(HALT, AGAIN)
"""The code that says its line again and again."""

OWNER = """
import sys, time
from pathlib import Path
from tests.system.test_machine_cage import spec_in
from wherry.boot.machine.machine import Machine
Machine.start(spec_in(Path(sys.argv[1])), Path(sys.argv[1]) / "machine", with_owner=False)
print("started", flush=True)
time.sleep(600)
"""
KEEPER = "import sys; from wherry.boot.machine.cage import keep_end; keep_end(*map(int, sys.argv[1:]))"


def spec_in(folder: Path) -> MachineSpec:
    """Return a machine on three layers, in folders that are closed to its user."""
    (base, landed, top) = (folder / name for name in ("base.raw", "landed", "top"))
    if not base.exists():
        base.write_bytes(ENDLESS.ljust(1 << 20, b"\0"))
        base.chmod(0o600)
        make_overlay(make_overlay([base], landed), top, DiskFormat.QCOW2)
    disks = machine_disks([top / "disk-0.qcow2"], [landed / "disk-0.qcow2"])
    user = MachineUsers().of("tiny", Accelerator.TCG)
    return MachineSpec("tiny", Accelerator.TCG, disks, vcpus=1, memory_mib=64, user=user)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    yield tmp_path
    left = Machine.find("tiny", tmp_path / "machine")
    if left is not None:
        left.kill()


def facts(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


def network_of(process: str) -> Path:
    """Return what stands for the network that a process sees."""
    return Path("/proc", process, "ns/net").readlink()


def test_qemu_is_nobody_and_does_its_work_all_the_same(folder: Path) -> None:
    spec = spec_in(folder)
    with Machine.start(spec, folder / "machine", with_owner=True) as machine:
        until(lambda: LINE in machine.console().read_bytes())
        machine.screenshot(folder / "screen.png")
        assert (folder / "screen.png").read_bytes().startswith(b"\x89PNG")
        told = facts(int((folder / "machine/pid").read_text()))
        assert told["Uid"] == told["Gid"] == [str(spec.user)] * 4
        assert (told["Groups"], told["NoNewPrivs"], told["CapPrm"]) == ([], ["1"], ["0" * 16])
        assert network_of(told["Pid"][0]) != network_of("self")
        assert {path.name for path in (folder / "machine").iterdir() if path.stat().st_uid == spec.user} == {"run"}


def test_only_who_has_to_reach_the_network_sees_it(folder: Path) -> None:
    nics = (Nic("52:54:00:00:00:01", UserNetwork()),)
    with Machine.start(replace(spec_in(folder), nics=nics), folder / "machine", with_owner=True):
        assert network_of((folder / "machine/pid").read_text().strip()) == network_of("self")


def test_the_text_goes_on_when_the_starter_is_killed(folder: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with owner:
        assert owner.stdout is not None
        assert b"started\n" in iter(owner.stdout.readline, b"")
        owner.send_signal(signal.SIGKILL)
    machine = Machine.find("tiny", folder / "machine")
    assert machine is not None
    before = machine.console().stat().st_size
    until(lambda: machine.console().stat().st_size > before + 1000)


def test_of_a_long_text_the_end_is_kept(tmp_path: Path) -> None:
    text = tmp_path / "console.log"
    text.write_bytes(b"earlier\n")
    source, sink = os.pipe()
    target = os.open(text, os.O_RDWR)
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(source), str(target), "10000"], pass_fds=(source, target, sink)
    )
    os.close(source)
    os.close(target)
    sizes = []
    with os.fdopen(sink, "wb") as writer:
        for number in range(5000):
            writer.write(b"line %d\n" % number)
            if number % 100 == 0:
                writer.flush()
                sizes.append(text.stat().st_size)
    # It has closed its own copy of the other end: else it would wait for ever.
    assert keeper.wait(60) == 0
    kept = text.read_bytes()
    assert kept.endswith(b"line 4998\nline 4999\n")
    assert 2500 < len(kept) <= 10000
    assert max(sizes) <= 10000
