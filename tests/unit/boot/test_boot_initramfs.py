"""An initramfs is read in every form that distributions pack it in."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.boot.cpio_archive import cpio, lz4_legacy
from wherry.boot.errors import InitramfsUnreadable
from wherry.boot.initramfs import module_name, modules_in, names_in

EARLY = cpio(["kernel/x86/microcode/GenuineIntel.bin"], b"m" * 501)
MAIN = cpio(
    ["usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko", "lib/modules/6.1/kernel/net/x/nf-tables.ko.xz", "init"]
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lambda raw: lzma.compress(raw, check=lzma.CHECK_CRC32),
    "lzma": lambda raw: lzma.compress(raw, format=lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4_legacy,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_modules_are_found_behind_the_early_part(packer: str) -> None:
    image = EARLY + bytes(512 - len(EARLY) % 512) + PACKERS[packer](MAIN)
    assert modules_in(image) == {"virtio_blk", "nf_tables"}


@pytest.mark.parametrize("packer", PACKERS)
def test_an_archive_that_was_appended_is_read_too(packer: str) -> None:
    image = PACKERS[packer](MAIN) + bytes(8) + PACKERS[packer](cpio(["lib/modules/6.1/nvme.ko.zst"]))
    assert modules_in(image) == {"virtio_blk", "nf_tables", "nvme"}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_damaged_one_is_an_error_in_words(packer: str) -> None:
    image = PACKERS[packer](MAIN)
    with pytest.raises(InitramfsUnreadable):
        modules_in(image[: len(image) // 2])


def test_an_unknown_format_is_named_by_its_first_bytes() -> None:
    with pytest.raises(InitramfsUnreadable, match="4d5a"):
        modules_in(b"MZ\x90\0\3\0")


@given(
    st.binary(),
    st.sampled_from([b"", b"070701", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"\x02\x21\x4c\x18", b"BZh9"]),
)
def test_garbage_is_read_or_refused(garbage: bytes, magic: bytes) -> None:
    try:
        names = list(names_in(magic + garbage))
    except InitramfsUnreadable:
        return
    assert not names or len(magic + garbage) >= 110


def test_what_unpacks_to_something_packed_is_refused() -> None:
    with pytest.raises(InitramfsUnreadable, match="again"):
        modules_in(gzip.compress(gzip.compress(MAIN)))


def test_names_of_modules() -> None:
    assert module_name("kernel/drivers/nvme/host/nvme-core.ko.zst") == "nvme_core"
    assert module_name("kernel/x.ko.sig") == ""
