"""A receiver that makes qcow2: equal, sparse, and a kill in mid-conversion leaves no half image."""

import os
import random
import shutil
from pathlib import Path

import pytest

from demo.loopdisk import MIB, obstacle
from tests.system.migration_rig import Rig
from wherry.process import run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

SIZE = 32 * MIB
WRITTEN = 4 * MIB


def slow_converter(folder: Path) -> Path:
    """Put the real `qemu-img` behind a gate: a conversion is written, but ends only once the gate is open."""
    real = shutil.which("qemu-img")
    assert real is not None
    gate, script = folder / "gate", folder / "bin/qemu-img"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\n{real} "$@" || exit 1\n[ "$1" = convert ] || exit 0\n'
        f"n=0; while [ ! -e {gate} ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done\n"
    )
    script.chmod(0o755)
    return gate


def test_a_killed_conversion_leaves_nothing_and_is_made_up_for(images: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.img"
    source.write_bytes(random.Random(1).randbytes(WRITTEN) + bytes(SIZE - WRITTEN))
    gate = slow_converter(tmp_path)
    path = f"{gate.parent / 'bin'}:{os.environ['PATH']}"
    rig = Rig(
        tmp_path,
        source,
        images=images,
        receiver_options=("--image-format", "qcow2"),
        environments={"receiver": {"PATH": path}},
    )
    try:
        rig.start()
        task_id = rig.create_task(syncing=False)
        replica = images / task_id
        rig.plane.update_task_status(task_id, "start")
        rig.until("the end, with the conversion hanging", lambda: rig.state(task_id) == "MIGRATE_SUCCESS")
        rig.until("half an image", (replica / ".qcow2.new/disk.qcow2").exists)
        rig.programs["receiver"].kill()
        assert not list(replica.glob("checkpoint-*/*.qcow2"))
        gate.touch()
        rig.programs["receiver"].start()
        made = rig.until("the image", lambda: next(replica.glob("checkpoint-*/disk-0.qcow2"), None))
        rig.until("the sweeping", lambda: not (replica / ".qcow2.new").exists())
        run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(replica / "disk-0.raw"), str(made)])
        run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(source), str(made)])
        assert made.stat().st_blocks * 512 < 2 * WRITTEN, "it's sparse"
    finally:
        gate.touch()
        rig.end()
