"""Which bytes of a disk are used, as the filesystems' own tools tell it: dumpe2fs for ext4, xfs_db for xfs.

Nothing of Wherry takes part: the judge must not ask the judged. Everything outside the filesystems counts as used:
partition tables, gaps, the ends of partitions.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from demo.errors import DemoRefused
from demo.mounting import attached
from demo.source import Filesystem
from wherry.process import run

Range = tuple[int, int]
"""Offset of the first byte and of the first byte behind."""


def used_ranges(image: Path, size: int, filesystems: Iterable[Filesystem]) -> list[Range]:
    """Return the used ranges of the disk *image* of *size* bytes, in ascending order."""
    free: list[Range] = []
    for filesystem in filesystems:
        if filesystem.kind == "ext4":
            free += free_of_ext4(image, filesystem)
        elif filesystem.kind == "xfs":
            free += free_of_xfs(image, filesystem)
        else:
            raise DemoRefused(reason=f"No foreign tool is known that tells the free blocks of {filesystem.kind}.")
    return complement(free, size)


def complement(ranges: Iterable[Range], size: int) -> list[Range]:
    """Return what *ranges* leave of the bytes from 0 to *size*."""
    left: list[Range] = []
    position = 0
    for start, end in sorted(ranges):
        if start > position:
            left.append((position, start))
        position = max(position, end)
    if position < size:
        left.append((position, size))
    return left


def total(ranges: Iterable[Range]) -> int:
    """Return how many bytes *ranges* hold."""
    return sum(end - start for start, end in ranges)


def free_of_ext4(image: Path, filesystem: Filesystem) -> list[Range]:
    """Return the free ranges of an ext4 filesystem as offsets on the disk, told by dumpe2fs."""
    listing = run(["dumpe2fs", f"{image}?offset={filesystem.offset}"]).decode()
    return _moved(parse_dumpe2fs(listing), filesystem)


def parse_dumpe2fs(listing: str) -> list[Range]:
    """Return the free ranges in bytes from the start of the filesystem, out of what dumpe2fs prints."""
    head, _, groups = listing.partition("\nGroup 0:")
    block = int(_field(head, r"^Block size:\s+(\d+)"))
    free: list[Range] = []
    for line in re.findall(r"^  Free blocks: (.*)$", groups, re.MULTILINE):
        for item in filter(None, line.strip().split(", ")):
            first, _, last = item.partition("-")
            free.append((int(first) * block, (int(last or first) + 1) * block))
    if total(free) != int(_field(head, r"^Free blocks:\s+(\d+)")) * block:
        raise DemoRefused(reason="The free blocks that dumpe2fs lists are not as many as it counts.")
    return free


def free_of_xfs(image: Path, filesystem: Filesystem) -> list[Range]:
    """Return the free ranges of an xfs filesystem as offsets on the disk, told by xfs_db. Needs root (loop device)."""
    with attached(image, offset=filesystem.offset, size=filesystem.size, read_only=True) as device:
        superblock = run(["xfs_db", "-r", "-c", "sb 0", "-c", "print blocksize agblocks", str(device)]).decode()
        listing = run(["xfs_db", "-r", "-c", "freesp -d", str(device)]).decode()
    return _moved(parse_xfs_db(superblock, listing), filesystem)


def parse_xfs_db(superblock: str, listing: str) -> list[Range]:
    """Return the free ranges in bytes from the start of the filesystem, out of what xfs_db prints."""
    block = int(_field(superblock, r"^blocksize = (\d+)"))
    group = int(_field(superblock, r"^agblocks = (\d+)")) * block
    lines = listing.partition("   from ")[0].splitlines()
    if not lines or lines[0].split() != ["agno", "agbno", "len"]:
        raise DemoRefused(reason="xfs_db prints its free extents in a form that isn't known.")
    free: list[Range] = []
    for line in lines[1:]:
        number, first, length = (int(word) for word in line.split())
        start = number * group + first * block
        free.append((start, start + length * block))
    return free


def _field(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise DemoRefused(reason=f"A filesystem tool prints nothing like {pattern!r}.")
    return found[1]


def _moved(ranges: Sequence[Range], filesystem: Filesystem) -> list[Range]:
    if ranges and max(end for _, end in ranges) > filesystem.size:
        raise DemoRefused(reason=f"The {filesystem.kind} filesystem claims blocks behind its partition.")
    return [(start + filesystem.offset, end + filesystem.offset) for start, end in ranges]
