"""The receiver as production runs it, which opens landed systems by libguestfs: what it refuses, and what a task says.

The agent is this machine's, and its disk an image file with a server's system on it.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.migration_rig import WHERRY, Rig
from tests.vm import overlays
from tests.vm.appliance_kernel import appliance_environment
from tests.vm.source_image import SourceImage, copy_of
from wherry.boot.chroot.workbench import ChrootWorkbench
from wherry.contract.enumerations import DiskBus, LandingState, Verdict
from wherry.contract.landing import TargetMachineWish

pytestmark = pytest.mark.root

BY_GUESTFS = ("--driver", "qemu", "--workbench", "guestfs")
TARGET = TargetMachineWish(disk_bus=DiskBus.VIRTIO_SCSI, vcpus=2, memory_mb=1024, macs=[])
LIMIT_S = 900.0


@pytest.fixture
def rig(server: SourceImage, tmp_path: Path) -> Iterator[Rig]:
    """A receiver that has just started, and an agent with a server whose fstab names a filesystem that isn't there."""
    disk = copy_of(server, tmp_path / "source.raw")
    with ChrootWorkbench().open([disk], writable=True) as guest:
        overlays.with_unknown_uuid(guest)
    environments = {"receiver": appliance_environment()}
    rig = Rig(tmp_path, disk, receiver_options=BY_GUESTFS, environments=environments)
    try:
        rig.start()
        yield rig
    finally:
        rig.end()


def test_a_task_fails_by_its_rehearsal_with_code_cause_and_fix(rig: Rig) -> None:
    task_id = rig.create_task(syncing=False)
    rig.plane.update_target_machine(task_id, TARGET)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the failure", lambda: rig.state(task_id) == "MIGRATE_FAIL", LIMIT_S)
    error = json.loads(rig.plane.show_task(task_id).error_json or "{}")
    message, cause, fix = json.loads(error["error_param"])
    assert error["error_code"] == "WHERRY.6215"
    assert overlays.UNKNOWN_UUID in message
    assert "/etc/fstab" in cause
    assert "nofail" in fix
    (rehearsal,) = rig.plane.list_rehearsals(task_id=task_id).rehearsals
    assert rehearsal.verdict is Verdict.FAILED
    assert overlays.UNKNOWN_UUID in " ".join(rig.plane.show_rehearsal(rehearsal.id).changes or ())
    assert rig.plane.show_landing(task_id).state is LandingState.FAILED
    assert not list((rig.images / ".servers").glob("*"))


def test_a_receiver_whose_virtual_machine_cannot_start_says_so_at_once(tmp_path: Path) -> None:
    command = [
        *(
            str(WHERRY),
            "receiver",
            "--server",
            "https://127.0.0.1:1",
            "--ca-file",
            "/dev/null",
            "--token-file",
            "/dev/null",
        ),
        *("--state", str(tmp_path / "state"), "--images", str(tmp_path / "images"), *BY_GUESTFS),
    ]
    environment = {**os.environ, "LIBGUESTFS_CACHEDIR": str(tmp_path), "SUPERMIN_KERNEL": str(tmp_path / "none")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode != 0
    assert "WHERRY.6111" in done.stderr
    assert "SUPERMIN_MODULES" in done.stderr
