"""Layouts and used maps of image files: what the kernel knows nothing of."""

import os
import struct
import uuid
from pathlib import Path

from wherry.disks.extents import Extent
from wherry.disks.fsmap import kernel_device_number
from wherry.disks.layout import mounts_on, read_layout
from wherry.disks.usedmap import UsedMap

SIZE = 4 << 20
ID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def make_image(path: Path, pieces: dict[int, bytes], size: int = SIZE) -> Path:
    content = bytearray(size)
    for offset, piece in pieces.items():
        content[offset : offset + len(piece)] = piece
    path.write_bytes(content)
    return path


def boot_record(*records: tuple[int, int, int]) -> bytes:
    raw = b"".join(struct.pack("<4xB3xII", *record) for record in records)
    return raw.ljust(64, b"\0") + b"\x55\xaa"


def test_an_image_with_an_mbr(tmp_path: Path) -> None:
    xfs = b"XFSB" + bytes(28) + ID.bytes + bytes(60) + b"data"
    path = make_image(tmp_path / "a.img", {446: boot_record((0x83, 4096, 2048), (0x82, 64, 2048)), 4096 * 512: xfs})
    layout = read_layout(path)
    assert (layout.name, layout.size, layout.sector_size, layout.partition_style) == ("a.img", SIZE, 512, "MBR")
    swap, data = layout.partitions
    assert (swap.index, swap.start, swap.size, swap.type_id, swap.filesystem) == (2, 64 * 512, 1 << 20, "82", "")
    assert (data.index, data.filesystem, data.uuid, data.label) == (1, "xfs", str(ID), "data")
    assert (data.mount_point, data.used_bytes, data.device) == (None, None, "")
    assert mounts_on(layout) == []


def test_an_image_is_used_whole(tmp_path: Path) -> None:
    layout = read_layout(make_image(tmp_path / "a.img", {446: boot_record((0x83, 64, 2048))}, SIZE + 100))
    with UsedMap(layout) as used:
        assert used.extents() == [Extent(0, SIZE + 100)]


def test_a_filesystem_without_a_table_is_listed_as_partition_0(tmp_path: Path) -> None:
    layout = read_layout(make_image(tmp_path / "a.img", {0: b"XFSB" + bytes(28) + ID.bytes}))
    (whole,) = layout.partitions
    assert (whole.index, whole.start, whole.size, whole.filesystem) == (0, 0, SIZE, "xfs")
    assert layout.partition_style == ""


def test_an_empty_image_has_nothing(tmp_path: Path) -> None:
    layout = read_layout(make_image(tmp_path / "a.img", {}))
    assert (layout.partition_style, layout.partitions) == ("", ())


def test_device_numbers_as_the_kernel_packs_them() -> None:
    # Linux include/linux/kdev_t.h, new_encode_dev: 12 bits of major between the low 8 and the high 12 of the minor.
    assert kernel_device_number(os.makedev(8, 1)) == 0x801
    assert kernel_device_number(os.makedev(259, 0x12345)) == (0x123 << 20) | (259 << 8) | 0x45


def test_a_disk_whose_gpt_is_damaged_at_both_ends_is_one_unknown_area(tmp_path: Path) -> None:
    layout = read_layout(make_image(tmp_path / "a.img", {446: boot_record((0xEE, 1, 0xFFFFFFFF)), 512: b"EFI PART"}))
    (whole,) = layout.partitions
    assert (whole.index, whole.start, whole.size, whole.filesystem, whole.type_id) == (0, 0, SIZE, "", "")
    assert layout.partition_style == ""
    (warning,) = layout.warnings
    assert warning.startswith("WHERRY.1010: The GPT of the disk is damaged: primary: the header says")
    assert "fix:" in warning
    with UsedMap(layout) as used:
        assert used.extents() == [Extent(0, SIZE)]


def test_a_sound_disk_has_no_warning(tmp_path: Path) -> None:
    assert read_layout(make_image(tmp_path / "a.img", {446: boot_record((0x83, 64, 2048))})).warnings == ()
