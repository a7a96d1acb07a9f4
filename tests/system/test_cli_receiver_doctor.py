"""`wherry receiver doctor` tells what this machine has, and what it lacks.

It's run as a program of its own, since a program sets up the log of its whole process.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.migration_rig import WHERRY

WITHOUT_ROOM = Path("/proc")
"""A folder that nothing can be stored in."""


def examined(*words: str, environment: Mapping[str, str] = os.environ) -> tuple[int, dict[str, Any]]:
    command = [str(WHERRY), "receiver", "doctor", *words, "--json"]
    done = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=120)
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)}


def test_room_where_the_folder_would_be_made(tmp_path: Path) -> None:
    status, found = examined("--images", str(tmp_path / "new/images"))
    assert (status, found["room"]["works"]) == (0, True)
    assert not (tmp_path / "new").exists(), "it only looks"


def test_what_is_missing_is_told_with_a_fix(tmp_path: Path) -> None:
    without_programs = {**os.environ, "PATH": str(tmp_path)}
    status, found = examined("--images", str(WITHOUT_ROOM), "--driver", "qemu", environment=without_programs)
    assert status == 1
    assert {name: each["works"] for name, each in found.items()} == {
        "room": False,
        "QEMU": False,
        "qemu-img": False,
        "accelerator": False,
    }
    assert all(each["cause"] and each["fix"] for each in found.values())
