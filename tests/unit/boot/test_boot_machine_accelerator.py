"""That a candidate has to boot, and that what was found is remembered while the host runs."""

from pathlib import Path

import pytest

from wherry.boot.machine.accelerator import Accelerator, boot_sector, find_accelerator


class Trials:
    """Boots with some accelerators only, and counts."""

    def __init__(self, *working: Accelerator) -> None:
        self.working = working
        self.tried: list[Accelerator] = []

    def __call__(self, accelerator: Accelerator) -> bool:
        self.tried.append(accelerator)
        return accelerator in self.working


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


def test_kvm_is_taken_where_a_guest_boots_with_it(device: Path) -> None:
    assert find_accelerator(None, Trials(Accelerator.KVM), device) is Accelerator.KVM


def test_a_device_with_which_nothing_boots_is_not_taken(device: Path) -> None:
    trials = Trials()
    assert find_accelerator(None, trials, device) is Accelerator.TCG
    assert trials.tried == [Accelerator.KVM]


def test_nothing_is_tried_without_the_device(tmp_path: Path) -> None:
    trials = Trials(Accelerator.KVM)
    assert find_accelerator(None, trials, tmp_path / "nothing") is Accelerator.TCG
    assert trials.tried == []


def test_what_was_found_is_remembered(device: Path, tmp_path: Path) -> None:
    trials = Trials(Accelerator.KVM)
    memory = tmp_path / "accelerator.json"
    assert find_accelerator(memory, trials, device) is Accelerator.KVM
    assert find_accelerator(memory, trials, device) is Accelerator.KVM
    assert trials.tried == [Accelerator.KVM]


@pytest.mark.parametrize("content", [b"", b"{", b'{"boot_id": "of another run", "accelerator": "kvm"}'])
def test_what_is_damaged_or_from_before_the_last_boot_is_found_anew(
    device: Path, tmp_path: Path, content: bytes
) -> None:
    memory = tmp_path / "accelerator.json"
    memory.write_bytes(content)
    assert find_accelerator(memory, Trials(), device) is Accelerator.TCG


def test_the_trial_is_a_boot_sector() -> None:
    sector = boot_sector()
    assert len(sector) == 512
    assert sector[510:] == b"\x55\xaa"
    assert sector.index(b"wherry boots here") == 0x17
