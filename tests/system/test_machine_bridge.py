"""Cards on a bridge: their tap devices are there as long as the machine, however it ends."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.waiting import until
from wherry.boot.machine.accelerator import Accelerator, boot_sector
from wherry.boot.machine.errors import BridgeMissing
from wherry.boot.machine.hardware import BridgeNetwork, Disk, MachineSpec, Nic
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.users import MachineUsers
from wherry.process import ProgramFailed, run


def obstacle() -> str:
    """Return why no bridge can be made here, "" where one can."""
    if os.geteuid() != 0:
        return "needs root to make a bridge"
    if shutil.which("qemu-system-x86_64") is None or shutil.which("ip") is None:
        return "QEMU or iproute2 is not installed"
    if not Path("/dev/net/tun").exists():
        return "there's no /dev/net/tun"
    try:
        run(["ip", "link", "add", "wherry-probe", "type", "bridge"])
    except ProgramFailed:
        return "this kernel makes no bridges"
    run(["ip", "link", "delete", "wherry-probe"])
    return ""


pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(reason := obstacle()), reason=reason)]

BRIDGE = "wherry-test0"
MTU = 1400


@pytest.fixture
def bridge() -> Iterator[str]:
    run(["ip", "link", "add", BRIDGE, "mtu", str(MTU), "type", "bridge"])
    try:
        run(["ip", "link", "set", BRIDGE, "up"])
        yield BRIDGE
    finally:
        run(["ip", "link", "delete", BRIDGE])


def ports() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net", BRIDGE, "brif").iterdir())


def spec_on(bridge: str, folder: Path) -> MachineSpec:
    disk = folder / "disk.raw"
    disk.write_bytes(boot_sector().ljust(1 << 20, b"\0"))
    nics = tuple(Nic(f"52:54:00:00:77:0{number}", BridgeNetwork(bridge)) for number in range(2))
    user = MachineUsers().of("tiny", Accelerator.TCG)
    return MachineSpec("tiny", Accelerator.TCG, (Disk(disk),), vcpus=1, memory_mib=64, nics=nics, user=user)


def test_a_card_is_on_its_bridge_until_its_machine_is_killed(bridge: str, tmp_path: Path) -> None:
    with Machine.start(spec_on(bridge, tmp_path), tmp_path / "machine", with_owner=True) as machine:
        assert len(ports()) == 2
        until(lambda: b"wherry boots here" in machine.console().read_bytes())
        for name in ports():
            facts = Path("/sys/class/net", name)
            assert int((facts / "mtu").read_text()) == MTU
            assert int((facts / "flags").read_text(), 16) & 1
        assert int(Path("/sys/class/net", bridge, "mtu").read_text()) == MTU
    until(lambda: not ports())


def test_a_machine_that_does_not_start_leaves_no_device(bridge: str, tmp_path: Path) -> None:
    spec = spec_on(bridge, tmp_path)
    (tmp_path / "machine/console.log").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        Machine.start(spec, tmp_path / "machine", with_owner=True)
    assert ports() == []


def test_a_bridge_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BridgeMissing, match="no such bridge"):
        Machine.start(spec_on("wherry-gone0", tmp_path), tmp_path / "machine", with_owner=True)
    with pytest.raises(BridgeMissing, match="no such bridge"):
        Machine.start(spec_on("lo", tmp_path), tmp_path / "machine", with_owner=True)
