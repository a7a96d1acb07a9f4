"""A disk on its way from agent to receiver, over a link and onto a filesystem that fail on command.

Each seed has other contents and other bytes at which things happen, see `soaking`.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.system import soaking
from tests.system.fault_source import BLOCK_SIZE, BLOCKS_CHANGED, CHANGED, DISK, Source, source_of
from tests.system.faulty_folder import FaultyFolder, Rule
from tests.system.faulty_link import FaultyLink
from tests.system.migration_rig import PATIENCE_S, Rig
from tests.system.remnants import assert_nothing_left
from tests.system.still_picture import Picture, look

__all__ = ["BLOCKS_CHANGED", "BLOCK_SIZE", "MIB", "SEEDS", "Cast", "Scene", "staged"]

MIB = 1 << 20
SEEDS = soaking.SEEDS


@dataclass(frozen=True)
class Cast:
    """What a scene is made of.

    before: disks that stand in front of the one that changes. connections: how many a session has. filesystem: of a
    live disk; "" for an image file. tracked: the image is behind a block device, whose changes the agent tracks.
    max_freeze_s: how long a hook may hold the frozen pass. environments: see `Rig`.
    """

    before: Sequence[Path] = ()
    connections: int = 1
    filesystem: str = ""
    tracked: bool = False
    max_freeze_s: int = 60
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


USUAL = Cast()


class Scene:
    """A disk that is moved, with every way to stop the move at a phase."""

    def __init__(
        self, folder: Path, link: FaultyLink, storage: FaultyFolder, source: Source, chance: random.Random, cast: Cast
    ) -> None:
        self.index = len(cast.before)
        self.folder = folder
        self.link = link
        self.storage = storage
        self.chance = chance
        self.source = source
        hook = folder / "hook"
        waiting = f"touch {folder}/frozen\nwhile test ! -e {folder}/go; do sleep 0.02; done"
        hook.write_text(f"#!/bin/sh\n{source.before_frozen}\n{waiting}\n")
        hook.chmod(0o700)
        options = ["--max-freeze", str(cast.max_freeze_s), "--frozen-hook", str(hook)]
        options += ["--connections", str(cast.connections)]
        first, *others = [*cast.before, source.path]
        options += [part for disk in others for part in ("--disk", str(disk))]
        self.rig = Rig(folder, first, options, images=storage.path, data_port=link.port, environments=cast.environments)
        self.task_id = ""
        self._wanted = 0

    def at_byte(self, most: int) -> int:
        return self.chance.randrange(64, most)

    def change(self) -> None:
        """Change some of the source, in large pieces."""
        self.source.change()

    def change_blocks(self) -> None:
        """Change single blocks of the source."""
        self.source.change_blocks()

    def change_until_struck(self) -> None:
        """Change the source until the link's fault strikes: a lane may have no share in a pass."""

        def struck_or_passed(count: int) -> bool:
            return self.link.has_fired or len(self.rig.plane.show_replication(self.task_id).passes) > count

        while not self.link.has_fired:
            before = self.rig.plane.show_replication(self.task_id)
            self._wanted = before.changed_bytes + CHANGED
            self.change()
            self.rig.until("the fault, or a pass without it", partial(struck_or_passed, len(before.passes)))

    def until_all_is_read(self) -> None:
        """Wait until all of the last change was read; what the link doesn't hold is at the receiver then, or nearly."""
        self.rig.until(
            "the reading", lambda: self.rig.plane.show_replication(self.task_id).changed_bytes >= self._wanted
        )

    def until_phase(self, *phases: str) -> None:
        def there() -> bool:
            figures = self.rig.figures(self.task_id)
            return figures is not None and figures.phase in phases

        self.rig.until(f"phase {phases[0]}", there)

    def until_held(self, phase: str) -> None:
        """Wait until the data have come to the byte, in *phase*."""
        self.rig.until("the byte", lambda: self.link.has_fired)
        self.until_phase(phase)

    def until_frozen(self) -> None:
        self.rig.until("the frozen pass", (self.folder / "frozen").exists)

    def thaw(self) -> None:
        (self.folder / "go").touch()

    def kill(self, victim: str) -> None:
        """Kill; whatever dies, the checkpoint that was there stands."""
        process = self.rig.programs[victim].process
        assert process is not None
        process.kill()
        if victim == "receiver":
            self.storage.heal()  # a call that is held holds its process
        process.wait(60)
        self.check()

    def kill_while_applying(self, change: Callable[[], None], writes: int) -> None:
        """Kill the receiver when it has applied *writes* writes of the log of what *change* brings; start it again."""
        self.storage.strike(Rule("write", "disk-*.raw", "HOLD", after=writes))
        change()
        self.rig.until("the log being applied", lambda: self.storage.has_fired)
        self.kill("receiver")
        picture = self.check()
        assert picture.applying is not None
        assert picture.checkpoint == picture.applying, "the log that was committed wasn't applied"
        self.rig.programs["receiver"].start()

    def restart(self, victim: str) -> None:
        self.kill(victim)
        self.rig.programs[victim].start()

    @property
    def replica(self) -> Path:
        """Where the replica really is, seen past what the filesystem makes of it."""
        return self.storage.backing / self.task_id

    def check(self) -> Picture:
        """Read the replica's medium anew; it's at a checkpoint, or in pass 0 with a table that tells the truth."""
        if not (self.replica / "replica.json").exists():
            return Picture(None, None, {})  # nobody has come to the receiver yet
        receiver = None if self.storage.is_holding else self.rig.programs["receiver"]
        picture = look(self.replica, self.folder / "scratch", receiver)
        if picture.checkpoint is not None:
            self.source.assert_checkpoint(picture.disks[self.index])
        return picture

    def start(self, *, syncing: bool) -> None:
        self.task_id = self.rig.create_task(syncing=syncing)
        self.rig.plane.update_task_status(self.task_id, "start")

    def until_synchronised(self, limit_s: float = PATIENCE_S) -> None:
        self.rig.until("the synchronisation", lambda: self.rig.state(self.task_id) == "SYNCING", limit_s)

    def until_another_pass(self, limit_s: float = PATIENCE_S) -> None:
        before = len(self.rig.plane.show_replication(self.task_id).passes)
        self.rig.until("a pass", lambda: len(self.rig.plane.show_replication(self.task_id).passes) > before, limit_s)

    def cut_over(self) -> None:
        self.rig.plane.update_task_status(self.task_id, "cutover")

    def finish(self, limit_s: float = PATIENCE_S) -> None:
        """Wait for success, with both sides equal and nothing left behind."""
        self.thaw()
        self.storage.heal()
        self.link.release()
        self.rig.until("the end", lambda: self.rig.state(self.task_id) == "MIGRATE_SUCCESS", limit_s)
        self.source.assert_equal(self.rig, self.task_id, self.replica / f"disk-{self.index}.raw")
        self.check()
        self.rig.stop_all()
        assert_nothing_left(self.folder, self.replica, self.folder / DISK)


@contextmanager
def staged(folder: Path, seed: int, cast: Cast = USUAL) -> Iterator[Scene]:
    """Lend a scene whose programs run."""
    chance = random.Random(seed)
    with (
        FaultyLink() as link,
        FaultyFolder(folder) as storage,
        source_of(cast.filesystem, folder, chance, tracked=cast.tracked) as source,
    ):
        scene = Scene(folder, link, storage, source, chance, cast)
        try:
            scene.rig.start()
            yield scene
        finally:
            scene.thaw()
            storage.heal()
            scene.rig.end()
