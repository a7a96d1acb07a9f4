"""The source: a disk with a GPT, an ext4 and an xfs filesystem full of files; as an image file where we aren't root."""

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from demo import content
from demo.errors import DemoRefused
from demo.loopdisk import LoopDisk, Plan
from demo.mounting import attached, mounted
from demo.scale import MIB, Scale
from wherry.process import run


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A filesystem of the source: where it lies on the disk and where it's mounted."""

    kind: str
    offset: int
    size: int
    mount_point: Path | None


@dataclass(frozen=True, slots=True)
class Source:
    """The disk that is migrated."""

    device: Path
    """What the agent is given: a block device, or the image itself."""
    image: Path
    size: int
    filesystems: tuple[Filesystem, ...]
    frozen_picture: Path
    """The image as it was at the frozen point: made by the hook; the image itself where nobody writes."""
    hook: str
    """The command that makes the picture while the filesystems are frozen; "" where nobody writes."""

    @property
    def mount_points(self) -> list[Path]:
        """Return where its filesystems are mounted."""
        return [filesystem.mount_point for filesystem in self.filesystems if filesystem.mount_point is not None]


def add_burst(source: Source, scale: Scale, work: Path) -> None:
    """Add an incompressible file to the ext4 filesystem in an image, by debugfs: nothing is mounted."""
    (filesystem,) = source.filesystems
    noise = work / "burst.bin"
    noise.write_bytes(os.urandom(scale.burst))
    run(["debugfs", "-w", "-R", f"write {noise} burst.bin", f"{source.image}?offset={filesystem.offset}"])
    noise.unlink()


def require_room(directory: Path, scale: Scale) -> None:
    """Raise DemoRefused where *directory* hasn't the room for a run."""
    free = shutil.disk_usage(directory).free
    if free < scale.needed:
        raise DemoRefused(
            reason=f"{directory} has {free // MIB} MiB free; the demonstration needs up to {scale.needed // MIB} MiB.",
            cause="The disk is nearly full.",
            fix="Make room, name another place with --dir, or take the small disks with --small.",
        )


@contextlib.contextmanager
def laboratory(work: Path, scale: Scale) -> Iterator[Path]:
    """Lend a filesystem that can take instant pictures of files (xfs with reflinks), in a sparse file below *work*."""
    backing = work / "lab.img"
    with backing.open("wb") as file:
        file.truncate(scale.lab)
    run(["mkfs.xfs", "-q", "-m", "reflink=1", str(backing)])
    with attached(backing, direct=True) as device, mounted(device, work / "lab") as lab:
        yield lab


@contextlib.contextmanager
def mounted_source(lab: Path, scale: Scale) -> Iterator[Source]:
    """Lend a disk with two mounted, filled filesystems; its image lies in *lab*. For root."""
    rest = scale.disk - scale.ext4 - 3 * MIB
    # Blocks of 4096 bytes whatever the size, as they are on a server.
    plans = (Plan("ext4", scale.ext4, options=("-b", "4096")), Plan("xfs", rest))
    with LoopDisk(lab / "source", plans, direct=True) as disk:
        for index, mount_point in enumerate(disk.mount_points):
            content.fill(mount_point, index=index, files=scale.files // 2, noise=scale.noise // 2)
        run(["sync"])
        picture = lab / "frozen.img"
        yield Source(
            device=disk.device,
            image=disk.image,
            size=disk.size,
            filesystems=tuple(
                Filesystem(made.kind, made.offset, made.size, made.mount_point) for made in disk.partitions
            ),
            frozen_picture=picture,
            hook=shlex.join(["cp", "--reflink=always", str(disk.image), str(picture)]),
        )


def image_source(work: Path, scale: Scale) -> Source:
    """Return a disk in a plain file with one ext4 filesystem, made without mounting anything. For everybody."""
    image = work / "source.img"
    with image.open("wb") as file:
        file.truncate(scale.disk)
    offset, length = MIB, scale.disk - 2 * MIB
    table = f"label: gpt\nunit: sectors\nstart={offset // 512}, size={length // 512}, type=linux\n"
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)], stdin=table.encode())
    with tempfile.TemporaryDirectory(dir=work) as name:
        tree = Path(name) / "tree"
        tree.mkdir()
        content.fill(tree, index=0, files=scale.files, noise=scale.noise)
        # mke2fs writes behind the partition table: offset on the disk in bytes, size in KiB.
        place = ["-E", f"offset={offset}", "-b", "4096", "-d", str(tree), str(image), f"{length // 1024}k"]
        run(["mkfs.ext4", "-q", "-F", *place], timeout_s=300)
    return Source(
        device=image,
        image=image,
        size=scale.disk,
        filesystems=(Filesystem("ext4", offset, length, None),),
        frozen_picture=image,
        hook="",
    )
