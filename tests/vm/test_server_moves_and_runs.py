"""The whole way of a running server: pasted command, copy, cutover, conversion, rehearsal, launch on other hardware.

A database is being written all the while. The target has another disk bus and another network card than the source.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.migration_rig import Rig
from tests.vm.moving import MAX_FREEZE_S, SLOW_S, new_home, paste, running
from tests.vm.recipe import Recipe
from tests.vm.shell import Shell
from tests.vm.source_image import obstacle
from tests.vm.waiting import until
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.boot.machine.errors import MachineGone
from wherry.boot.machine.machine import Machine
from wherry.contract.enumerations import DiskBus, LandingState, NicModel, Verdict
from wherry.contract.landing import TargetMachineWish

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.timeout(3000),
]

TARGET = TargetMachineWish(
    disk_bus=DiskBus.SATA, nic_model=NicModel.E1000E, macs=["52:54:00:00:00:02"], vcpus=2, memory_mb=1024
)
WRITER = """
sqlite3 /root/shop.db 'CREATE TABLE sale (number INTEGER PRIMARY KEY, content TEXT)'
number=0
while :; do
    number=$((number + 1))
    sqlite3 /root/shop.db "PRAGMA synchronous=FULL; INSERT INTO sale VALUES ($number, hex(randomblob(200)))" >/dev/null
    echo $number >/root/acknowledged.new; mv /root/acknowledged.new /root/acknowledged
    sleep 0.2
done
"""
KEPT = ("/etc/hostname", "/etc/passwd", "/etc/shadow", "/etc/ssh/ssh_host_ed25519_key.pub")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A running server, as the other tests build it."""
    with running(Recipe(), tmp_path) as shell:
        yield shell


@pytest.fixture
def rig(bundle: Path, tmp_path: Path) -> Iterator[Rig]:
    """The new home, whose receiver launches what lands."""
    with new_home(bundle, tmp_path, "--driver", "qemu", "--workbench", "chroot") as rig:
        yield rig
    target = launched(rig)
    if target is not None:
        target.kill()


def launched(rig: Rig) -> Machine | None:
    return Machine.find("target-1", rig.images / ".servers/target-1/machine")


def test_a_server_moves_while_it_works_and_runs_on_other_hardware(shell: Shell, rig: Rig, tmp_path: Path) -> None:
    shell(f"cat >/root/writer.sh <<'END'\n{WRITER}\nEND\nsystemd-run --quiet sh /root/writer.sh")
    shell(paste(rig, "--max-freeze", str(MAX_FREEZE_S)))
    rig.await_source(SLOW_S)
    before = {path: shell(f"cat {path}") for path in KEPT}
    task_id = rig.create_task(syncing=True)
    rig.plane.update_target_machine(task_id, TARGET)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING", SLOW_S)
    acknowledged = int(shell("cat /root/acknowledged"))
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", 2 * SLOW_S)

    assert rig.plane.show_landing(task_id).state is LandingState.LAUNCHED
    (rehearsal,) = rig.plane.list_rehearsals(task_id=task_id).rehearsals
    assert (rehearsal.verdict, rehearsal.failed_units) == (Verdict.PASSED, [])
    target = launched(rig)
    assert target is not None
    until(lambda: pressed(target), SLOW_S)
    disks = sorted((rig.images / ".servers/target-1/disks").glob("disk-*.qcow2"))
    with ChrootWorkbench().open(disks) as guest:
        assert {path: guest.read_text(path) for path in KEPT} == before
        (tmp_path / "shop.db").write_bytes(guest.read_bytes("/root/shop.db") or b"")
        (tmp_path / "shop.db-journal").write_bytes(guest.read_bytes("/root/shop.db-journal") or b"")
    with sqlite3.connect(tmp_path / "shop.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        numbers = [number for (number,) in database.execute("SELECT number FROM sale ORDER BY number")]
    database.close()
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= acknowledged


def pressed(machine: Machine) -> bool:
    """Press the power button, and tell whether the machine has ended a moment later."""
    try:
        machine.power_down()
    except MachineGone:
        return True
    return machine.ended(5.0)
