"""An image on its way from agent to receiver, over a link and onto a filesystem that fail on command.

`WHERRY_SOAK_SEEDS` runs so many seeds, each with other contents and other bytes at which things happen.
"""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tests.system.faulty_folder import FaultyFolder
from tests.system.faulty_link import FaultyLink
from tests.system.migration_rig import Rig
from tests.system.remnants import assert_nothing_left
from tests.system.still_picture import Picture, look
from wherry.replication.granules import GRANULE_SIZE

MIB = 1 << 20
SIZE = 20 * MIB + 512
CHANGED = 4 * MIB
SEEDS = range(int(os.environ.get("WHERRY_SOAK_SEEDS", "1")))


class Scene:
    """An image that is moved, with every way to stop the move at a phase."""

    def __init__(
        self,
        folder: Path,
        link: FaultyLink,
        storage: FaultyFolder,
        seed: int,
        before: Sequence[Path] = (),
        connections: int = 1,
        environments: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """*before*: disks in front of the one that changes. *connections*: of a session. *environments*: see `Rig`."""
        self.index = len(before)
        self.folder = folder
        self.link = link
        self.storage = storage
        self.chance = random.Random(seed)
        self.image = folder / "source.img"
        with self.image.open("wb") as file:
            for start in range(0, 16, 4):
                file.seek(start * MIB)
                file.write(self.chance.randbytes(2 * MIB) + b"the same words. " * (MIB // 16))
            file.truncate(SIZE)
        hook = folder / "hook"
        hook.write_text(f"#!/bin/sh\ntouch {folder}/frozen\nwhile test ! -e {folder}/go; do sleep 0.02; done\n")
        hook.chmod(0o700)
        options = ["--max-freeze", "60", "--frozen-hook", str(hook), "--connections", str(connections)]
        first, *others = [*before, self.image]
        options += [part for disk in others for part in ("--disk", str(disk))]
        self.rig = Rig(folder, first, options, images=storage.path, data_port=link.port, environments=environments)
        self.task_id = ""
        self._wanted = 0
        self.contents = [self.image.read_bytes()]

    def at_byte(self, most: int) -> int:
        return self.chance.randrange(64, most)

    def change(self) -> None:
        """Change `CHANGED` bytes of the source, in pieces."""
        content = bytearray(self.contents[-1])
        pieces = {start: self.chance.randbytes(CHANGED // 8) for start in range(0, 16 * MIB, 2 * MIB)}
        for start, piece in pieces.items():
            content[start : start + len(piece)] = piece
        self.contents.append(bytes(content))
        with self.image.open("r+b") as file:
            for start, piece in pieces.items():
                file.seek(start)
                file.write(piece)

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
            assert self._strangers(picture.disks[self.index]) == [], "the medium isn't at a checkpoint"
        return picture

    def _strangers(self, content: bytes) -> list[int]:
        """Return the granules that aren't as the source had them lately; a pass may see a change half made."""
        assert len(content) == SIZE
        return [
            start // GRANULE_SIZE
            for start in range(0, SIZE, GRANULE_SIZE)
            if all(
                content[start : start + GRANULE_SIZE] != had[start : start + GRANULE_SIZE] for had in self.contents[-3:]
            )
        ]

    def start(self, *, syncing: bool) -> None:
        self.task_id = self.rig.create_task(syncing=syncing)
        self.rig.plane.update_task_status(self.task_id, "start")

    def until_synchronised(self) -> None:
        self.rig.until("the synchronisation", lambda: self.rig.state(self.task_id) == "SYNCING")

    def until_another_pass(self) -> None:
        before = len(self.rig.plane.show_replication(self.task_id).passes)
        self.rig.until("a pass", lambda: len(self.rig.plane.show_replication(self.task_id).passes) > before)

    def cut_over(self) -> None:
        self.rig.plane.update_task_status(self.task_id, "cutover")

    def finish(self) -> None:
        """Wait for success, with both sides equal and nothing left behind."""
        self.thaw()
        self.storage.heal()
        self.link.release()
        self.rig.until("the end", lambda: self.rig.state(self.task_id) == "MIGRATE_SUCCESS")
        assert (self.replica / f"disk-{self.index}.raw").read_bytes() == self.image.read_bytes()
        self.check()
        self.rig.stop_all()
        assert_nothing_left(self.folder, self.replica)


@contextmanager
def staged(
    folder: Path,
    seed: int,
    before: Sequence[Path] = (),
    connections: int = 1,
    environments: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[Scene]:
    """Lend a scene whose programs run."""
    with FaultyLink() as link, FaultyFolder(folder) as storage:
        scene = Scene(folder, link, storage, seed, before, connections, environments)
        try:
            scene.rig.start()
            yield scene
        finally:
            scene.thaw()
            storage.heal()
            scene.rig.end()
