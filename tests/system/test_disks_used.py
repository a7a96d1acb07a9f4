"""The used map against the filesystems themselves: nothing that a file needs may be missing from it."""

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from demo.loopdisk import MIB, LoopDisk, Plan, obstacle
from demo.mounting import attached, mounted, partitioned
from demo.source import Filesystem
from demo.used import used_ranges
from wherry.disks import btrfsmap, fsmap
from wherry.disks.direct import aligned_buffer, open_reader
from wherry.disks.extents import Extent, intersect, subtract, total
from wherry.disks.freezing import Freeze
from wherry.disks.layout import DiskLayout, Partition, mounts_on, read_layout
from wherry.disks.usedmap import UsedMap
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

_FILEFRAG = re.compile(r"^ *\d+: +\d+\.\. +\d+: +(\d+)\.\. +(\d+): +.*: *(.*)$", re.MULTILINE)
POISON = b"\xa5" * MIB


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopDisk]:
    plans = (
        Plan("ext4", 64 * MIB + 1536, options=("-b", "4096")),  # the filesystem ends before its partition does
        Plan("xfs", 320 * MIB),
        Plan("btrfs", 128 * MIB),
        Plan("ext4", 16 * MIB, mount=False),
        Plan("swap", 8 * MIB),
    )
    with LoopDisk(tmp_path_factory.mktemp("used"), plans, tail=MIB) as made:
        for mount_point in made.mount_points:
            fill(mount_point)
        yield made


def fill(mount_point: Path) -> None:
    """Leave a filesystem with files large and small, sparse, deleted and preallocated, and many holes in its space."""
    for number in range(400):
        (mount_point / f"small{number}").write_bytes(os.urandom(6000))
    run(["sync", "--file-system", str(mount_point)])  # else they would be deleted before they get blocks
    for number in range(0, 400, 2):
        (mount_point / f"small{number}").unlink()
    (mount_point / "directory").mkdir()
    (mount_point / "directory" / "large").write_bytes(os.urandom(5 * MIB))
    with (mount_point / "sparse").open("wb") as file:
        file.seek(20 * MIB)
        file.write(b"the end")
    with (mount_point / "preallocated").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, MIB)
    (mount_point / "link").symlink_to("x/" * 200)


def partition_of(disk: LoopDisk, number: int) -> Partition:
    return read_layout(disk.device).partitions[number]


def used_extents(layout: DiskLayout) -> list[Extent]:
    with UsedMap(layout) as used:
        return used.extents()


def used_of(disk: LoopDisk, number: int) -> list[Extent]:
    partition = partition_of(disk, number)
    return intersect(used_extents(read_layout(disk.device)), [Extent(partition.start, partition.size)])


def blocks_of_files(mount_point: Path, start: int) -> list[Extent]:
    """Return where the files lie on the disk, as filefrag tells."""
    found = []
    for path in mount_point.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        listing = run(["filefrag", "-v", "-b512", str(path)]).decode()
        for first, last, flags in _FILEFRAG.findall(listing):
            if "inline" not in flags:
                found.append(Extent(start + int(first) * 512, (int(last) - int(first) + 1) * 512))
    return found


@pytest.mark.parametrize("number", [0, 1])  # btrfs tells filefrag addresses that aren't those of the disk
def test_every_block_of_every_file_is_used(disk: LoopDisk, number: int) -> None:
    used = used_of(disk, number)
    partition = partition_of(disk, number)
    assert partition.mount_point is not None
    files = blocks_of_files(Path(partition.mount_point), partition.start)
    assert total(intersect(files, files)) > 6 * MIB
    assert subtract(files, used) == []


def test_the_map_is_that_of_the_filesystems_own_tools(disk: LoopDisk) -> None:
    with UsedMap(read_layout(disk.device)) as used_map, Freeze(disk.mount_points, 60.0) as freeze:
        used_map.extents()
        freeze.freeze()
        ours = used_map.extents(flush=False)
        kinds = (Filesystem(part.kind, part.offset, part.size, None) for part in disk.partitions[:2])
        ranges = used_ranges(disk.image, disk.size, kinds)
        assert freeze.still_frozen()
    btrfs = Extent(disk.partitions[2].offset, disk.partitions[2].size)  # no tool tells what is free there
    theirs = subtract((Extent(start, end - start) for start, end in ranges), [btrfs])
    ours = subtract(ours, [btrfs])
    assert subtract(theirs, ours) == []
    # ext4 keeps blocks in memory for the next writes to a file, and xfs a few for its own trees: free, but spoken for.
    assert total(subtract(ours, theirs)) < 4 * MIB


