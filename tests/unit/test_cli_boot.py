"""`wherry boot`: what is wrong with its arguments is told before a disk is opened."""

from pathlib import Path

import pytest

from tests.unit.boot.sample_systems import debian, red_hat
from wherry.boot.inspection import inspect
from wherry.boot.target import Firmware, Nic, TargetMachine
from wherry.cli.boot import Target
from wherry.cli.errors import MacUnreadable
from wherry.cli.main import run
from wherry.contract.enumerations import DiskBus, NetworkWish

MAC = "52:54:00:ab:cd:ef"


def test_the_target_boots_as_the_copy_does_unless_it_is_told() -> None:
    assert Target().machine(inspect(red_hat())) == TargetMachine(Firmware.UEFI)
    assert Target().machine(inspect(debian())) == TargetMachine(Firmware.BIOS)
    told = Target(Firmware.BIOS, DiskBus.NVME, NetworkWish.DHCP, (MAC.upper(), f"ens3={MAC}"), ("/dev/sda",))
    assert told.machine(inspect(red_hat())) == TargetMachine(
        Firmware.BIOS, DiskBus.NVME, NetworkWish.DHCP, (Nic(MAC), Nic(MAC, "ens3")), ("/dev/sda",)
    )


@pytest.mark.parametrize("word", ["", "52:54", "ens3", f"={MAC}", f"{MAC}=ens3"])
def test_what_is_no_mac_address_is_refused(word: str) -> None:
    with pytest.raises(MacUnreadable):
        Target(mac=(word,)).machine(inspect(debian()))


@pytest.mark.parametrize("command", ["inspect", "plan", "apply"])
def test_a_missing_image_is_told(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", str(tmp_path / "out")] if command == "apply" else []
    status = run(["boot", command, str(tmp_path / "gone.qcow2"), *output])
    assert status != 0
    assert "gone.qcow2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_disks_of_two_formats_arent_one_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["boot", "apply", str(tmp_path / "a.raw"), str(tmp_path / "b.qcow2"), "--output", str(tmp_path / "o")])
    assert status == 2
    assert "WHERRY.6002" in capsys.readouterr().err


def test_an_overlay_without_a_record_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boot", "undo", str(tmp_path)]) == 2
    assert "what was before" in capsys.readouterr().err


def test_keys_that_others_can_read_are_told_before_a_disk_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "disk.raw").touch()
    (tmp_path / "keys").mkdir(mode=0o755)
    assert run(["boot", "inspect", str(tmp_path / "disk.raw"), "--luks-keys", str(tmp_path / "keys")]) != 0
    assert "WHERRY.6114" in capsys.readouterr().err
