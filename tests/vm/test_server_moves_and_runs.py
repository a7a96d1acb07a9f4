"""The whole way of a running server: pasted command, copy, cutover, conversion, rehearsal, launch on other hardware.

A database is being written all the while. The target has another disk bus and another network card than the source,
and is asked over SSH what it has become.
"""

import re
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.system.migration_rig import Rig
from tests.vm.appliance_kernel import appliance_environment
from tests.vm.disk import KEY_FILE
from tests.vm.moving import MAC, MAX_FREEZE_S, SLOW_S, new_home, paste, reach, running
from tests.vm.portrait import Hardware, failed_units, hardware, leave_traces, portrait
from tests.vm.recipe import Layout, Recipe
from tests.vm.shell import Shell
from tests.vm.shop import BEFORE_FREEZE, Shop, acknowledged_before_freeze, look_into_shop, open_shop
from tests.vm.source_image import CACHE, obstacle
from wherry.boot.machine.machine import Machine
from wherry.boot.target import Firmware
from wherry.contract.enumerations import DiskBus, LandingState, NicModel, Verdict
from wherry.contract.landing import TargetMachineWish

pytestmark = [pytest.mark.root, pytest.mark.timeout(3000)]

TARGET_MAC = "52:54:00:00:00:02"
TARGET = TargetMachineWish(disk_bus=DiskBus.SATA, nic_model=NicModel.E1000E, macs=[TARGET_MAC], vcpus=2, memory_mb=1024)
_PREPARED = {LandingState.NONE, LandingState.ORDERED, LandingState.PREPARING}
_REHEARSED = {*_PREPARED, LandingState.REHEARSING}
STATIONS = {
    "the cutover is proven": {LandingState.NONE},
    "the copy is made to boot": _PREPARED,
    "the rehearsal is over": _REHEARSED,
    "the target is launched": {*_REHEARSED, LandingState.PASSED, LandingState.LAUNCHING},
}
"""What is waited for after the order to cut over, each with the states of the landing before it."""


@dataclass(frozen=True, slots=True)
class Move:
    """A server that moves. *workbench*: of the receiver, for what it has to open."""

    recipe: Recipe
    firmware: Firmware = Firmware.BIOS
    workbench: str = "chroot"


MOVES = [
    pytest.param(Move(Recipe()), id="bios-ext4"),
    pytest.param(Move(Recipe(), Firmware.UEFI), id="uefi-ext4"),
    pytest.param(Move(Recipe(layout=Layout.LVM), workbench="guestfs"), id="lvm"),
]


class Stopwatch:
    """Tells when the stations of a move were passed, in the output of the tests."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began = time.monotonic()

    def __call__(self, station: str) -> None:
        self._tell(f"{time.monotonic() - self._began:5.0f} s  {station}")


@pytest.fixture(params=MOVES)
def move(request: pytest.FixtureRequest) -> Move:
    wanted: Move = request.param
    if reason := obstacle(wanted.recipe):
        pytest.skip(reason)
    return wanted


@pytest.fixture
def passed(capsys: pytest.CaptureFixture[str]) -> Stopwatch:
    def tell(line: str) -> None:
        with capsys.disabled():
            print(line)  # noqa: T201 (how long each part of a long test took)

    return Stopwatch(tell)


@pytest.fixture
def source(move: Move, tmp_path: Path, passed: Stopwatch) -> Iterator[Shell]:
    """The server, running."""
    with running(move.recipe, tmp_path, move.firmware) as shell:
        passed("the source is up")
        yield shell


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The folder in which the receiver looks for keys of encrypted volumes."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def rig(bundle: Path, move: Move, keys: Path, tmp_path: Path) -> Iterator[Rig]:
    """The new home, whose receiver launches what lands."""
    options, environment = ["--driver", "qemu", "--workbench", move.workbench], {}
    if move.workbench == "guestfs":
        environment = dict(appliance_environment())
        options += ["--luks-keys", str(keys)]
    with new_home(bundle, tmp_path, *options, environment=environment) as rig:
        yield rig
        target = launched(rig)
        if target is not None:
            target.kill()


def launched(rig: Rig) -> Machine | None:
    return Machine.find("target-1", rig.images / ".servers/target-1/machine")


def hand_key_over(source: Shell, keys: Path) -> None:
    """Do what the owner of an encrypted server does: leave its key where the receiver looks for it."""
    volume = re.search(r"UUID=(\S+)", source("cat /etc/crypttab"))
    assert volume is not None
    path = keys / volume[1]
    path.touch(mode=0o600)
    path.write_text(source(f"cat /{KEY_FILE}"))


def has_left(rig: Rig, task_id: str, states: Container[LandingState]) -> bool:
    return rig.plane.show_landing(task_id).state not in states


def test_a_server_moves_while_it_works_and_runs_on_other_hardware(
    move: Move, source: Shell, rig: Rig, keys: Path, passed: Stopwatch
) -> None:
    leave_traces(source)
    if move.recipe.layout is Layout.LUKS:
        hand_key_over(source, keys)
    before, failed_before = portrait(source), failed_units(source)
    open_shop(source)
    passed("the source works")
    source(paste(rig, "--max-freeze", str(MAX_FREEZE_S), "--before-freeze", BEFORE_FREEZE))
    rig.await_source(SLOW_S)
    passed("the agent has joined")
    task_id = rig.create_task(syncing=True)
    rig.plane.update_target_machine(task_id, TARGET)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING", SLOW_S)
    passed("everything was copied once")
    rig.plane.update_task_status(task_id, "cutover")
    for what, states in STATIONS.items():
        rig.until(what, partial(has_left, rig, task_id, states), SLOW_S)
        passed(what)
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", SLOW_S)

    assert rig.plane.show_landing(task_id).state is LandingState.LAUNCHED
    (rehearsal,) = rig.plane.list_rehearsals(task_id=task_id).rehearsals
    assert (rehearsal.verdict, rehearsal.new_failed_units) == (Verdict.PASSED, [])
    acknowledged = acknowledged_before_freeze(source)
    machine = launched(rig)
    assert machine is not None
    target = reach(machine, CACHE / "id_ed25519")
    target.wait()
    passed("the target is up")
    assert failed_units(target) <= failed_before
    assert portrait(target) == before
    disks = [["sda", "sata"], ["sdb", "sata"]][: len(rig.plane.show_server(rig.source.id).disks or ())]
    assert hardware(target) == Hardware(disks, move.firmware, ["e1000e", TARGET_MAC])
    assert hardware(source).card == ["virtio_net", MAC]
    shop = look_into_shop(target)
    assert shop == Shop("ok", shop.last, shop.last)
    assert shop.last >= acknowledged > 0
    passed(f"it has all that was sold: {acknowledged} acknowledged, {shop.last} found")
