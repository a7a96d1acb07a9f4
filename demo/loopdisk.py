"""A disk to try things on: an image file behind a loop device, with a GPT and mounted filesystems. For root."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.mounting import attached, mounted, partitioned
from wherry.process import run

MIB = 1 << 20
TOOLS = ("losetup", "partx", "sfdisk", "mount", "umount", "fsfreeze", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkswap")
"""What a LoopDisk needs."""

_MAKERS = {
    "ext2": ("mkfs.ext2", "-q"),
    "ext3": ("mkfs.ext3", "-q"),
    "ext4": ("mkfs.ext4", "-q"),
    "xfs": ("mkfs.xfs", "-q"),
    "btrfs": ("mkfs.btrfs", "-q"),
    "swap": ("mkswap",),
}
_UNMOUNTED = frozenset({"swap", ""})


@dataclass(frozen=True, slots=True)
class Plan:
    """A partition to be made: the filesystem on it ("swap" and "" too, for nothing), its size, whether to mount it."""

    kind: str
    size: int
    mount: bool = True
    options: tuple[str, ...] = ()
    """Further arguments of mkfs."""


@dataclass(frozen=True, slots=True)
class LoopPartition:
    """A partition that was made. Offset and size in bytes."""

    kind: str
    device: Path
    offset: int
    size: int
    mount_point: Path | None


def obstacle() -> str:
    """Return why no LoopDisk can be made here, "" when it can."""
    if os.geteuid() != 0:
        return "needs root for loop devices and mounts"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"missing programs: {', '.join(missing)}" if missing else ""


class LoopDisk:
    """A context manager that makes the disk and, however it's left, takes everything away again.

    `LoopDisk(directory)` has 64 MiB of ext4 and 320 MiB of xfs (mkfs.xfs makes none below 300 MiB); the image is
    sparse. Between partitions lies a gap of 1 MiB. Mount points are `directory/1`, `directory/2` and so on. *direct*
    reads and writes the image round the page cache.
    """

    def __init__(
        self,
        directory: Path,
        plans: Sequence[Plan] = (Plan("ext4", 64 * MIB), Plan("xfs", 320 * MIB)),
        tail: int = 0,
        *,
        direct: bool = False,
    ) -> None:
        self.directory = directory
        self.image = directory / "disk.img"
        self.plans = tuple(plans)
        self.device = Path()
        self.direct = direct
        self.partitions: tuple[LoopPartition, ...] = ()
        # Half a MiB behind the last partition holds the backup of the GPT.
        self.size = sum(plan.size + MIB for plan in self.plans) + MIB + tail
        self._stack = contextlib.ExitStack()

    @property
    def mount_points(self) -> list[Path]:
        """Where its filesystems are mounted."""
        return [partition.mount_point for partition in self.partitions if partition.mount_point is not None]

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as file:
            file.truncate(self.size)
        with self._stack as stack:
            offsets = self._write_table()
            self.device = stack.enter_context(attached(self.image, direct=self.direct))
            nodes = stack.enter_context(partitioned(self.device)) if self.plans else []
            if len(nodes) != len(self.plans):
                raise RuntimeError(f"the kernel shows {len(nodes)} partitions of {self.device}: {self.plans}")
            self.partitions = tuple(
                self._make(stack, number, plan, offset, node)
                for number, (plan, offset, node) in enumerate(zip(self.plans, offsets, nodes, strict=True), start=1)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _write_table(self) -> list[int]:
        """Write the GPT and return the offsets of the partitions."""
        if not self.plans:
            return []
        offsets: list[int] = []
        end = 0
        for plan in self.plans:
            offsets.append(end + MIB)
            end = offsets[-1] + plan.size
        lines = [
            f"start={offset // 512}, size={plan.size // 512}, type={'swap' if plan.kind == 'swap' else 'linux'}"
            for plan, offset in zip(self.plans, offsets, strict=True)
        ]
        script = "\n".join(["label: gpt", "unit: sectors", *lines, ""])
        run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(self.image)], stdin=script.encode())
        return offsets

    def _make(self, stack: contextlib.ExitStack, number: int, plan: Plan, offset: int, node: Path) -> LoopPartition:
        if plan.kind:
            run([*_MAKERS[plan.kind], *plan.options, str(node)])
        mount_point = None
        if plan.mount and plan.kind not in _UNMOUNTED:
            mount_point = stack.enter_context(mounted(node, self.directory / str(number)))
        return LoopPartition(plan.kind, node, offset, plan.size, mount_point)
