"""What happens to one connection of a session that has several: the others don't go on without it, and nothing is lost.

One that vanishes without a word, bytes that come twice or on another's connection, ends that are killed while a commit
waits for one lane's fence, and a network that lets fewer connections through than the agent wants.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fault_scene import MIB, SEEDS, Cast, Scene, staged
from tests.system.faulty_folder import obstacle
from tests.system.faulty_link import Fault, Kind

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

LANES = 3
FAULTS = (Kind.CUT, Kind.DRIP, Kind.REPLAY, Kind.STRAY, Kind.FLIP, Kind.HALF_OPEN)


@pytest.fixture(params=SEEDS)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with staged(tmp_path, request.param, Cast(connections=LANES)) as made:
        made.thaw()
        yield made


def come_back(scene: Scene) -> None:
    """Let a session with a half-open connection be followed by a new one at once; it ends by itself in a minute."""
    scene.restart("agent")


def test_what_happens_to_one_connection_ends_the_session_and_the_copy_ends_equal(scene: Scene) -> None:
    chance, link = scene.chance, scene.link
    first = chance.choice((Kind.CUT, Kind.REPLAY, Kind.STRAY))
    link.arm(Fault(first, scene.at_byte(MIB), lane=chance.randrange(LANES)))
    scene.start(syncing=True)
    scene.until_synchronised()
    assert link.lanes == LANES
    for kind in chance.sample(FAULTS, 4):
        link.arm(Fault(kind, scene.at_byte(MIB // 4), lane=chance.randrange(LANES)))
        scene.change_until_struck()
        scene.check()
        if kind is Kind.HALF_OPEN:
            come_back(scene)
        scene.until_another_pass()
    scene.cut_over()
    scene.finish()


def test_who_is_killed_while_a_commit_waits_for_one_connection(scene: Scene) -> None:
    scene.start(syncing=True)
    scene.until_synchronised()
    for victim in ("agent", "receiver"):
        scene.link.arm(Fault(Kind.HOLD, 4096 + scene.at_byte(64 << 10), lane=scene.chance.randrange(LANES)))
        scene.change_until_struck()
        scene.until_all_is_read()
        before = scene.check().checkpoint
        scene.restart(victim)
        assert scene.check().checkpoint == before, "a pass of which a connection owes something was committed"
        scene.link.release()
        scene.until_another_pass()
    scene.cut_over()
    scene.finish()


def test_a_network_that_lets_fewer_connections_through_is_lived_with(scene: Scene) -> None:
    scene.link.most_lanes = 2
    scene.start(syncing=True)
    scene.until_synchronised()
    assert scene.link.lanes == 2
    scene.link.most_lanes = 1
    scene.link.arm(Fault(Kind.CUT, 4096, lane=1))
    scene.change_until_struck()
    scene.rig.until("a session with one connection", lambda: scene.link.lanes == 1)
    scene.until_another_pass()
    scene.cut_over()
    scene.finish()
