"""From an agent's disk to a virtual machine that runs: rehearsed, launched, rolled back, cleared, killed in between.

The servers here have no system but a boot sector that says a line; `tests/vm` has real ones.
"""

import contextlib
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from demo.mounting import attached
from tests.contract.running import Raw
from tests.system.failing_back import adopt
from tests.system.landing_receiver import LINE
from tests.system.migration_rig import Rig
from tests.vm.waiting import until
from wherry.boot.machine.accelerator import boot_sector
from wherry.boot.machine.machine import Machine
from wherry.client.errors import ControlPlaneError
from wherry.contract.enumerations import LandingState, OrderStage, Verdict
from wherry.contract.landing import RehearsalRequest, TargetMachineWish

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]

SIZE = 16 * MIB
SMALL = TargetMachineWish(vcpus=1, memory_mb=64, macs=[])
LIMIT_S = 120.0


class Scene:
    """A rig with such a receiver; machines that are left are ended with it."""

    def __init__(self, folder: Path, images: Path | None = None) -> None:
        self.disk = folder / "source.img"
        self.disk.write_bytes(boot_sector() + random.Random(5).randbytes(SIZE - 512))
        self.rig = Rig(
            folder,
            self.disk,
            images=Path() if images is None else images,
            receiver_command=(sys.executable, "-m", "tests.system.landing_receiver"),
        )
        self.rig.start()

    def create(self, *, syncing: bool = True, need_migration_test: bool = False) -> str:
        creation = self.rig.creation(syncing=syncing, need_migration_test=need_migration_test)
        task_id = self.rig.plane.create_task(creation)
        self.rig.plane.update_target_machine(task_id, SMALL)
        return task_id

    def landing(self, task_id: str) -> LandingState:
        return self.rig.plane.show_landing(task_id).state

    def until_state(self, task_id: str, state: str) -> None:
        self.rig.until(state, lambda: self.rig.state(task_id) == state, LIMIT_S)

    def until_landing(self, task_id: str, state: LandingState) -> None:
        self.rig.until(state.value, lambda: self.landing(task_id) is state, LIMIT_S)

    def machine(self, server_id: str = "target-1") -> Machine | None:
        return Machine.find(server_id, self.rig.images / ".servers" / server_id / "machine")

    def end(self) -> None:
        self.rig.end()
        for place in (self.rig.images / ".servers").glob("*"):
            machine = self.machine(place.name)
            if machine is not None:
                machine.kill()


@pytest.fixture
def scene(tmp_path: Path, images: Path) -> Iterator[Scene]:
    """A receiver on a filesystem with reflinks."""
    found = Scene(tmp_path, images)
    yield found
    found.end()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Scene]:
    """A receiver on whatever this machine has."""
    found = Scene(tmp_path)
    yield found
    found.end()


def test_on_a_device_that_was_adopted_a_server_is_rehearsed_and_launched_too(plain: Scene, tmp_path: Path) -> None:
    old = tmp_path / "old.raw"
    old.write_bytes(bytes(512) + plain.disk.read_bytes()[512:])
    with attached(old) as device:
        task_id = plain.create(syncing=False)
        assert adopt(plain.rig, task_id, device).returncode == 0
        plain.rig.plane.update_task_status(task_id, "start")
        plain.until_state(task_id, "MIGRATE_SUCCESS")
        assert plain.landing(task_id) is LandingState.LAUNCHED
        target = plain.machine()
        assert target is not None
        plain.rig.until("the target's line", lambda: LINE in target.console().read_bytes())
        plain.rig.plane.roll_back_target(task_id)
        plain.until_landing(task_id, LandingState.ROLLED_BACK)
        assert device.read_bytes() == plain.disk.read_bytes()
        assert plain.rig.plane.show_replication(task_id).sent_bytes < MIB


