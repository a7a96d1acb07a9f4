"""Control plane, receiver and agent move an image, through restarts, a stop and a kill, to a proof that holds."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.system.migration_rig import Rig

MIB = 1 << 20
SIZE = 48 * MIB + 512


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with noise, text, holes, and an end that is no whole granule."""
    path = tmp_path / "source.img"
    with path.open("wb") as file:
        for start in range(0, 40, 8):
            file.seek(start * MIB)
            file.write(random.Random(start).randbytes(4 * MIB))
            file.write(b"the same words again and again. " * (MIB // 32))
        file.truncate(SIZE)
    return path


@pytest.fixture
def rig(tmp_path: Path, image: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, image)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def test_an_image_arrives_equal_whatever_is_restarted(rig: Rig, image: Path, tmp_path: Path) -> None:
    agent, receiver = rig.programs["agent"], rig.programs["receiver"]
    task_id = rig.create_task(syncing=True, speed_limit=40)

    # The agent is restarted in the first copy.
    rig.plane.update_task_status(task_id, "start")
    rig.until("some copied bytes", lambda: (now := rig.figures(task_id)) and now.sent_bytes > MIB)
    assert agent.terminate() == 0
    interrupted = rig.plane.show_replication(task_id)
    assert not interrupted.passes
    agent.start()
    rig.until(
        "more copied bytes", lambda: (now := rig.figures(task_id)) and now.sent_bytes > interrupted.sent_bytes + MIB
    )

    # The task is stopped and started by its user.
    rig.plane.update_task_status(task_id, "stop")
    rig.until("the stop", lambda: rig.state(task_id) == "ABORT")
    assert rig.plane.show_server(rig.source.id).state.value == "stopped"
    rig.plane.update_task_status(task_id, "start")
    rig.until("the start", lambda: rig.state(task_id) == "RUNNING")

    # The receiver is killed in the first copy.
    rig.until("a started copy", lambda: rig.plane.show_server(rig.source.id).state.value == "replicate")
    receiver.kill()
    receiver.start()
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING")

    # The source changes, and is cut over.
    with image.open("r+b") as file:
        file.seek(9 * MIB)
        file.write(b"changed" * 1000)
    passes = rig.plane.show_replication(task_id).pass_number
    rig.until("two more passes", lambda: (now := rig.figures(task_id)) and now.pass_number > passes + 1)
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
    source = rig.plane.show_server(rig.source.id)
    assert (source.state.value, source.migration_cycle) == ("finished", "cutovered")

    copy = rig.images / task_id / "disk-0.raw"
    assert copy.read_bytes() == image.read_bytes()
    assert copy.stat().st_blocks * 512 < SIZE - 8 * MIB, "holes of the source are holes of the copy"
    done = rig.plane.show_replication(task_id)
    assert done.phase == "done"
    assert done.disk_bytes == SIZE
    assert done.frozen_ms == 0
    assert not done.watchdog_fired
    assert done.sent_bytes < 3 * 30 * MIB
    assert done.passes[-1].consistent

    verified(rig, task_id, copy, image, tmp_path)
    for name in ("agent", "receiver", "serve"):
        assert rig.programs[name].terminate() == 0, rig.programs[name].words()
    secrets = [
        rig.admin.secret_key,
        *(Path(f"{tmp_path}/{role}.token").read_text() for role in ("agent", "receiver")),
    ]
    for program in rig.programs.values():
        assert not any(secret.strip() in program.words() for secret in secrets)


def verified(rig: Rig, task_id: str, copy: Path, image: Path, folder: Path) -> None:
    """`wherry verify` takes both sides, and neither a flipped byte nor a changed proof."""
    proof = rig.plane.show_proof(task_id)
    assert proof.task_id == task_id
    path = folder / "proof.json"
    path.write_bytes(msgspec.json.encode(proof))
    authority = ("--ca-file", rig.admin.ca_file)
    for disk in (copy, image):
        good = rig.wherry("verify", str(path), str(disk), *authority)
        assert good.returncode == 0, good.stdout + good.stderr
        assert "equal: yes" in good.stdout
    spoiled = folder / "spoiled.img"
    content = bytearray(copy.read_bytes())
    content[SIZE - 1] ^= 1
    spoiled.write_bytes(content)
    bad = rig.wherry("verify", str(path), str(spoiled), *authority)
    assert bad.returncode == 1
    assert "equal: no" in bad.stdout
    forged = folder / "forged.json"
    forged.write_bytes(msgspec.json.encode(msgspec.structs.replace(proof, taken_at=proof.taken_at + 1)))
    refused = rig.wherry("verify", str(forged), str(copy), *authority)
    assert refused.returncode == 1
    assert "WHERRY.2030" in refused.stderr
    assert "fix:" in refused.stderr


def test_a_task_without_synchronisation_runs_to_its_end_by_itself(rig: Rig, image: Path) -> None:
    task_id = rig.create_task(syncing=False)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
    assert (rig.images / task_id / "disk-0.raw").read_bytes() == image.read_bytes()
    assert rig.plane.show_proof(task_id).disks[0].name == image.name
    steps = {step.name: step.progress for step in rig.plane.show_task(task_id).sub_tasks or ()}
    assert set(steps.values()) == {100}, steps
    rig.plane.delete_task(task_id)
    rig.until("the withdrawal", lambda: "task_withdrawn" in rig.programs["receiver"].words())
    assert (rig.images / task_id / "disk-0.raw").exists(), "data are never deleted by surprise"
