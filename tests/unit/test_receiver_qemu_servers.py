"""Servers as they are noted and announced, and which of them are to run; real ones are for the system tests."""
# ruff: noqa: ARG002 - a double takes what the Protocol gives

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import structs

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.errors import MachineNotStarted, MonitorRefused
from wherry.boot.machine.hardware import Disk, MachineSpec
from wherry.boot.machine.machine import MOST_WORDS
from wherry.boot.machine.users import MachineUsers
from wherry.contract.landing import MAX_CONSOLE_BYTES, Recording, TargetMachine
from wherry.receiver.drivers.qemu.driver import SERVERS_FOLDER, QemuDriver
from wherry.receiver.drivers.qemu.networks import Networks
from wherry.receiver.drivers.qemu.servers import AGAIN_S, QemuServers, ServerNote

NOTE = ServerNote("vm-1", "web", "task", "o-1", TargetMachine(), ("/landed/disk-0.qcow2",), (5 << 30, 1 << 30))


@pytest.fixture
def servers(tmp_path: Path) -> QemuServers:
    return QemuServers(tmp_path / SERVERS_FOLDER, lambda: Accelerator.TCG, MachineUsers(0), Networks())


def test_a_server_that_was_made_is_announced(tmp_path: Path, servers: QemuServers) -> None:
    driver = QemuDriver(tmp_path, servers)
    assert list(driver.servers()) == []
    servers.define(NOTE)
    (announced,) = driver.servers()
    assert (announced.id, announced.name, announced.runs) == ("vm-1", "web", False)
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


class FakeMachine:
    """A machine whose state the test sets."""

    def __init__(self) -> None:
        self.state = "running"
        self.gone = False
        self.hidden = False

    def status(self) -> str:
        return self.state

    def ended(self, wait_s: float = 0.0) -> bool:
        return self.gone

    def screenshot(self, picture: Path) -> None:
        if self.hidden:
            raise MonitorRefused(command="screendump", reason="no screen")
        picture.write_bytes(b"\x89PNG")

    def stop(self) -> None:
        self.gone = True

    def kill(self) -> None:
        self.gone = True


class Host:
    """Machines that outlive the objects that started them, by their folders."""

    def __init__(self) -> None:
        self.machines: dict[Path, FakeMachine] = {}
        self.started: list[str] = []
        self.refuses = False

    def disks(self, place: Path, beneath: Sequence[Path]) -> tuple[Disk, ...]:
        return tuple(Disk(disk) for disk in beneath)

    def start(self, spec: MachineSpec, folder: Path) -> FakeMachine:
        self.started.append(spec.name)
        if self.refuses:
            raise MachineNotStarted(name=spec.name, reason="no memory")
        self.machines[folder] = FakeMachine()
        return self.machines[folder]

    def find(self, name: str, folder: Path) -> FakeMachine | None:
        found = self.machines.get(folder)
        return None if found is None or found.gone else found

    def fail(self) -> None:
        """The power failed."""
        for machine in self.machines.values():
            machine.gone = True


class Tending:
    """A host, and receivers on it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / SERVERS_FOLDER
        self.host = Host()
        self.now = 1000.0
        self.servers = self.receiver()
        self.servers.define(NOTE)

    def receiver(self) -> QemuServers:
        users = MachineUsers(0)
        return QemuServers(
            self.folder,
            lambda: Accelerator.TCG,
            users,
            Networks(),
            machines=self.host,
            stands_s=0.0,
            clock=lambda: self.now,
        )

    @property
    def machine(self) -> FakeMachine:
        return self.host.machines[self.folder / "vm-1/machine"]


@pytest.fixture
def tending(tmp_path: Path) -> Tending:
    return Tending(tmp_path)


def test_what_was_launched_runs_again_when_the_host_does(tending: Tending) -> None:
    tending.servers.launch("vm-1")
    tending.host.fail()
    after = tending.receiver()
    assert (after.running("vm-1"), after.in_use("vm-1")) == (False, True)
    after.tend()
    assert after.status("vm-1") == "running"
    after.tend()
    assert tending.host.started == ["vm-1", "vm-1"]


def test_what_was_only_made_is_not_started(tending: Tending) -> None:
    tending.servers.tend()
    assert (tending.host.started, tending.servers.in_use("vm-1")) == ([], False)


@pytest.mark.parametrize("order", ["stop", "roll_back"])
def test_what_was_stopped_by_an_order_stays_so(tending: Tending, order: str) -> None:
    tending.servers.launch("vm-1")
    getattr(tending.servers, order)("vm-1")
    after = tending.receiver()
    after.tend()
    assert (after.status("vm-1"), after.in_use("vm-1")) == ("stopped", False)


def test_what_was_switched_off_from_inside_stays_off_until_it_is_launched(tending: Tending) -> None:
    tending.servers.launch("vm-1")
    tending.machine.state = "shutdown"
    assert tending.servers.in_use("vm-1")
    after = tending.receiver()
    after.tend()
    assert tending.machine.gone
    tending.receiver().tend()
    assert (after.status("vm-1"), after.in_use("vm-1")) == ("stopped", False)
    after.launch("vm-1")
    assert (after.status("vm-1"), after.in_use("vm-1")) == ("running", True)


def test_one_that_was_switched_off_can_be_launched_before_anybody_noticed(tending: Tending) -> None:
    tending.servers.launch("vm-1")
    tending.machine.state = "shutdown"
    tending.servers.launch("vm-1")
    assert (tending.servers.status("vm-1"), tending.servers.in_use("vm-1")) == ("running", True)


def test_what_cannot_be_started_rests_before_the_next_try(tending: Tending) -> None:
    tending.servers.launch("vm-1")
    tending.host.fail()
    tending.host.refuses = True
    for _ in range(3):
        tending.servers.tend()
    assert len(tending.host.started) == 2
    tending.host.refuses = False
    tending.now += AGAIN_S
    tending.servers.tend()
    assert tending.servers.running("vm-1")


def test_a_launch_that_fails_leaves_no_wish_behind(tending: Tending) -> None:
    tending.host.refuses = True
    with pytest.raises(MachineNotStarted):
        tending.servers.launch("vm-1")
    assert not tending.servers.in_use("vm-1")


def test_what_a_server_shows_is_the_end_of_its_text_and_its_screen(tending: Tending) -> None:
    assert tending.servers.record("vm-1") == Recording()
    tending.servers.launch("vm-1")
    console = tending.servers.console("vm-1")
    console.parent.mkdir()
    console.write_bytes(b"x" * MAX_CONSOLE_BYTES + b"login:")
    shown = tending.servers.record("vm-1")
    assert (len(shown.console), shown.console[-6:], shown.screenshot) == (MAX_CONSOLE_BYTES, b"login:", b"\x89PNG")
    tending.machine.hidden = True
    assert tending.servers.record("vm-1").screenshot == b""


def test_what_qemu_says_is_kept_within_limits(tending: Tending) -> None:
    tending.servers.launch("vm-1")
    words = tending.folder / "vm-1/machine/qemu.log"
    words.parent.mkdir()
    words.write_bytes(b"x" * MOST_WORDS)
    tending.servers.tend()
    assert words.stat().st_size == MOST_WORDS
    with words.open("ab") as qemu:
        qemu.write(b"x")
        qemu.flush()
        tending.servers.tend()
        qemu.write(b"later")
    assert words.read_bytes() == b"later"