def test_what_is_not_understood_is_used_whole(disk: LoopDisk) -> None:
    layout = read_layout(disk.device)
    first, second, third, *others = layout.partitions
    whole = [Extent(0, first.start), Extent(first.start + 64 * MIB, second.start - first.start - 64 * MIB)]
    whole += [Extent(third.start, MIB), Extent(third.start + 64 * MIB, 4096)]  # btrfs keeps super blocks there
    whole += [Extent(partition.start, partition.size) for partition in others]
    whole += [Extent(others[-1].end, layout.size - others[-1].end)]
    assert [partition.filesystem for partition in others] == ["ext4", "swap"]
    assert subtract(whole, used_extents(layout)) == []


def test_a_copy_of_the_used_bytes_alone_is_the_same_filesystems(disk: LoopDisk, tmp_path: Path) -> None:
    """Free blocks of the copy are full of rubbish, so that one that was needed would be noticed."""
    copy = poisoned(tmp_path / "copy.img", disk.size)
    used = copy_frozen(disk, copy, disk.mount_points)
    assert total(used) < disk.size // 2
    check_copy(disk, copy, tmp_path)


def poisoned(copy: Path, size: int) -> Path:
    """Make a disk full of rubbish."""
    with copy.open("wb") as file:
        while file.tell() < size:
            file.write(POISON[: size - file.tell()])
    return copy


def copy_frozen(disk: LoopDisk, copy: Path, mount_points: Sequence[Path]) -> list[Extent]:
    """Copy the used bytes alone while the filesystems are frozen, and return them."""
    with UsedMap(read_layout(disk.device)) as used_map, open_reader(disk.device) as reader, copy.open("r+b") as file:
        used_map.extents()
        with Freeze(mount_points, 60.0) as freeze:
            freeze.freeze()
            used = used_map.extents(flush=False)
            with aligned_buffer(MIB) as buffer, memoryview(buffer) as view:
                for extent in used:
                    for offset in range(extent.offset, extent.end, MIB):
                        length = min(MIB, extent.end - offset)
                        assert reader.read_into(view[:length], offset) == length
                        file.seek(offset)
                        file.write(view[:length])
            assert freeze.still_frozen()
    return used


def check_copy(disk: LoopDisk, copy: Path, work: Path) -> None:
    with attached(copy) as device, partitioned(device) as nodes:
        # fsck wants to see the journal replayed, as mounting does.
        for number, node in enumerate(nodes[:2]):
            with mounted(node, work / f"copy{number}", ["nouuid"] if number else []) as mount_point:
                run(["diff", "--recursive", "--no-dereference", str(disk.mount_points[number]), str(mount_point)])
        run(["e2fsck", "-fn", str(nodes[0])])
        run(["xfs_repair", "-n", str(nodes[1])])
        run(["btrfs", "check", "--force", str(nodes[2])])
        run(["btrfs", "check", "--force", "--check-data-csum", str(nodes[2])])
        run(["e2fsck", "-fn", str(nodes[3])])


@pytest.mark.parametrize("number", [0, 1])
def test_all_records_are_read_however_many_come_at_once(
    disk: LoopDisk, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = partition_of(disk, number)
    assert partition.mount_point is not None
    descriptor = os.open(partition.mount_point, os.O_RDONLY)
    try:
        whole = fsmap.free_extents(descriptor, partition.device_number)
        assert len(whole) > 20
        for records in (1, 7):
            monkeypatch.setattr(fsmap, "_RECORDS_A_CALL", records)
            assert fsmap.free_extents(descriptor, partition.device_number) == whole
    finally:
        os.close(descriptor)


def test_records_of_another_device_count_for_nothing(disk: LoopDisk) -> None:
    descriptor = os.open(disk.mount_points[0], os.O_RDONLY)
    try:
        assert fsmap.free_extents(descriptor, partition_of(disk, 1).device_number) == []
    finally:
        os.close(descriptor)


def test_btrfs_gives_no_map(disk: LoopDisk) -> None:
    descriptor = os.open(disk.mount_points[2], os.O_RDONLY)
    try:
        with pytest.raises(fsmap.MapUnsupported, match="Inappropriate ioctl"):
            fsmap.free_extents(descriptor, partition_of(disk, 2).device_number)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "plan",
    [
        Plan("ext2", 48 * MIB),
        Plan("ext3", 48 * MIB),
        Plan("ext4", 48 * MIB, options=("-b", "1024")),
        Plan("ext4", 96 * MIB, options=("-O", "bigalloc", "-C", "65536")),
        Plan("xfs", 320 * MIB, options=("-m", "rmapbt=1", "-b", "size=1024")),
    ],
    ids=lambda plan: " ".join((plan.kind, *plan.options)),
)
def test_other_forms_of_the_same_filesystems(tmp_path: Path, plan: Plan) -> None:
    with LoopDisk(tmp_path / "disk", (plan,)) as disk:
        (mount_point,) = disk.mount_points
        fill(mount_point)
        copy = poisoned(tmp_path / "copy.img", disk.size)
        used = copy_frozen(disk, copy, [mount_point])
        assert total(used) < disk.size * 3 // 4
        with attached(copy) as device, partitioned(device) as (node,):
            with mounted(node, tmp_path / "copy", ["nouuid"] if plan.kind == "xfs" else []) as copied:
                run(["diff", "--recursive", "--no-dereference", str(mount_point), str(copied)])
            run(["xfs_repair", "-n", str(node)] if plan.kind == "xfs" else ["e2fsck", "-fn", str(node)])


