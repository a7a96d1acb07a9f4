"""Servers as they are noted and announced; that they run is for the system tests to say."""

from pathlib import Path

import pytest
from msgspec import structs

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.errors import MachineNotStarted
from wherry.contract.landing import TargetMachine
from wherry.receiver.drivers.qemu.driver import SERVERS_FOLDER, QemuDriver
from wherry.receiver.drivers.qemu.servers import QemuServers, ServerNote

NOTE = ServerNote("vm-1", "web", "task", "o-1", TargetMachine(), ("/landed/disk-0.qcow2",), (5 << 30, 1 << 30))


@pytest.fixture
def servers(tmp_path: Path) -> QemuServers:
    return QemuServers(tmp_path / SERVERS_FOLDER, lambda: Accelerator.TCG)


def test_a_server_that_was_made_is_announced(tmp_path: Path, servers: QemuServers) -> None:
    driver = QemuDriver(tmp_path, servers)
    assert list(driver.servers()) == []
    servers.define(NOTE)
    (announced,) = driver.servers()
    assert (announced.id, announced.name) == ("vm-1", "web")
    assert [(disk.size, disk.device_use) for disk in announced.disks] == [(5 << 30, "BOOT"), (1 << 30, "NORMAL")]
    assert "qemu" in driver.names
    assert driver.replicas() == []


def test_one_made_of_something_else_loses_what_it_wrote(tmp_path: Path, servers: QemuServers) -> None:
    servers.define(NOTE)
    written = tmp_path / SERVERS_FOLDER / "vm-1/disks"
    written.mkdir()
    servers.define(structs.replace(NOTE, name="renamed"))
    assert written.exists()
    servers.define(structs.replace(NOTE, landed="o-2"))
    assert not written.exists()


def test_an_id_that_can_be_no_name_stands_for_itself(tmp_path: Path, servers: QemuServers) -> None:
    for server_id in ("../../etc", "a/b", "a b", ".hidden", "x" * 300):
        servers.define(structs.replace(NOTE, id=server_id))
        found = servers.find(server_id)
        assert found is not None
        assert found.id == server_id
    assert {path.parent for path in (tmp_path / SERVERS_FOLDER).glob("*/server.json")} == set(
        (tmp_path / SERVERS_FOLDER).iterdir()
    )


def test_what_was_never_made_neither_starts_nor_runs(servers: QemuServers) -> None:
    with pytest.raises(MachineNotStarted, match="never made"):
        servers.launch("vm-2")
    assert (servers.running("vm-2"), servers.status("vm-2"), servers.find("vm-2")) == (False, "stopped", None)
    servers.stop("vm-2")
    servers.remove("vm-2")


def test_a_removed_server_leaves_nothing(tmp_path: Path, servers: QemuServers) -> None:
    servers.define(NOTE)
    servers.remove("vm-1")
    assert list((tmp_path / SERVERS_FOLDER).iterdir()) == []
