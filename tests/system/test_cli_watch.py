"""`wherry watch` beside a real migration: the copy, the cutover, the end, and a control plane that restarts."""

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.migration_rig import PATIENCE_S, WHERRY, Rig

MIB = 1 << 20
Watching = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    image = tmp_path / "source.img"
    image.write_bytes(random.Random(1).randbytes(8 * MIB))
    rig = Rig(tmp_path, image)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


@pytest.fixture
def watching(rig: Rig) -> Iterator[Watching]:
    """Starts `wherry watch`, and ends what a failed test has left."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = [str(WHERRY), "watch", *words, "--interval", "0.2", *admin_file(rig)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def admin_file(rig: Rig) -> list[str]:
    return ["--admin-file", str(rig.folder / "data/admin.json")]


def test_a_task_is_followed_to_its_end(rig: Rig, watching: Watching) -> None:
    task_id = rig.create_task(syncing=True, speed_limit=40)
    copying = watching(task_id, "--until", "syncing")
    assert copying.stdout is not None
    assert "READY" in copying.stdout.readline()
    rig.plane.update_task_status(task_id, "start")
    out, err = copying.communicate(timeout=PATIENCE_S)
    assert (copying.returncode, err) == (0, ""), out
    assert "MIGRATE_LINUX_BLOCK" in out
    assert "\x1b" not in out, "a pipe gets plain lines"

    cutting = watching("move", "--json")
    assert cutting.stdout is not None
    assert json.loads(cutting.stdout.readline())["task"]["state"] == "SYNCING"
    rig.without.add("serve")
    rig.programs["serve"].restart()
    rig.plane.ready()
    rig.plane.update_task_status(task_id, "cutover")
    out, err = cutting.communicate(timeout=PATIENCE_S)
    assert (cutting.returncode, err) == (0, ""), out
    last = json.loads(out.splitlines()[-1])
    assert last["task"]["state"] == "MIGRATE_SUCCESS"
    assert last["replication"]["passes"][-1]["consistent"] is True

    # What ended is told at once, and its proof can be kept and checked.
    proof = rig.folder / "proof.json"
    assert rig.wherry("watch", "move", *admin_file(rig)).returncode == 0
    assert rig.wherry("proof", "save", "move", str(proof), *admin_file(rig)).returncode == 0
    image = rig.images / task_id / "disk-0.raw"
    verified = rig.wherry("verify", str(proof), str(image), "--ca-file", rig.admin.ca_file)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_task_that_is_stopped_ends_with_a_fix(rig: Rig, watching: Watching) -> None:
    task_id = rig.create_task(syncing=True, speed_limit=1)
    rig.plane.update_task_status(task_id, "start")
    follower = watching(task_id)
    assert follower.stdout is not None
    follower.stdout.readline()
    rig.until("the copy", lambda: rig.plane.show_server(rig.source.id).state.value == "replicate")
    rig.plane.update_task_status(task_id, "stop")
    _, err = follower.communicate(timeout=PATIENCE_S)
    assert follower.returncode == 1
    assert err.startswith("WHERRY.6052")
    assert "  fix:   " in err
