"""A real server through the receiver's hands: made to boot on another bus, rehearsed, launched, rolled back, cloned."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.vm.power import switched_off
from tests.vm.recipe import Initramfs, Recipe
from tests.vm.source_image import source_image
from tests.vm.waiting import until
from wherry.boot.machine.accelerator import accelerator_of_this_process
from wherry.boot.machine.machine import Machine
from wherry.boot.machine.users import MachineUsers
from wherry.boot.workbench import Workbench
from wherry.contract.enumerations import DiskBus, OrderKind, OrderStage, Verdict
from wherry.contract.landing import LandingOrder, OrderReport, RehearsalCheck, TargetMachine
from wherry.receiver.drivers.qemu.driver import SERVERS_FOLDER, QemuDriver
from wherry.receiver.drivers.qemu.networks import Networks
from wherry.receiver.drivers.qemu.servers import QemuServers
from wherry.receiver.landing.carrier import Carrier
from wherry.receiver.landing.workbenches import open_workbench
from wherry.receiver.landing.workshop import BootConverter, BootRehearser
from wherry.receiver.settings import WorkbenchKind
from wherry.replication.errors import SnapshotRefused
from wherry.replication.record import Checkpoint, ReplicaDisk

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices and mounts"),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]

TARGET = TargetMachine(disk_bus=DiskBus.VIRTIO_SCSI, vcpus=2, memory_mb=1024, macs=["52:54:00:77:00:01"])
CHECKS = [
    RehearsalCheck(name="name", command='test "$(hostname)" = source'),
    RehearsalCheck(name="database", command="command -v sqlite3"),
]
BOOT_S = 600.0


class Landed:
    """A replica at its last checkpoint, on a filesystem that knows no reflinks."""

    def __init__(self, disk: Path) -> None:
        self.disks: Sequence[ReplicaDisk] = [ReplicaDisk(0, "/dev/sda", disk.stat().st_size, disk)]
        self.checkpoint = Checkpoint(4, consistent=True, taken_at=1, covered={})

    def snapshot(self, checkpoint: int, folder: Path) -> Mapping[int, Path]:
        raise SnapshotRefused(path=folder, reason=f"no reflinks for checkpoint {checkpoint}")

    def get(self, task_id: str) -> "Landed":
        assert task_id == "task"
        return self


class Scene:
    """A carrier with real parts, and a server's disk."""

    def __init__(self, images: Path, workbench: Workbench, initramfs: Initramfs) -> None:
        self.initramfs = initramfs
        self.servers = QemuServers(images / SERVERS_FOLDER, accelerator_of_this_process, MachineUsers(), Networks())
        driver = QemuDriver(images, self.servers)
        self.disk = driver.replica_directory("task") / "disk-0.raw"
        shutil.copyfile(source_image(Recipe(initramfs=initramfs)).path, self.disk)
        self.carrier = Carrier(
            driver,
            Landed(self.disk),
            converter=BootConverter(workbench),
            rehearser=BootRehearser(workbench, accelerator_of_this_process, MachineUsers()),
            servers=self.servers,
        )

    def machine(self, server_id: str) -> Machine:
        found = Machine.find(server_id, self.servers.console(server_id).parent)
        assert found is not None
        return found

    def user(self) -> int:
        """Return whom QEMU runs as."""
        pid = (self.servers.console("target").parent / "pid").read_text().strip()
        return Path(f"/proc/{pid}").stat().st_uid

    def do(self, kind: OrderKind, server_id: str = "target") -> OrderReport:
        order = LandingOrder(
            id=f"order-{kind.value.replace('_', '-')}", task_id="task", kind=kind, target=TARGET, checkpoint=4,
            server_id=server_id, server_name=server_id, checks=CHECKS, limit_s=int(BOOT_S),
        )  # fmt: skip
        report = self.carrier.carry_out(order, "MIGRATE_SUCCESS", lambda *_words: None, lambda: False)
        assert report is not None
        return report


@pytest.fixture(
    params=[
        (WorkbenchKind.CHROOT, Initramfs.SATA_ONLY),
        # Without KVM a virtual machine builds no initramfs in a time that a test may take.
        (WorkbenchKind.GUESTFS, Initramfs.MOST),
    ],
    ids=["chroot", "guestfs"],
)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    workbench, initramfs = request.param
    if workbench is WorkbenchKind.GUESTFS:
        request.getfixturevalue("appliance")
    images = tmp_path / "images"
    images.mkdir()
    found = Scene(images, open_workbench(workbench, accelerator_of_this_process), initramfs)
    yield found
    for server_id in ("target", "clone"):
        found.servers.stop(server_id)


def test_a_server_is_converted_rehearsed_launched_rolled_back_and_cloned(scene: Scene) -> None:
    before = scene.disk.stat().st_mtime_ns
    landed = scene.do(OrderKind.LAND)
    assert landed.rehearsal is not None, landed.error
    words = landed.rehearsal.console.decode(errors="replace")
    assert (landed.stage, landed.rehearsal.verdict) == (OrderStage.DONE, Verdict.PASSED), (landed.error, words[-2000:])
    assert [check.status for check in landed.rehearsal.checks] == [0, 0]
    assert landed.rehearsal.screenshot.startswith(b"\x89PNG")
    rebuilt = any("virtio_scsi" in why for why in landed.rehearsal.changes)
    assert rebuilt is (scene.initramfs is Initramfs.SATA_ONLY), landed.rehearsal.changes

    assert scene.do(OrderKind.LAUNCH).stage is OrderStage.DONE
    assert scene.servers.status("target") == "running"
    assert scene.user() == MachineUsers().of("target", accelerator_of_this_process())
    # It says nothing on a serial line, which nobody gave it; but a system that is up heeds the power button.
    target = scene.machine("target")
    until(lambda: switched_off(target), BOOT_S)
    scene.servers.tend()
    assert (scene.servers.status("target"), scene.servers.in_use("target")) == ("stopped", False)
    # What its owner switched off stays off; what loses its power comes back.
    scene.servers.tend()
    assert scene.servers.status("target") == "stopped"
    assert scene.do(OrderKind.LAUNCH).stage is OrderStage.DONE
    scene.machine("target").kill()
    scene.servers.tend()
    assert scene.servers.status("target") == "running"
    assert scene.do(OrderKind.LAUNCH).stage is OrderStage.DONE
    assert scene.do(OrderKind.ROLL_BACK).stage is OrderStage.DONE
    assert scene.servers.status("target") == "stopped"

    cloned = scene.do(OrderKind.CLONE, "clone")
    assert (cloned.stage, cloned.error) == (OrderStage.DONE, None)
    assert scene.servers.status("clone") == "running"
    assert scene.do(OrderKind.CLEAR).note == "0 kept states were removed"
    assert scene.disk.stat().st_mtime_ns == before
