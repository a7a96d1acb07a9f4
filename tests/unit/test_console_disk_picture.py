"""Disks as a picture: everything is there, nothing overlaps, and the whole is filled."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wherry.console.disk_picture import WHOLE, Segment, laid_out, strips_of
from wherry.contract.disk_choice import ChosenDisk, ChosenPartition, ChosenVolumeGroup
from wherry.contract.enumerations import SourceState
from wherry.contract.sources import SourceDetail

GIB = 2**30


def source(**facts: Any) -> SourceDetail:
    return SourceDetail(
        id="1", name="web", add_date=0, os_type="LINUX", state=SourceState.WAITING, connected=True, **facts
    )


def test_partitions_lie_where_they_are_and_the_rest_is_free() -> None:
    parts = [
        ChosenPartition(name="/dev/vda1", mount_point="/boot", size=1 * GIB, used_size=GIB // 4),
        ChosenPartition(name="/dev/vda2", mount_point="/", size=5 * GIB, used_size=5 * GIB),
        ChosenPartition(name="/dev/vda3", file_system="swap", size=2 * GIB),
    ]
    (strip,) = strips_of(source(disks=[ChosenDisk(name="/dev/vda", size=10 * GIB, physical_volumes=parts)]))
    assert [(part.kind, part.start, part.width, part.used_width) for part in strip.segments] == [
        ("boot", 0, 100, 25),
        ("system", 100, 500, 500),
        ("swap", 600, 200, 0),
        ("free", 800, 200, 0),
    ]


def test_volume_groups_follow_their_disks() -> None:
    disk = ChosenDisk(name="/dev/vdb", size=GIB, device_use="VOLUME_GROUP", need_migration=False)
    strips = strips_of(source(disks=[disk], volume_groups=[ChosenVolumeGroup(name="vg0", size=GIB)]))
    assert [(strip.name, strip.moved, [part.kind for part in strip.segments]) for strip in strips] == [
        ("/dev/vdb", False, ["group"]),
        ("vg0", True, ["free"]),
    ]


def test_a_source_without_disks_has_no_picture() -> None:
    assert strips_of(source()) == []


@given(st.lists(st.integers(0, 2**50), max_size=40), st.one_of(st.none(), st.integers(0, 2**52)))
def test_the_whole_is_filled_without_overlap(sizes: list[int], whole: int | None) -> None:
    placed = laid_out([Segment(str(index), "data", size) for index, size in enumerate(sizes)], whole)
    assert [part.name for part in placed if part.kind == "data"] == [str(index) for index in range(len(sizes))]
    end = 0
    for part in placed:
        assert part.start == end
        assert part.width > 0
        end += part.width
    assert end == (WHOLE if placed else 0)


@given(st.integers(-5, 2**50), st.integers(0, 2**50))
def test_nothing_is_used_more_than_it_is_large(used: int, size: int) -> None:
    segment = Segment("a", "data", size, max(used, 0), width=500)
    assert 0 <= segment.used_width <= 500
