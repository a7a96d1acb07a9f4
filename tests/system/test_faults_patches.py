"""Faults in passes over single blocks of a tracked disk, which travel as patches: the same promises hold for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import loopdisk
from tests.system.fault_scene import BLOCK_SIZE, BLOCKS_CHANGED, SEEDS, Cast, Scene, staged
from tests.system.faulty_folder import Rule, obstacle
from tests.system.faulty_link import Fault, Kind

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.skipif(bool(loopdisk.obstacle()), reason=loopdisk.obstacle()),
]

FAULTS = (Kind.CUT, Kind.FLIP, Kind.DRIP, Kind.CUT)


@pytest.fixture(params=SEEDS)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with staged(tmp_path, request.param, Cast(tracked=True)) as made:
        made.thaw()
        made.start(syncing=True)
        made.until_synchronised()
        # The first pass over a tracked disk reads everything; from now on the tracker's word counts.
        made.until_another_pass()
        yield made


def patched(scene: Scene) -> int:
    return sum(done.patched_bytes for done in scene.rig.plane.show_replication(scene.task_id).passes)


def until_patched(scene: Scene) -> None:
    """Change blocks until some of them have come over as patches."""
    before = patched(scene)
    scene.change_blocks()
    scene.rig.until("patches", lambda: patched(scene) > before)
    assert patched(scene) - before <= BLOCKS_CHANGED * BLOCK_SIZE


def test_cuts_and_turned_bits_in_the_middle_of_patches(scene: Scene) -> None:
    for kind in FAULTS:
        scene.link.arm(Fault(kind, scene.at_byte(BLOCKS_CHANGED * BLOCK_SIZE // 2)))
        scene.change_blocks()
        scene.rig.until(kind.value, lambda: scene.link.has_fired)
        scene.check()
        scene.until_another_pass()
    until_patched(scene)
    scene.cut_over()
    scene.finish()


@pytest.mark.parametrize("victim", ["agent", "receiver"])
def test_who_is_killed_in_the_middle_of_patches_comes_back_to_them(scene: Scene, victim: str) -> None:
    for _ in range(2):
        scene.link.arm(Fault(Kind.HOLD, scene.at_byte(BLOCKS_CHANGED * BLOCK_SIZE // 2)))
        scene.change_blocks()
        scene.until_held("syncing")
        scene.restart(victim)
        scene.link.release()
        scene.until_another_pass()
    until_patched(scene)
    scene.cut_over()
    scene.finish()


def test_a_receiver_that_is_killed_while_it_applies_patches_applies_them_again(scene: Scene) -> None:
    for after in sorted(scene.chance.sample(range(BLOCKS_CHANGED - 10), 3)):
        before = patched(scene)
        scene.kill_while_applying(scene.change_blocks, after)
        scene.rig.until("the pass that was applied", lambda before=before: patched(scene) > before)  # type: ignore[misc]
    until_patched(scene)
    scene.cut_over()
    scene.finish()


def test_a_medium_that_cannot_be_read_or_written_for_a_while_only_delays_patches(scene: Scene) -> None:
    for call, name in (("read", "disk-*.raw"), ("fsync", "*.redo"), ("fsync", "disk-*.raw")):
        scene.storage.strike(Rule(call, name, "EIO"))
        scene.change_blocks()
        scene.rig.until("the error", lambda: scene.storage.has_fired)
        scene.check()
        scene.storage.heal()
        scene.until_another_pass()
    until_patched(scene)
    scene.cut_over()
    scene.finish()
