"""What is moved while things fail: an image file that stands still between changes, or a live, mounted filesystem."""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from demo.loopdisk import MIB, LoopDisk, Plan
from demo.mounting import attached
from tests.system.disks_tracking_rig import check_filesystem
from tests.system.migration_rig import Rig
from wherry.process import run
from wherry.replication.granules import GRANULE_SIZE

SIZE = 20 * MIB + 512
CHANGED = 4 * MIB
BLOCK_SIZE = 4096
BLOCKS_CHANGED = 60
DISK = "disk"
"""The name of the folder in which a live disk is made."""
FILESYSTEMS = {"ext4": 64 * MIB, "xfs": 320 * MIB, "btrfs": 128 * MIB}
"""With the sizes of the partitions that they are tried on, in bytes."""


class Source(Protocol):
    """What a scene moves."""

    @property
    def path(self) -> Path:
        """What the agent is given."""

    @property
    def before_frozen(self) -> str:
        """A shell command that the frozen hook begins with; "" for none."""

    def change(self) -> None:
        """Change about `CHANGED` bytes, in pieces of many granules."""

    def change_blocks(self) -> None:
        """Change single blocks of `BLOCKS_CHANGED` granules all over it."""

    def assert_checkpoint(self, content: bytes) -> None:
        """Tell that *content*, what a replica holds at a checkpoint, is something that this source was."""

    def assert_equal(self, rig: Rig, task_id: str, copy: Path) -> None:
        """Tell that *copy* is the source at the checkpoint that was proven."""


class ImageSource:
    """An image file, of which all is known that it ever was; perhaps behind a device, whose changes are tracked."""

    before_frozen = ""

    def __init__(self, image: Path, chance: random.Random) -> None:
        self.path = self._image = image
        self._chance = chance
        with image.open("wb") as file:
            for start in range(0, 16, 4):
                file.seek(start * MIB)
                file.write(chance.randbytes(2 * MIB) + b"the same words. " * (MIB // 16))
            file.truncate(SIZE)
        self._contents = [image.read_bytes()]

    def change(self) -> None:
        self._write({start: self._chance.randbytes(CHANGED // 8) for start in range(0, 16 * MIB, 2 * MIB)})

    def change_blocks(self) -> None:
        granules = self._chance.sample(range(SIZE // GRANULE_SIZE), BLOCKS_CHANGED)
        places = [granule * GRANULE_SIZE + self._chance.randrange(16) * BLOCK_SIZE for granule in granules]
        self._write({place: self._chance.randbytes(BLOCK_SIZE) for place in places})

    def _write(self, pieces: Mapping[int, bytes]) -> None:
        content = bytearray(self._contents[-1])
        for start, piece in pieces.items():
            content[start : start + len(piece)] = piece
        self._contents.append(bytes(content))
        with self.path.open("r+b") as file:
            for start, piece in pieces.items():
                file.seek(start)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def assert_checkpoint(self, content: bytes) -> None:
        """Each granule is as it was lately; a pass may see a change half made."""
        assert len(content) == SIZE
        lately = self._contents[-3:]
        strangers = [
            start // GRANULE_SIZE
            for start in range(0, SIZE, GRANULE_SIZE)
            if all(content[start : start + GRANULE_SIZE] != had[start : start + GRANULE_SIZE] for had in lately)
        ]
        assert strangers == [], "the medium isn't at a checkpoint"

    def assert_equal(self, _rig: Rig, _task_id: str, copy: Path) -> None:
        assert copy.read_bytes() == self._image.read_bytes()


class LiveSource:
    """A mounted filesystem on a disk of its own. The hook takes a picture of it while it's frozen."""

    def __init__(self, folder: Path, disk: LoopDisk, chance: random.Random) -> None:
        self._kind = disk.plans[0].kind
        self._folder, self._disk, self._chance = folder, disk, chance
        self.path = disk.device
        # By way of another name: a hook that outlived its agent may still be at work.
        self.before_frozen = (
            f"cp --sparse=always {disk.image} {folder}/picture.$$ && mv {folder}/picture.$$ {self._picture}"
        )
        self._changes = 0
        self._place = disk.mount_points[0]
        with (self._place / "content").open("wb") as file:
            file.write(chance.randbytes(8 * MIB) + b"the same words. " * (MIB // 16))
            os.fsync(file.fileno())

    @property
    def _picture(self) -> Path:
        return self._folder / "picture.img"

    def change(self) -> None:
        """Rewrite parts of a file, write another one, and remove the one before."""
        self._changes += 1
        with (self._place / "content").open("r+b") as file:
            for _ in range(8):
                file.seek(self._chance.randrange(8 * MIB))
                file.write(self._chance.randbytes(CHANGED // 16))
        (self._place / f"file-{self._changes}").write_bytes(self._chance.randbytes(CHANGED // 2))
        (self._place / f"file-{self._changes - 2}").unlink(missing_ok=True)

    def change_blocks(self) -> None:
        with (self._place / "content").open("r+b") as file:
            for granule in self._chance.sample(range(8 * MIB // GRANULE_SIZE), BLOCKS_CHANGED):
                file.seek(granule * GRANULE_SIZE + self._chance.randrange(16) * BLOCK_SIZE)
                file.write(self._chance.randbytes(BLOCK_SIZE))

    def assert_checkpoint(self, content: bytes) -> None:
        """What a live disk was at any moment nobody knows; its digests are compared all the same."""
        assert len(content) == self._disk.size

    def assert_equal(self, rig: Rig, task_id: str, copy: Path) -> None:
        """Copy and picture are what was proven, and the copy's filesystem is sound."""
        proof = self._folder / "proof.json"
        proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
        for image in (copy, self._picture):
            judged = rig.wherry("verify", str(proof), str(image), "--ca-file", rig.admin.ca_file)
            assert judged.returncode == 0, judged.stdout + judged.stderr
        spare = self._folder / "spare.img"
        run(["cp", "--sparse=always", str(copy), str(spare)])
        check_filesystem(self._kind, spare, self._folder / "mount")


@contextmanager
def source_of(filesystem: str, folder: Path, chance: random.Random, *, tracked: bool) -> Iterator[Source]:
    """Lend an image (""), *tracked* by being behind a device, or a live disk with a filesystem of that kind."""
    if filesystem:
        with LoopDisk(folder / DISK, (Plan(filesystem, FILESYSTEMS[filesystem]),)) as disk:
            yield LiveSource(folder, disk, chance)
        return
    (folder / DISK).mkdir()
    source = ImageSource(folder / DISK / "source.img", chance)
    with ExitStack() as stack:
        if tracked:
            source.path = stack.enter_context(attached(source.path))
        yield source
