"""A server that was launched at its new home goes back to its old disk, by one pasted command, and boots from there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.mounting import attached, partitioned
from tests.system.failing_back import adopt, judged_equal
from tests.system.migration_rig import Rig
from tests.vm.moving import MAX_FREEZE_S, SLOW_S, new_home, paste, running_on
from tests.vm.recipe import Recipe, Suite
from tests.vm.shell import Shell
from tests.vm.source_image import obstacle, source_image
from wherry.process import run

RECIPE = Recipe(suite=Suite.BULLSEYE)
ROOT_PARTITION = 3
MOST_SHARE = 0.1
"""How much of what is in use may travel at most."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(obstacle(RECIPE)), reason=obstacle(RECIPE)),
    pytest.mark.timeout(1800),
]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The disk that the server had before it moved, as it was then."""
    (image,) = source_image(RECIPE).disks
    path = tmp_path / "old.raw"
    run(["cp", "--reflink=auto", "--sparse=always", str(image), str(path)], timeout_s=300)
    return path


@pytest.fixture
def rig(bundle: Path, tmp_path: Path) -> Iterator[Rig]:
    """The old home: a receiver where the old disk is."""
    with new_home(bundle, tmp_path) as rig:
        yield rig


def live_on(server: Shell) -> str:
    """Let some days pass at the new home; return what has to be there afterwards."""
    server("dd if=/dev/urandom of=/root/orders bs=1M count=6 status=none; useradd --create-home newcomer")
    server("rm -r /usr/share/common-licenses; echo launched >/etc/hostname; sync")
    return look_around(server)


def look_around(server: Shell) -> str:
    """Return what tells these days from the ones before."""
    return server(
        "sha256sum /root/orders; getent passwd newcomer; ls /home; cat /etc/hostname; ls -d /usr/share/common-licenses "
        "2>/dev/null || echo gone"
    )


def test_a_launched_server_goes_back_to_its_old_disk_and_boots_from_it(rig: Rig, old: Path, tmp_path: Path) -> None:
    image = source_image(RECIPE)
    with attached(old) as device:
        with running_on(image.disks, image.key, tmp_path / "launched") as server:
            told = server(paste(rig, "--max-freeze", str(MAX_FREEZE_S)))
            assert told.splitlines()[-1].startswith("The agent has joined")
            lived = live_on(server)
            assert "newcomer" in lived
            assert lived.endswith("launched\ngone\n")
            rig.await_source(SLOW_S)
            task_id = rig.create_task(syncing=False)
            said = adopt(rig, task_id, device, options=("--admin-file", str(rig.folder / "data/admin.json")))
            assert said.returncode == 0, said.stderr
            rig.plane.update_task_status(task_id, "start")
            rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", SLOW_S)
        figures = rig.plane.show_replication(task_id)
        assert 6 << 20 < figures.wire_bytes < MOST_SHARE * figures.used_bytes, figures
        assert figures.passes[-1].consistent
        assert judged_equal(rig, task_id, device)
        rig.programs["receiver"].terminate()
        with partitioned(device) as partitions:
            run(["e2fsck", "-fn", str(partitions[ROOT_PARTITION - 1])], timeout_s=300)
    with running_on((old,), image.key, tmp_path / "back") as server:
        assert look_around(server) == lived
        assert server("hostname") == "launched\n"
