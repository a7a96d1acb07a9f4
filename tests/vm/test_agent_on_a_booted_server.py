"""The whole way of a server that runs: one pasted command in a Debian 11, and its disk moves while it works."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from demo.mounting import attached, partitioned
from tests.system.migration_rig import Rig
from tests.vm.moving import MAX_FREEZE_S, SLOW_S, new_home, paste, running
from tests.vm.recipe import Recipe, Suite
from tests.vm.shell import Shell
from tests.vm.source_image import obstacle
from wherry.process import run

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.timeout(1800),
]

ROOT_PARTITION = 3


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A running Debian 11."""
    with running(Recipe(suite=Suite.BULLSEYE), tmp_path) as shell:
        yield shell


@pytest.fixture
def rig(bundle: Path, tmp_path: Path) -> Iterator[Rig]:
    """The new home of the server, and no agent yet."""
    with new_home(bundle, tmp_path) as rig:
        yield rig


def test_a_pasted_command_and_a_server_moves_while_it_works(shell: Shell, rig: Rig, tmp_path: Path) -> None:
    assert re.search("^11", shell("cat /etc/debian_version"))
    assert shell("command -v python3 || echo none") == "none\n"
    told = shell(paste(rig, "--max-freeze", str(MAX_FREEZE_S)))
    assert told.splitlines()[-1].startswith("The agent has joined")
    assert shell("systemctl is-enabled wherry-agent; systemctl is-active wherry-agent").split() == ["enabled", "active"]
    rig.await_source(SLOW_S)
    assert rig.source.os_version == "DEBIAN_11_64BIT"
    # What stays on the server all the time, and writes through the freeze.
    shell("systemd-run --quiet sh -c 'while date >/root/now.new; do mv /root/now.new /root/now; sleep 0.1; done'")
    task_id = rig.create_task(syncing=True)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING", SLOW_S)
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", SLOW_S)
    figures = rig.plane.show_replication(task_id)
    journal = shell("journalctl --no-pager --output cat --unit wherry-agent")
    assert figures.tracking.startswith("ftrace")
    assert not figures.watchdog_fired
    assert [done.consistent for done in figures.passes].count(True) == 1
    assert journal.count('"event": "thawed"') == 1
    assert shell("cat /root/now")
    assert_sound(rig, task_id, tmp_path)


def assert_sound(rig: Rig, task_id: str, folder: Path) -> None:
    """The copy is what was proven, and its root filesystem is in order."""
    proof = folder / "proof.json"
    proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
    copy = rig.images / task_id / "disk-0.raw"
    judged = rig.wherry("verify", str(proof), str(copy), "--ca-file", rig.admin.ca_file)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    with attached(copy) as device, partitioned(device) as partitions:
        run(["e2fsck", "-fn", str(partitions[ROOT_PARTITION - 1])], timeout_s=300)
