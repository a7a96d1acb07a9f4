"""Whom machines run as."""

import os
from pathlib import Path

import pytest

from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.scope import scope_prefix
from wherry.boot.machine.users import FIRST_USER, USERS, MachineUsers, groups_for

ALL = "         0          0 4294967295\n"


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def users(folder: Path, uid_map: str = ALL, first: int = FIRST_USER, kvm_mode: int = 0o660) -> MachineUsers:
    (folder / "uid_map").write_text(uid_map)
    (folder / "kvm").touch()
    (folder / "kvm").chmod(kvm_mode)
    return MachineUsers(first, kvm=folder / "kvm", uid_map=folder / "uid_map")


def test_each_machine_has_a_user_of_its_own_that_stays(tmp_path: Path) -> None:
    found = users(tmp_path)
    one, other = found.of("vm-1", Accelerator.TCG), found.of("vm-2", Accelerator.TCG)
    assert one != other
    assert one == users(tmp_path).of("vm-1", Accelerator.TCG)
    assert one is not None
    assert FIRST_USER <= one < FIRST_USER + USERS


def test_a_container_without_such_users_and_an_operator_who_wants_none_have_none(tmp_path: Path) -> None:
    assert users(tmp_path, "0 100000 65536\n").of("vm-1", Accelerator.TCG) is None
    assert users(tmp_path, first=0).of("vm-1", Accelerator.TCG) is None


def test_only_root_can_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert users(tmp_path).of("vm-1", Accelerator.TCG) is None


def test_a_kvm_that_is_for_root_alone_can_be_used_by_nobody_else(tmp_path: Path) -> None:
    closed = users(tmp_path, kvm_mode=0o600)
    assert closed.of("vm-1", Accelerator.KVM) is None
    assert closed.of("vm-1", Accelerator.TCG) is not None
    assert users(tmp_path, kvm_mode=0o666).of("vm-1", Accelerator.KVM) is not None


def test_the_group_of_kvm_is_needed_for_kvm_alone(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    assert groups_for(Accelerator.KVM, tmp_path / "kvm") == [(tmp_path / "kvm").stat().st_gid]
    assert groups_for(Accelerator.TCG, tmp_path / "missing") == []


def test_a_scope_has_room_for_qemu_itself() -> None:
    words = scope_prefix("vm-1", 2048, 2)
    assert "--property=MemoryMax=3072M" in words
    assert "--property=CPUQuota=300%" in words
    assert words[-1] == "--"
