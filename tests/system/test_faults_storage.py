"""A receiver whose medium fails: full, I/O errors, or dead in the middle of applying a log. Nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import obstacle as no_disk
from tests.system.fault_scene import BLOCK_SIZE, BLOCKS_CHANGED, MIB, SEEDS, Cast, Scene, staged
from tests.system.faulty_folder import Rule, obstacle
from tests.system.faulty_link import Fault, Kind

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]


@pytest.fixture(params=SEEDS)
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with staged(tmp_path, request.param) as made:
        made.thaw()
        yield made


def until_told(scene: Scene, code: str) -> None:
    """The task goes on and says what it waits for: code, cause and fix. Not twice the same code, or old words count."""

    def told() -> bool:
        words = scene.rig.words_of(scene.task_id)
        return scene.storage.has_fired and all(part in words for part in (code, "cause:", "fix:"))

    scene.rig.until(f"the words of {code}", told)
    assert scene.rig.state(scene.task_id) in {"RUNNING", "SYNCING"}
    scene.check()


FULL = ("ENOSPC", "WHERRY.2024")
BROKEN = ("EIO", "WHERRY.2023")


def test_a_medium_that_fails_is_told_and_waited_for(scene: Scene) -> None:
    chance = scene.chance
    failure, code = FULL
    scene.storage.strike(Rule("write", "disk-*.raw", failure, after=chance.randrange(40), before=chance.random() < 0.5))
    scene.start(syncing=True)
    until_told(scene, code)
    failure, code = BROKEN
    scene.storage.strike(Rule("fsync", "disk-*.raw", failure))
    until_told(scene, code)
    scene.storage.heal()
    scene.until_synchronised()
    for name in ("*.redo", "disk-*.raw", "disk-*.digests"):
        for call, (failure, code) in (("fsync", BROKEN), ("write", FULL)):
            scene.storage.strike(Rule(call, name, failure))
            scene.change()
            until_told(scene, code)
            scene.storage.heal()
            scene.until_another_pass()
    scene.cut_over()
    scene.finish()


def test_a_receiver_that_is_killed_while_it_applies_a_log_applies_it_again(scene: Scene) -> None:
    scene.start(syncing=True)
    scene.until_synchronised()
    for after in sorted(scene.chance.sample(range(4), 2)):
        scene.kill_while_applying(scene.change, after)
        scene.until_another_pass()
    scene.cut_over()
    scene.finish()


@pytest.mark.skipif(bool(no_disk()), reason=no_disk())
def test_a_disk_that_did_not_change_stands_while_the_other_is_torn(tmp_path: Path) -> None:
    """The passes that are torn carry large pieces in turn with single blocks."""
    first = tmp_path / "first.img"
    first.write_bytes(b"always the same. " * (MIB // 17))
    with staged(tmp_path, 0, Cast(before=(first,), tracked=True)) as scene:
        scene.thaw()
        scene.start(syncing=True)
        scene.until_synchronised()
        little = BLOCKS_CHANGED * BLOCK_SIZE // 2
        for victim, change, after in (
            ("agent", scene.change, MIB + scene.at_byte(MIB)),
            ("receiver", scene.change_blocks, scene.at_byte(little)),
            ("agent", scene.change_blocks, scene.at_byte(little)),
            ("receiver", scene.change, MIB + scene.at_byte(MIB)),
        ):
            scene.link.arm(Fault(Kind.HOLD, after))
            change()
            scene.until_held("syncing")
            scene.restart(victim)
            assert scene.check().disks[0] == first.read_bytes()
            scene.link.release()
            scene.until_another_pass()
        scene.cut_over()
        scene.finish()
        assert (scene.replica / "disk-0.raw").read_bytes() == first.read_bytes()
