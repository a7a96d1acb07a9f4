"""Used ranges out of what the filesystems' tools print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import DemoRefused
from demo.used import complement, parse_dumpe2fs, parse_xfs_db, total

DUMPE2FS = """\
Filesystem volume name:   <none>
Block count:              {count}
Free blocks:              {free}
First block:              0
Block size:               4096


Group 0: (Blocks 0-32767) csum 0x4b3f
  Primary superblock at 0, Group descriptors at 1-1
  110 free blocks, 7200 free inodes, 0 directories, 7200 unused inodes
  Free blocks: 3000-3009, 3020, 3100-3198
  Free inodes: 50401-57600
Group 1: (Blocks 32768-65535) csum 0x4b3f [INODE_UNINIT, BLOCK_UNINIT]
  0 free blocks, 0 free inodes, 0 directories
  Free blocks:{blank}
  Free inodes:{blank}
"""

XFS_SUPERBLOCK = "blocksize = 4096\nagblocks = 1000\n"
XFS_FREE = """\
    agno    agbno      len
       0        6        1
       0      100      900
       1       10       20
   from      to extents  blocks    pct
      1       1       1       1   0.11
     16      31       1      20   2.17
    512    1000       1     900  97.72
"""


def dumpe2fs(free: int) -> str:
    return DUMPE2FS.format(count=65536, free=free, blank=" ")


def test_dumpe2fs_lists_single_blocks_and_runs() -> None:
    assert parse_dumpe2fs(dumpe2fs(110)) == [
        (3000 * 4096, 3010 * 4096),
        (3020 * 4096, 3021 * 4096),
        (3100 * 4096, 3199 * 4096),
    ]


def test_a_dumpe2fs_listing_that_contradicts_its_own_count_is_refused() -> None:
    with pytest.raises(DemoRefused, match="not as many"):
        parse_dumpe2fs(dumpe2fs(111))


def test_a_foreign_form_is_refused() -> None:
    with pytest.raises(DemoRefused):
        parse_dumpe2fs("nothing that dumpe2fs would print")
    with pytest.raises(DemoRefused):
        parse_xfs_db(XFS_SUPERBLOCK, "something else\n")


def test_xfs_db_counts_by_allocation_group() -> None:
    assert parse_xfs_db(XFS_SUPERBLOCK, XFS_FREE) == [
        (6 * 4096, 7 * 4096),
        (100 * 4096, 1000 * 4096),
        (1010 * 4096, 1030 * 4096),
    ]


def test_the_complement_has_what_is_before_between_and_behind() -> None:
    assert complement([(10, 20), (30, 40)], 50) == [(0, 10), (20, 30), (40, 50)]
    assert complement([(0, 50)], 50) == []
    assert complement([], 50) == [(0, 50)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))))
def test_every_byte_is_either_free_or_used(free: list[tuple[int, int]]) -> None:
    size = 60
    used = complement(free, size)
    in_free = {byte for start, end in free for byte in range(start, end)}
    in_used = {byte for start, end in used for byte in range(start, end)}
    assert in_used == set(range(size)) - in_free
    assert total(used) == len(in_used)
    assert used == sorted(used)
