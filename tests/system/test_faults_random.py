"""Faults drawn from a seed, one after the other in one migration: whatever it was, the copy ends equal.

A soak runs many seeds; see docs/testing.md. The plan of a seed that fails stands in its output.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from demo.loopdisk import obstacle as no_disk
from tests.system.fault_plan import Blow, Phase, Plan, draw
from tests.system.fault_scene import SEEDS, Cast, Scene, staged
from tests.system.faulty_folder import obstacle
from tests.system.faulty_link import Kind

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle() or no_disk()), reason=obstacle() or no_disk()),
    pytest.mark.timeout(400),
]

MAX_FREEZE_S = 20
TRIES = 6
"""How often the source is changed for a blow to strike: a lane may have no share, and a file may not be written."""
LONG_S = 150.0
"""How long to wait where the silence of a peer has to be noticed, or the pause between two freezes passes."""


@contextmanager
def played(folder: Path, seed: int, plan: Plan) -> Iterator[Scene]:
    cast = Cast(
        connections=plan.connections, filesystem=plan.filesystem, tracked=plan.tracked, max_freeze_s=MAX_FREEZE_S
    )
    with staged(folder, seed, cast) as scene:
        yield scene


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_copy_ends_equal(tmp_path: Path, seed: int) -> None:
    plan = draw(seed)
    print(f"\nseed {seed}: {plan}\nagain: WHERRY_SOAK_FIRST={seed} WHERRY_SOAK_SEEDS=1 make soak ARGS='-k random'")  # noqa: T201
    blows = {phase: [blow for blow in plan.blows if blow.phase is phase] for phase in Phase}
    with played(tmp_path, seed, plan) as scene:
        for blow in blows[Phase.COPYING]:
            arm(scene, blow)
        scene.start(syncing=True)
        for blow in blows[Phase.COPYING]:
            until_struck_or(scene, blow, is_synchronised)
            suffer(scene, blow)
        scene.until_synchronised(LONG_S)
        for blow in blows[Phase.SYNCING]:
            arm(scene, blow)
            provoke(scene, blow)
            suffer(scene, blow)
            scene.until_another_pass(LONG_S)
        for blow in blows[Phase.LAST_PASSES]:
            arm(scene, blow)
            change(scene, blow)
        if not blows[Phase.LAST_PASSES]:
            scene.change_blocks()
        scene.cut_over()
        for blow in blows[Phase.LAST_PASSES]:
            until_struck_or(scene, blow, is_frozen)
            suffer(scene, blow)
        scene.rig.until("the freeze", lambda: is_frozen(scene), LONG_S)
        for blow in blows[Phase.FROZEN]:
            scene.restart(blow.victim)
        scene.finish(LONG_S)


def is_synchronised(scene: Scene) -> bool:
    return scene.rig.state(scene.task_id) == "SYNCING"


def is_frozen(scene: Scene) -> bool:
    return (scene.folder / "frozen").exists()


def has_struck(scene: Scene, blow: Blow) -> bool:
    return scene.link.has_fired if blow.rule is None else scene.storage.has_fired


def until_struck_or(scene: Scene, blow: Blow, over: Callable[[Scene], bool]) -> None:
    """Wait for the blow, or for the end of its phase, which may come without it."""
    scene.rig.until("a blow, or the end of its phase", lambda: has_struck(scene, blow) or over(scene), LONG_S)


def arm(scene: Scene, blow: Blow) -> None:
    scene.link.arm(*([] if blow.fault is None else [blow.fault]))
    scene.storage.heal()
    if blow.rule is not None:
        scene.storage.strike(blow.rule)


def provoke(scene: Scene, blow: Blow) -> None:
    """Change the source until the blow falls, or it's clear that it won't."""
    for _ in range(TRIES):
        before = passes(scene)
        change(scene, blow)
        until_struck_or(scene, blow, partial(has_passed, before))
        if has_struck(scene, blow):
            return


def change(scene: Scene, blow: Blow) -> None:
    if blow.little:
        scene.change_blocks()
    else:
        scene.change()


def has_passed(before: int, scene: Scene) -> bool:
    return passes(scene) > before


def passes(scene: Scene) -> int:
    return len(scene.rig.plane.show_replication(scene.task_id).passes)


def suffer(scene: Scene, blow: Blow) -> None:
    """Bear what has struck, look at the replica, and let everything work again."""
    scene.check()
    if blow.victim:
        scene.restart(blow.victim)
    elif has_vanished(blow) and not blow.patient:
        scene.restart("agent")
    scene.storage.heal()
    scene.link.release()


def has_vanished(blow: Blow) -> bool:
    return blow.fault is not None and blow.fault.kind in {Kind.SILENCE, Kind.HALF_OPEN}
