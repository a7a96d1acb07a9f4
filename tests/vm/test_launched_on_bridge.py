"""A launched server on a bridge of its host: it's reached from there by its own address, and a clone of it isn't."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from tests.system.test_machine_bridge import obstacle
from tests.vm.shell import Shell
from tests.vm.source_image import INTERFACE, SourceImage
from tests.vm.waiting import until
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.users import MachineUsers
from wherry.boot.overlay import make_overlay
from wherry.contract.landing import ISOLATED_NETWORK, TargetMachine
from wherry.process import run
from wherry.receiver.drivers.qemu.networks import Networks
from wherry.receiver.drivers.qemu.servers import QemuServers, ServerNote

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(reason := obstacle()), reason=reason)]

BRIDGE = "wherry-test1"
HOST, SERVER = "198.18.77.1", "198.18.77.2"
"""Of the block for tests between networks (RFC 2544)."""
STATIC = f"auto lo\niface lo inet loopback\n\nauto {INTERFACE}\niface {INTERFACE} inet static\n  address {SERVER}/24\n"


@pytest.fixture
def bridge() -> Iterator[str]:
    run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    try:
        run(["ip", "address", "add", f"{HOST}/24", "dev", BRIDGE])
        run(["ip", "link", "set", BRIDGE, "up"])
        yield BRIDGE
    finally:
        run(["ip", "link", "delete", BRIDGE])


@pytest.fixture
def servers(tmp_path: Path, bridge: str) -> Iterator[QemuServers]:
    networks = Networks({"lan": bridge})
    found = QemuServers(tmp_path / "servers", accelerator_of_this_process, MachineUsers(), networks)
    yield found
    for note in found.every():
        found.roll_back(note.id)


def test_a_launched_server_answers_on_its_bridge_and_a_clone_is_alone(
    server: SourceImage, servers: QemuServers, tmp_path: Path
) -> None:
    disk = tmp_path / "base.raw"
    shutil.copyfile(server.path, disk)
    landed = make_overlay([disk], tmp_path / "landed")
    with ChrootWorkbench().open(landed, writable=True) as guest:
        guest.write_text("/etc/network/interfaces", STATIC)
    machine = TargetMachine(memory_mb=768, macs=["52:54:00:77:00:02"], networks=["lan"])
    note = ServerNote("web", "web", "task", "o-1", machine, (str(landed[0]),), (disk.stat().st_size,))
    servers.define(note)
    servers.launch("web")
    shell = Shell(22, server.key, SERVER)
    shell.wait()
    assert shell("hostname").strip() == server.recipe.hostname
    assert HOST in shell("ip neighbour")
    assert shell("systemctl is-system-running || true").strip() == "running"

    shell("systemctl poweroff")
    until(lambda: servers.status("web") == "shutdown", 300)
    servers.tend()
    assert (servers.status("web"), servers.in_use("web")) == ("stopped", False)
    assert list(Path("/sys/class/net", BRIDGE, "brif").iterdir()) == []

    # A clone with the very same address, which would be in the server's way.
    servers.define(structs.replace(note, id="clone", machine=structs.replace(machine, networks=[ISOLATED_NETWORK])))
    servers.launch("clone")
    servers.launch("web")
    shell.wait()
    assert len(list(Path("/sys/class/net", BRIDGE, "brif").iterdir())) == 1
    servers.stop("web")
    assert servers.status("clone") == "running"
    with pytest.raises(OSError, match=r"timed out|No route"):
        socket.create_connection((SERVER, 22), timeout=10)