@pytest.mark.parametrize(("data", "metadata"), [("single", "dup"), ("raid1", "raid1"), ("raid0", "raid1")])
def test_a_btrfs_on_two_partitions(tmp_path: Path, data: str, metadata: str) -> None:
    """Each profile puts blocks on the devices in another way; what is missing from the map is rubbish in the copy."""
    plans = (Plan("btrfs", 128 * MIB, mount=False), Plan("", 160 * MIB))
    with LoopDisk(tmp_path / "disk", plans) as disk:
        first, second = (str(partition.device) for partition in disk.partitions)
        run(["mkfs.btrfs", "-q", "-f", "-d", data, "-m", metadata, first, second])
        with mounted(Path(first), tmp_path / "mount") as mount_point:
            fill(mount_point)
            layout = read_layout(disk.device)
            assert [partition.mount_point for partition in layout.partitions] == [str(mount_point)] * 2
            assert len(mounts_on(layout)) == 1
            (mount_point / "written later").write_bytes(os.urandom(MIB))
            copy = poisoned(tmp_path / "copy.img", disk.size)
            used = copy_frozen(disk, copy, [mount_point])
            # Blocks of striped chunks aren't looked for, so that these are copied whole.
            assert total(used) < (disk.size // 2 if data != "raid0" else disk.size * 3 // 4)
        with attached(copy) as device, partitioned(device) as nodes:
            run(["btrfs", "check", "--force", "--check-data-csum", str(nodes[0])])


def test_a_btrfs_with_an_unknown_feature_is_used_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopDisk(tmp_path, (Plan("btrfs", 128 * MIB),)) as disk:
        layout = read_layout(disk.device)
        assert total(used_extents(layout)) < disk.size // 2
        monkeypatch.setattr(btrfsmap, "_KNOWN_FEATURES", 0)
        assert used_extents(layout) == [Extent(0, disk.size)]


def test_what_two_partitions_claim_is_used(disk: LoopDisk) -> None:
    layout = read_layout(disk.device)
    first = layout.partitions[0]
    intruder = dataclasses.replace(first, index=9, start=first.start + 10 * MIB, size=20 * MIB, mount_point=None)
    overlapping = dataclasses.replace(layout, partitions=(*layout.partitions, intruder))
    shared = [Extent(intruder.start, intruder.size)]
    assert subtract(shared, used_extents(layout)) != []
    assert subtract(shared, used_extents(overlapping)) == []


def test_a_filesystem_that_was_unmounted_since_is_used_whole(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, (Plan("ext4", 16 * MIB),)) as disk:
        layout = read_layout(disk.device)
        assert total(used_extents(layout)) < disk.size
        run(["umount", str(disk.mount_points[0])])
        assert used_extents(layout) == [Extent(0, disk.size)]
        run(["mount", str(disk.partitions[0].device), str(disk.mount_points[0])])


def test_blocks_that_were_written_but_not_yet_allocated_are_used(tmp_path: Path) -> None:
    with LoopDisk(tmp_path, (Plan("ext4", 32 * MIB),)) as disk:
        layout = read_layout(disk.device)
        before = total(used_extents(layout))
        (disk.mount_points[0] / "fresh").write_bytes(os.urandom(4 * MIB))
        assert total(used_extents(layout)) >= before + 4 * MIB


def test_a_bind_mount_is_as_good_as_the_mount(tmp_path: Path) -> None:
    with LoopDisk(tmp_path / "disk", (Plan("ext4", 16 * MIB, mount=False),)) as disk:
        node = disk.partitions[0].device
        with mounted(node, tmp_path / "whole") as whole:
            (whole / "part").mkdir()
            (tmp_path / "part").mkdir()
            run(["mount", "--bind", str(whole / "part"), str(tmp_path / "part")])
        try:
            (partition,) = read_layout(disk.device).partitions
            assert partition.mount_point == str(tmp_path / "part")
            assert total(used_extents(read_layout(disk.device))) < disk.size // 2
        finally:
            run(["umount", str(tmp_path / "part")])
    shutil.rmtree(tmp_path / "part")
