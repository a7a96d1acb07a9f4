"""The trial of libguestfs's virtual machine: once a run of the host and its settings, and never when it failed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from wherry.boot.errors import ApplianceFailed, NoSystem
from wherry.boot.guest import Guest
from wherry.boot.guestfs.library import why_not_launched
from wherry.boot.guestfs.trial import require_appliance
from wherry.errors import WherryError

KERNEL = {"SUPERMIN_KERNEL": "/kernels/one", "HOME": "/root"}


class RefusingWorkbench:
    """Opens nothing, for a reason of its own."""

    def __init__(self, reason: WherryError) -> None:
        self.reason = reason
        self.sizes: list[int] = []
        """Of the disks that it was to open."""

    def open(self, disks: Sequence[Path], *, writable: bool = False) -> AbstractContextManager[Guest]:
        assert not writable
        self.sizes += [disk.stat().st_size for disk in disks]
        raise self.reason


def test_what_starts_is_tried_once_with_each_setting(tmp_path: Path) -> None:
    bench = RefusingWorkbench(NoSystem(count=1))
    for environment in (KERNEL, {**KERNEL, "HOME": "/elsewhere"}):
        require_appliance(bench, tmp_path / "memory", environment)
    assert bench.sizes == [1 << 20]
    require_appliance(bench, tmp_path / "memory", {"SUPERMIN_KERNEL": "/kernels/two"})
    assert len(bench.sizes) == 2


def test_what_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    bench = RefusingWorkbench(ApplianceFailed(reason="no kernel"))
    for _ in range(2):
        with pytest.raises(ApplianceFailed, match="no kernel"):
            require_appliance(bench, tmp_path / "memory", KERNEL)
    assert len(bench.sizes) == 2


def test_a_spoilt_memory_is_no_memory(tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(b"{")
    bench = RefusingWorkbench(NoSystem(count=1))
    require_appliance(bench, tmp_path / "memory", KERNEL)
    assert len(bench.sizes) == 1


def test_the_reason_is_the_first_word_of_the_library_and_the_last_of_its_programs() -> None:
    error = "[Errno 22] launch: supermin exited with error status 1.\nTo see full error messages ..."
    said = "".join(f"step {number}\n" for number in range(9)).encode() + b"\nno \xff kernel.\n"
    assert why_not_launched(error, said) == (
        "supermin exited with error status 1. step 4 step 5 step 6 step 7 step 8 no \ufffd kernel"
    )
    assert why_not_launched("launch: no memory", b"") == "no memory"