def test_a_server_is_rehearsed_while_it_is_kept_in_sync_then_launched_and_rolled_back(scene: Scene) -> None:
    rig, task_id = scene.rig, scene.create()
    rig.plane.update_task_status(task_id, "start")
    scene.until_state(task_id, "SYNCING")
    rehearsal_id = rig.plane.order_rehearsal(task_id, RehearsalRequest(fresh=True))
    rig.until("the verdict", lambda: rig.plane.show_rehearsal(rehearsal_id).verdict, LIMIT_S)
    told = rig.plane.show_rehearsal(rehearsal_id)
    assert (told.verdict, told.stage) == (Verdict.PASSED, OrderStage.DONE)
    assert LINE.decode() in rig.plane.show_console(rehearsal_id)
    assert rig.plane.show_screenshot(rehearsal_id).startswith(b"\x89PNG")
    assert rig.state(task_id) == "SYNCING"
    before = rig.plane.show_replication(task_id).checkpoint
    rig.until("further passes", lambda: rig.plane.show_replication(task_id).checkpoint > before)

    rig.plane.update_task_status(task_id, "test")
    scene.until_state(task_id, "MIGRATE_SUCCESS")
    assert scene.landing(task_id) is LandingState.LAUNCHED
    launched = scene.machine()
    assert launched is not None
    rig.until("the target's line", lambda: LINE in launched.console().read_bytes())
    rig.plane.record_target(task_id)
    rig.until("the recording", lambda: LINE.decode() in _target_console(rig, task_id), LIMIT_S)
    assert rig.plane.show_target_screenshot(task_id).startswith(b"\x89PNG")
    rig.programs["receiver"].restart()
    assert not launched.ended(0)

    rig.plane.roll_back_target(task_id)
    scene.until_landing(task_id, LandingState.ROLLED_BACK)
    assert launched.ended(0)
    rig.plane.launch_target(task_id)
    scene.until_landing(task_id, LandingState.LAUNCHED)
    again = scene.machine()
    assert again is not None
    assert (scene.rig.images / task_id / "disk-0.raw").read_bytes() == scene.disk.read_bytes()
    rig.plane.update_task_status(task_id, "clear")
    source = rig.source.id
    rig.until("the end of clear", lambda: rig.plane.show_server(source).state == "cleared")
    assert not list((scene.rig.images / task_id).glob("checkpoint-*"))
    assert again.status() == "running"


def test_every_party_may_be_killed_while_the_task_waits_for_its_verdict(plain: Scene) -> None:
    rig, task_id = plain.rig, plain.create(syncing=False)
    rig.plane.update_task_status(task_id, "start")
    for name in ("receiver", "agent", "serve"):
        rig.until(
            "the landing", lambda: plain.landing(task_id) not in {LandingState.NONE, LandingState.ORDERED}, LIMIT_S
        )
        rig.programs[name].restart()
        rig.until("the control plane", lambda: _ready(rig))
    plain.until_state(task_id, "MIGRATE_SUCCESS")
    assert plain.landing(task_id) is LandingState.LAUNCHED
    launched = plain.machine()
    assert launched is not None
    rig.programs["receiver"].kill()
    launched.kill()
    assert plain.machine() is None
    # As after a power failure of the host: nobody but the receiver has to come back.
    rig.programs["serve"].kill()
    rig.programs["receiver"].start()
    until(lambda: plain.machine() is not None, LIMIT_S)


def test_a_copy_that_does_not_boot_fails_the_task_and_a_mended_one_is_launched(plain: Scene) -> None:
    rig, task_id = plain.rig, plain.create(syncing=False)
    whole = plain.disk.read_bytes()
    plain.disk.write_bytes(bytes(512) + whole[512:])
    rig.plane.update_task_status(task_id, "start")
    rig.until("the failure", lambda: rig.state(task_id) == "MIGRATE_FAIL", LIMIT_S)
    error = json.loads(rig.plane.show_task(task_id).error_json or "{}")
    assert error["error_code"] == "WHERRY.6210"
    assert json.loads(error["error_param"]) == ["it says nothing", "no boot code", "write it"]
    assert plain.machine() is None
    plain.disk.write_bytes(whole)
    rig.plane.update_task_status(task_id, "start")
    plain.until_state(task_id, "MIGRATE_SUCCESS")
    assert plain.landing(task_id) is LandingState.LAUNCHED
    verdicts = [each.verdict for each in rig.plane.list_rehearsals(task_id=task_id).rehearsals]
    assert verdicts == [Verdict.PASSED, Verdict.FAILED]


