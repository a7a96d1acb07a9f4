"""`wherry receiver doctor` tells what this machine has, and what it lacks."""

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.cli import receiver_doctor
from wherry.cli.main import run


def examined(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = run(["receiver", "doctor", *words, "--json"])
    return status, {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def test_room_where_the_folder_would_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = examined(capsys, "--images", str(tmp_path / "new/images"))
    assert (status, found["room"]["works"]) == (0, True)
    assert not (tmp_path / "new").exists(), "it only looks"


def test_what_is_missing_is_told_with_a_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_doctor, "LEAST_ROOM", 1 << 62)
    monkeypatch.setenv("PATH", str(tmp_path))
    status, found = examined(capsys, "--images", str(tmp_path), "--driver", "qemu")
    assert status == 1
    assert {name: each["works"] for name, each in found.items()} == {
        "room": False,
        "QEMU": False,
        "qemu-img": False,
        "accelerator": False,
    }
    assert all(each["cause"] and each["fix"] for each in found.values())
