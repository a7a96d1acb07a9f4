"""Orders are carried out step by step, taken up again after a kill at any of them, and leave the replica alone."""

import os
import random
from pathlib import Path

import pytest
from msgspec import structs

from tests.unit.landing_doubles import Killed, Scene, order
from wherry.boot.machine.errors import MachineNotStarted
from wherry.contract.enumerations import DiskBus, OrderKind, OrderStage, Verdict
from wherry.contract.landing import LandingError, OrderReport, TargetMachine
from wherry.durable import write_file
from wherry.receiver.errors import NetworkUnknown
from wherry.receiver.landing import standing
from wherry.receiver.landing.carrier import landed_disks
from wherry.receiver.landing.words import OrderStopped
from wherry.replication.errors import CheckpointGone, SnapshotRefused

ERROR = LandingError(code="WHERRY.6210", message="no boot loader", cause="c", fix="f")


@pytest.fixture(params=[True, False], ids=["reflinks", "no reflinks"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    found = Scene(tmp_path, reflinks=request.param)
    with_reflinks(monkeypatch, request.param)
    return found


def with_reflinks(monkeypatch: pytest.MonkeyPatch, possible: object) -> None:
    monkeypatch.setattr(standing, "reflinks_in", lambda _folder: possible)


def done(report: OrderReport | None) -> OrderReport:
    assert report is not None
    assert report.stage is OrderStage.DONE, report.error
    return report


def test_a_landing_is_converted_rehearsed_and_launched_from_the_same_disks(scene: Scene) -> None:
    landed = done(scene.do(order()))
    assert (landed.checkpoint, landed.server_id) == (4, "vm-1")
    assert landed.rehearsal is not None
    assert landed.rehearsal.changes == ["the initramfs lacks a driver"]
    assert [stage for stage, _, _ in scene.told] == ["preparing", "rehearsing", "rehearsing"]
    done(scene.do(order(OrderKind.LAUNCH, "o-2")))
    note = scene.servers.notes["vm-1"]
    assert (note.landed, note.sizes, scene.servers.up) == ("o-1", (1 << 20, 1 << 20), {"vm-1"})
    for index, disk in enumerate(note.beneath):
        base = Path(Path(disk).read_text())
        assert base.read_bytes() == (scene.directory / f"disk-{index}.raw").read_bytes()
        assert (base.parent == scene.directory) == (not scene.replica.reflinks)


def test_what_was_done_is_not_done_again(scene: Scene) -> None:
    first = done(scene.do(order()))
    assert scene.do(order()) == first
    assert (scene.workshop.converted, scene.workshop.rehearsed) == (1, 1)


def test_a_kept_checkpoint_is_taken_and_outlives_its_folder(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.replica.number = 9
    kept = scene.directory / "checkpoint-00000004"
    kept.mkdir()
    for disk in scene.replica.disks:
        (kept / disk.path.name).write_bytes(b"kept")
    done(scene.do(order()))
    for path in kept.iterdir():
        path.unlink()
    kept.rmdir()
    assert (scene.folder() / "base/disk-1.raw").read_bytes() == b"kept"


def test_a_checkpoint_that_is_kept_as_qcow2_alone_is_no_disk_to_land_on(scene: Scene) -> None:
    converted = scene.directory / "checkpoint-00000004"
    converted.mkdir()
    for disk in scene.replica.disks:
        (converted / disk.path.with_suffix(".qcow2").name).write_bytes(b"made of the replica's images")
    done(scene.do(order()))
    disks = landed_disks(scene.folder())
    assert [Path(disk.read_text()).read_bytes() for disk in disks] == [
        disk.path.read_bytes() for disk in scene.replica.disks
    ]


def test_a_copy_that_does_not_boot_fails_the_order_with_its_code(scene: Scene) -> None:
    scene.workshop.verdict, scene.workshop.error = Verdict.FAILED, ERROR
    report = scene.do(order())
    assert report is not None
    assert (report.stage, report.error, report.rehearsal is not None) == (OrderStage.FAILED, ERROR, True)
    assert not (scene.folder() / "order.json").exists()


def test_data_disks_are_nothing_to_boot(scene: Scene) -> None:
    scene.workshop.no_system = True
    report = scene.do(order())
    assert report is not None
    assert report.stage is OrderStage.NOTHING_TO_BOOT


def test_what_cannot_be_converted_fails_with_cause_and_fix(scene: Scene) -> None:
    scene.workshop.refuses = SnapshotRefused(path="x", reason="y")
    report = scene.do(order())
    assert report is not None
    assert report.error is not None
    assert (report.error.code, bool(report.error.cause), bool(report.error.fix)) == ("WHERRY.2026", True, True)


@pytest.mark.parametrize("seed", range(30))
def test_an_order_that_is_killed_anywhere_is_taken_up_where_it_was(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    scene = Scene(tmp_path, reflinks=chance.random() < 0.5)
    with_reflinks(monkeypatch, possible=True)
    before = {path.name: path.read_bytes() for path in scene.directory.glob("disk-*")}

    def fall(_what: str) -> None:
        if chance.random() < 0.4:
            raise Killed

    def write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
        fall("before a write")
        write_file(path, content, mode=mode)
        fall("after a write")

    scene.workshop.during = scene.servers.during = fall
    for module in ("standing", "carrier"):
        monkeypatch.setattr(f"wherry.receiver.landing.{module}.write_file", write)
    for wanted in (order(), order(OrderKind.LAUNCH, "o-2"), order(OrderKind.ROLL_BACK, "o-3")):
        for _ in range(200):
            try:
                report = scene.do(wanted)
            except Killed:
                continue
            done(report)
            break
        else:
            pytest.fail("it never came to its end")
    assert scene.workshop.converted >= 1
    assert scene.servers.rolled_back == ["vm-1"]
    assert {path.name: path.read_bytes() for path in scene.directory.glob("disk-*")} == before


def test_an_order_that_is_stopped_has_no_verdict_and_goes_on_later(scene: Scene) -> None:
    scene.workshop.during = lambda what: setattr(scene, "stopped", what == "rehearse")
    with pytest.raises(OrderStopped):
        scene.do(order())
    scene.stopped = False
    scene.workshop.during = lambda _what: None
    done(scene.do(order()))
    assert (scene.workshop.converted, scene.workshop.rehearsed) == (1, 2)


def test_a_moving_replica_is_rehearsed_from_a_reflink_or_not_at_all(scene: Scene) -> None:
    report = scene.do(order(OrderKind.REHEARSE, checkpoint=None), "SYNCING")
    assert report is not None
    if scene.replica.reflinks:
        assert (report.stage, report.checkpoint) == (OrderStage.DONE, 4)
    else:
        assert report.error is not None
        assert report.error.code == "WHERRY.3008"
        done(scene.do(order(OrderKind.REHEARSE, "o-9", checkpoint=None), "ABORT"))


def test_moving_disks_that_lie_elsewhere_than_the_folder_are_not_rehearsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_reflinks(monkeypatch, possible=True)
    scene = Scene(tmp_path)

    def refused(_checkpoint: int, _folder: Path) -> dict[int, Path]:
        raise SnapshotRefused(path="/dev/sdb", reason="it's a device")

    monkeypatch.setattr(scene.replica, "snapshot", refused)
    report = scene.do(order(OrderKind.REHEARSE, checkpoint=None), "SYNCING")
    assert report is not None
    assert report.error is not None
    assert report.error.code == "WHERRY.3008"
    done(scene.do(order(OrderKind.REHEARSE, "o-9", checkpoint=None), "ABORT"))


def test_a_rehearsal_waits_for_a_consistent_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_reflinks(monkeypatch, possible=True)
    scene = Scene(tmp_path)
    scene.replica.consistent = False
    wanted = order(OrderKind.REHEARSE, checkpoint=None)
    assert scene.do(wanted) is None
    scene.replica.consistent, scene.replica.number = True, 7
    assert done(scene.do(wanted)).checkpoint == 7


def test_a_checkpoint_that_goes_away_this_moment_is_waited_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_reflinks(monkeypatch, possible=True)
    scene = Scene(tmp_path)

    def gone(checkpoint: int, _folder: Path) -> dict[int, Path]:
        raise CheckpointGone(actual=5, wanted=checkpoint)

    monkeypatch.setattr(scene.replica, "snapshot", gone)
    assert scene.do(order(OrderKind.REHEARSE, checkpoint=None)) is None
    report = scene.do(order(order_id="o-2"))
    assert report is not None
    assert report.error is not None
    assert report.error.code == "WHERRY.2025"


def test_a_fresh_one_waits_for_a_newer_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_reflinks(monkeypatch, possible=True)
    scene = Scene(tmp_path)
    wanted = order(OrderKind.CLONE, checkpoint=None, fresh=True, server_id="clone-1")
    assert scene.do(wanted) is None
    assert scene.do(wanted) is None
    scene.replica.number = 5
    report = done(scene.do(wanted))
    assert (report.checkpoint, report.server_id, scene.servers.up) == (5, "clone-1", {"clone-1"})
    assert scene.workshop.rehearsed == 0


def test_a_launch_without_a_landing_is_refused(scene: Scene) -> None:
    for kind in (OrderKind.LAUNCH, OrderKind.ROLL_BACK):
        report = scene.do(order(kind))
        assert report is not None
        assert report.error is not None
        assert report.error.code == "WHERRY.3009"


def test_a_launch_that_failed_is_told(scene: Scene) -> None:
    scene.do(order())
    scene.servers.refuses = MachineNotStarted(name="vm-1", reason="no memory")
    report = scene.do(order(OrderKind.LAUNCH, "o-2"))
    assert report is not None
    assert report.error is not None
    assert (report.stage, report.error.code) == (OrderStage.FAILED, "WHERRY.6201")


def test_the_target_is_launched_on_the_machine_that_was_rehearsed(scene: Scene) -> None:
    scene.do(order(target=TargetMachine(disk_bus=DiskBus.SATA)))
    done(scene.do(order(OrderKind.LAUNCH, "o-2", target=TargetMachine(disk_bus=DiskBus.NVME))))
    assert scene.servers.notes["vm-1"].machine.disk_bus is DiskBus.SATA


def test_a_target_that_runs_on_the_replica_itself_holds_it(scene: Scene) -> None:
    scene.do(order())
    assert not scene.carrier.holds("task")
    scene.do(order(OrderKind.LAUNCH, "o-2"))
    assert scene.carrier.holds("task") == (not scene.replica.reflinks)
    scene.do(order(OrderKind.ROLL_BACK, "o-3"))
    assert not scene.carrier.holds("task")


def test_a_replica_that_went_on_is_not_launched(tmp_path: Path) -> None:
    scene = Scene(tmp_path, reflinks=False)
    scene.do(order())
    scene.replica.number = 5
    report = scene.do(order(OrderKind.LAUNCH, "o-2"))
    assert report is not None
    assert report.error is not None
    assert report.error.code == "WHERRY.2025"


def test_clear_removes_what_no_server_stands_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.do(order())
    scene.do(order(OrderKind.LAUNCH, "o-2"))
    (scene.directory / "checkpoint-00000003").mkdir()
    done(scene.do(order(order_id="old")))
    done(scene.do(order(OrderKind.CLEAR, "o-4")))
    assert [path.name for path in (scene.directory / "landing").iterdir()] == ["o-1"]
    assert not list(scene.directory.glob("checkpoint-*"))


def test_a_newer_launch_takes_the_place_of_the_older_landing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.do(order())
    scene.do(order(OrderKind.LAUNCH, "o-2"))
    scene.replica.number = 5
    scene.do(order(order_id="o-5", checkpoint=5))
    done(scene.do(order(OrderKind.LAUNCH, "o-6", checkpoint=5)))
    assert scene.servers.notes["vm-1"].landed == "o-5"
    assert [path.name for path in (scene.directory / "landing").iterdir()] == ["o-5"]


def test_only_what_nobody_needs_is_swept(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.do(order())
    for name in ("wanted", "left"):
        scene.folder(name).mkdir()
    scene.carrier.sweep({"wanted"})
    assert sorted(path.name for path in (scene.directory / "landing").iterdir()) == ["o-1", "wanted"]
    scene.carrier.drop(structs.replace(order(), id="wanted"))
    assert not scene.folder("wanted").exists()


def test_a_machine_that_cannot_be_had_is_told_before_anything_is_made(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.servers.unfit = NetworkUnknown(name="lan", known="default, isolated")
    for kind in (OrderKind.LAND, OrderKind.DRILL, OrderKind.REHEARSE, OrderKind.CLONE):
        report = scene.do(order(kind))
        assert report is not None
        assert report.error is not None
        assert (report.stage, report.error.code) == (OrderStage.FAILED, NetworkUnknown.code)
    assert (scene.workshop.converted, scene.servers.notes) == (0, {})


def test_of_what_has_landed_twice_the_later_is_launched_whatever_the_clock_says(scene: Scene) -> None:
    for order_id in ("o-9", "o-1"):
        done(scene.do(order(order_id=order_id)))
    later = scene.folder("o-1") / "order.json"
    os.utime(later, (1.0, 1.0))
    done(scene.do(order(OrderKind.LAUNCH, "launch")))
    assert scene.servers.notes["vm-1"].landed == "o-1"


def test_an_order_that_is_taken_up_again_stays_the_one_that_it_was(scene: Scene) -> None:
    for order_id in ("o-1", "o-9", "o-1"):
        done(scene.do(order(order_id=order_id)))
    done(scene.do(order(OrderKind.LAUNCH, "launch")))
    assert scene.servers.notes["vm-1"].landed == "o-9"


def test_clear_leaves_what_is_rehearsed_at_this_moment(scene: Scene) -> None:
    done(scene.do(order()))
    done(scene.do(order(OrderKind.LAUNCH, "launch")))

    def clear_meanwhile(_what: str) -> None:
        scene.workshop.during = lambda _what: None
        done(scene.do(order(OrderKind.CLEAR, "clear")))
        assert scene.folder("o-2").exists()

    scene.workshop.during = clear_meanwhile
    done(scene.do(order(OrderKind.REHEARSE, "o-2"), "MIGRATE_SUCCESS"))


def test_a_launched_target_is_recorded(scene: Scene) -> None:
    done(scene.do(order()))
    done(scene.do(order(OrderKind.LAUNCH, "launch")))
    told = done(scene.do(order(OrderKind.RECORD, "record")))
    assert told.recording is not None
    assert (told.note, told.recording.console) == ("the target is running", b"login:")
    assert not scene.folder("record").exists()
    nobody = scene.do(order(OrderKind.RECORD, "record", server_id="vm-9"))
    assert nobody is not None
    assert nobody.stage is OrderStage.FAILED
