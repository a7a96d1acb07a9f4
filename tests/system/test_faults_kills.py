"""kill -9 of each program in each phase of a migration: the last checkpoint stands, and the copy ends equal.

The phases are met by events, never by sleeping: the relay holds the data at a byte, the frozen hook holds the frozen
pass, and the receiver's filesystem holds the reading of the proof.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fault_scene import MIB, SEEDS, Scene, staged
from tests.system.faulty_folder import Rule, obstacle
from tests.system.faulty_link import Fault, Kind

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

NO_PROOF = Rule("read", "disk-*.raw", "HOLD")


@pytest.fixture(params=SEEDS)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with staged(tmp_path, request.param) as made:
        yield made


@pytest.mark.parametrize("victim", ["agent", "receiver", "serve"])
def test_a_program_that_is_killed_in_every_phase_costs_nothing_but_time(scene: Scene, victim: str) -> None:
    link = scene.link
    link.arm(Fault(Kind.HOLD))
    scene.start(syncing=True)
    scene.until_held("connecting")
    scene.restart(victim)

    link.arm(Fault(Kind.HOLD, scene.at_byte(8 * MIB)))
    scene.until_held("copying")
    scene.restart(victim)

    link.release()
    scene.until_synchronised()
    link.arm(Fault(Kind.HOLD, MIB + scene.at_byte(2 * MIB)))
    scene.change()
    scene.until_held("syncing")
    scene.restart(victim)

    link.release()
    scene.until_another_pass()
    if victim != "agent":
        scene.storage.strike(NO_PROOF)
    scene.cut_over()
    scene.until_frozen()
    FROZEN_AND_PROVING[victim](scene)
    scene.finish()


def agent_frozen_and_proving(scene: Scene) -> None:
    """A new agent freezes again; the proof of what the old one committed is out of the way by then."""
    scene.kill("agent")
    scene.rig.without.add("agent")
    scene.rig.until("the first half", lambda: list(scene.replica.glob("half-*.proven.json")))
    scene.rig.without.clear()
    scene.storage.strike(NO_PROOF)
    (scene.folder / "frozen").unlink()
    scene.rig.programs["agent"].start()
    scene.until_frozen()
    scene.thaw()
    scene.until_phase("proving")
    scene.restart("agent")
    scene.storage.heal()


def receiver_frozen_and_proving(scene: Scene) -> None:
    scene.kill("receiver")
    scene.storage.strike(NO_PROOF)
    scene.rig.programs["receiver"].start()
    scene.thaw()
    scene.until_phase("proving")
    scene.rig.until("the reading", lambda: scene.storage.has_fired)
    scene.restart("receiver")


def serve_frozen_and_proving(scene: Scene) -> None:
    scene.restart("serve")
    scene.thaw()
    scene.until_phase("proving")
    scene.restart("serve")
    scene.storage.heal()


FROZEN_AND_PROVING = {
    "agent": agent_frozen_and_proving,
    "receiver": receiver_frozen_and_proving,
    "serve": serve_frozen_and_proving,
}
