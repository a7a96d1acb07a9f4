"""What a network does to a migration: cuts in mid-frame, turned bits, bytes one by one, ends that vanish."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fault_scene import MIB, SEEDS, Scene, staged
from tests.system.faulty_folder import obstacle
from tests.system.faulty_link import Fault, Kind

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

FAULTS = (Kind.CUT, Kind.FLIP, Kind.DRIP, Kind.CUT, Kind.SILENCE)


@pytest.fixture(params=SEEDS)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with staged(tmp_path, request.param) as made:
        yield made


def come_back(scene: Scene) -> None:
    """An agent whose receiver has vanished is patient; a restart makes it come back at once."""
    scene.restart("agent")


def test_whatever_the_network_does_the_copy_ends_equal(scene: Scene) -> None:
    scene.thaw()
    # A new session begins with some thousand bytes: now and then it's the handshake that is hit, or the HELLO.
    scene.link.arm(*(Fault(kind, scene.at_byte(scene.chance.choice((3000, MIB)))) for kind in FAULTS))
    scene.start(syncing=True)
    for number, kind in enumerate(FAULTS, start=1):
        scene.rig.until(kind.value, lambda number=number: scene.link.struck >= number)  # type: ignore[misc]
        scene.check()
    come_back(scene)
    scene.until_synchronised()
    for kind in FAULTS:
        scene.link.arm(Fault(kind, scene.at_byte(2 * MIB)))
        scene.change()
        scene.rig.until(kind.value, lambda: scene.link.has_fired)
        scene.check()
        if kind is Kind.SILENCE:
            come_back(scene)
        scene.until_another_pass()
    scene.cut_over()
    scene.finish()
    assert scene.link.connections > 2 * FAULTS.count(Kind.CUT)
