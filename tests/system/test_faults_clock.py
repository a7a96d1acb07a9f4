"""Clocks that are wrong, or set in the middle of a migration: by an hour or years, ahead or back, for each program.

No program's clock but the control plane's decides anything, and what takes a while is measured by a clock that nobody
sets. The jumps come at events: while the relay holds the data at a byte, and while the hook holds the frozen pass.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from tests.system.fault_scene import MIB, SEEDS, Cast, Scene, staged
from tests.system.faulty_folder import obstacle
from tests.system.faulty_link import Fault, Kind
from tests.system.odd_clock import DAY, HOUR, PROGRAMS, YEAR, OddClock, no_odd_clock

OBSTACLE = obstacle() or no_odd_clock()
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(OBSTACLE), reason=OBSTACLE)]

AHEAD = (HOUR, -20 * YEAR, -HOUR, 4 * YEAR, 2 * DAY, -9 * YEAR, 9 * YEAR, -2 * DAY)
NEAR_S = 60.0


def ahead_of(name: str, seed: int, turn: int) -> int:
    """Return by how many seconds the clock of a program is ahead at its *turn*."""
    return AHEAD[(seed + 3 * PROGRAMS.index(name) + turn) % len(AHEAD)]


@contextmanager
def with_clocks(folder: Path, seed: int) -> Iterator[tuple[Scene, dict[str, OddClock]]]:
    """Lend a scene in which each program has a clock of its own, wrong from the start."""
    clocks = {name: OddClock(folder, name, ahead_of(name, seed, 0)) for name in PROGRAMS}
    environments = {name: clock.environment for name, clock in clocks.items()}
    with staged(folder, seed, Cast(environments=environments)) as scene:
        yield scene, clocks


def until_it_says(scene: Scene, name: str, ahead_s: int) -> None:
    """Wait until a program's log shows that its clock is so far ahead; else the test would prove nothing."""

    def said() -> bool:
        moments = [json.loads(line)["timestamp"] for line in scene.rig.programs[name].words().splitlines()[-20:]]
        return any(
            abs(datetime.fromisoformat(moment).timestamp() - ahead_s - time.time()) < NEAR_S for moment in moments
        )

    scene.rig.until(f"a word of {name} by its clock", said)


def prove(scene: Scene) -> None:
    """Wait for the proof, and check it as anybody can who has the CA's certificate."""
    scene.thaw()
    scene.rig.until("the end", lambda: scene.rig.state(scene.task_id) == "MIGRATE_SUCCESS")
    path = scene.folder / "proof.json"
    path.write_bytes(msgspec.json.encode(scene.rig.plane.show_proof(scene.task_id)))
    judged = scene.rig.wherry("verify", str(path), str(scene.source.path), "--ca-file", scene.rig.admin.ca_file)
    assert "equal: yes" in judged.stdout, judged.stdout + judged.stderr


def jump(scene: Scene, clocks: dict[str, OddClock], name: str, ahead_s: int) -> None:
    """Set a clock while the data are held; then cut the connection, so that both ends come together by the new time."""
    clocks[name].set(ahead_s)
    scene.check()
    scene.link.release()
    scene.link.arm(Fault(Kind.CUT, 64))
    scene.rig.until("the cut", lambda: scene.link.has_fired)
    until_it_says(scene, name, ahead_s)


@pytest.mark.parametrize("seed", SEEDS)
def test_clocks_that_are_years_apart_and_set_in_the_middle_of_passes_change_nothing(tmp_path: Path, seed: int) -> None:
    with with_clocks(tmp_path, seed) as (scene, clocks):
        for name in PROGRAMS:
            until_it_says(scene, name, ahead_of(name, seed, 0))
        first, *others = [(name, ahead_of(name, seed, turn)) for turn in (1, 2) for name in PROGRAMS]
        scene.link.arm(Fault(Kind.HOLD, scene.at_byte(8 * MIB)))
        scene.start(syncing=True)
        scene.until_held("copying")
        jump(scene, clocks, *first)
        scene.until_synchronised()
        for name, ahead_s in others:
            scene.link.arm(Fault(Kind.HOLD, MIB + scene.at_byte(MIB)))
            scene.change()
            scene.until_held("syncing")
            jump(scene, clocks, name, ahead_s)
            scene.until_another_pass()
        scene.restart(scene.chance.choice(PROGRAMS))
        scene.cut_over()
        scene.until_frozen()
        for name in PROGRAMS:
            clocks[name].set(ahead_of(name, seed, 3))
        prove(scene)
        scene.finish()