def test_a_drill_rehearses_before_the_migration_and_what_it_copied_counts(plain: Scene) -> None:
    rig, task_id = plain.rig, plain.create(need_migration_test=True)
    rig.plane.update_task_status(task_id, "migration_test")
    source = rig.source.id
    rig.until("the drill's end", lambda: rig.plane.show_server(source).state == "premiged", LIMIT_S)
    assert rig.state(task_id) == "READY"
    assert plain.machine() is None
    (drilled,) = rig.plane.list_rehearsals(task_id=task_id).rehearsals
    assert (drilled.kind, drilled.verdict) == ("drill", Verdict.PASSED)
    rig.plane.update_task_status(task_id, "start")
    plain.until_state(task_id, "SYNCING")
    assert rig.plane.show_replication(task_id).passes[0].number == 0
    assert [each.number for each in rig.plane.show_replication(task_id).passes].count(0) == 1


def test_a_drill_that_is_stopped_leaves_nothing_over(plain: Scene) -> None:
    rig, task_id = plain.rig, plain.create(need_migration_test=True)
    whole = plain.disk.read_bytes()
    plain.disk.write_bytes(bytes(512) + whole[512:])  # so that the rehearsal waits for long
    rig.plane.update_task_status(task_id, "migration_test")
    landing = rig.images / task_id / "landing"
    rig.until("the rehearsal", lambda: list(landing.glob("*/rehearsal/machine/pid")), LIMIT_S)
    (machine,) = [Machine.find("rehearsal", path.parent) for path in landing.glob("*/rehearsal/machine/pid")]
    assert machine is not None
    rig.plane.update_task_status(task_id, "stop")
    source = rig.source.id
    rig.until("the stop", lambda: rig.plane.show_server(source).state == "waiting", LIMIT_S)
    assert rig.state(task_id) == "READY"
    assert plain.landing(task_id) is LandingState.WITHDRAWN
    rig.until("the machine's end", lambda: machine.ended(0), LIMIT_S)
    rig.until("an empty folder", lambda: not list(landing.iterdir()), LIMIT_S)
    assert rig.plane.list_rehearsals(task_id=task_id).count == 0

    plain.disk.write_bytes(whole)
    rig.plane.update_task_status(task_id, "migration_test")
    rig.until("the drill's end", lambda: rig.plane.show_server(source).state == "premiged", LIMIT_S)


def test_a_clone_runs_beside_a_task_that_goes_on(scene: Scene) -> None:
    rig, task_id = scene.rig, scene.create()
    rig.plane.update_task_status(task_id, "start")
    scene.until_state(task_id, "SYNCING")
    with contextlib.closing(Raw(rig.server())) as raw:
        template = raw.post("/v3/vm/templates", {"template": {"name": "small"}})["id"]
        raw.post(f"/v3/tasks/{task_id}/action", {"operation": "clone_test", "template_id": template})
    clone = rig.until("the clone", lambda: _finished(rig, task_id), LIMIT_S)
    machine = scene.machine(clone)
    assert machine is not None
    rig.until("the clone's line", lambda: LINE in machine.console().read_bytes())
    assert (rig.state(task_id), rig.plane.show_server(rig.source.id).state) == ("SYNCING", "syncing")


def _target_console(rig: Rig, task_id: str) -> str:
    try:
        return rig.plane.show_target_console(task_id)
    except ControlPlaneError as error:
        if error.status != 404:
            raise
        return ""


def _finished(rig: Rig, task_id: str) -> str | None:
    clone = rig.plane.show_task(task_id).clone_server
    assert clone is None or clone.clone_state != "ERROR", clone
    return clone.vm_id if clone is not None and clone.clone_state == "FINISHED" else None


def _ready(rig: Rig) -> bool:
    rig.plane.ready()
    return True
