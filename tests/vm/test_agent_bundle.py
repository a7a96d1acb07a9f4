"""The agent's bundle on a server that is older than the machine it was built on, and that has no Python."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from demo.loopdisk import obstacle
from tests.system.disks_tracking_rig import check_filesystem
from tests.system.migration_rig import Rig
from tests.vm.chrooted import ChrootedServer
from tools.agent_bundle.bundle_file import read_bundle
from wherry.agent.tracking import Keeper
from wherry.process import ProgramFailed, run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

AGENT = "/opt/wherry-agent"
NOT_THE_AGENTS = ("wherry/server", "wherry/iam", "wherry/ledger", "wherry/receiver", "wherry/boot")
NOT_ITS_LIBRARIES = ("sqlalchemy", "uvicorn", "alembic", "psycopg", "cryptography", "argon2", "pytest", "qemu")

BUSY = "while :; do date > /var/now.new && mv /var/now.new /var/now; done"


@pytest.fixture
def server(old_server: ChrootedServer, bundle: Path) -> ChrootedServer:
    """The old server, with the bundle in it."""
    run(["cp", str(bundle), str(old_server.root / AGENT.lstrip("/"))])
    return old_server


def test_it_holds_the_agent_and_nothing_of_the_other_programs(bundle: Path) -> None:
    prefix = "lib/python3.11/site-packages/"
    held = {name.removeprefix(prefix) for name in read_bundle(bundle) if name.startswith(prefix)}
    assert {"wherry/agent/main.pyc", "wherry/disks/watchdog.pyc", "wherry/client/transport.pyc"} <= held
    for name in (*NOT_THE_AGENTS, *NOT_ITS_LIBRARIES):
        assert name not in held
        assert f"{name}.pyc" not in held


def test_it_brings_the_licences_of_what_it_holds(bundle: Path) -> None:
    held = {name.split("/")[1] for name in read_bundle(bundle) if name.startswith("licences/")}
    assert {"wherry", "numpy", "zstandard", "httpx", "python", "libc6", "libssl3"} <= held


def test_the_same_sources_make_the_same_file(bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run([sys.executable, "-m", "tools.agent_bundle", str(again)], timeout_s=600)
    assert again.read_bytes() == bundle.read_bytes()


def test_it_runs_where_neither_a_python_nor_its_c_library_is(server: ChrootedServer) -> None:
    with pytest.raises(ProgramFailed):
        server.run("/bin/sh", "-c", "command -v python3")
    assert "GLIBC 2.31" in server.run("ldd", "--version").splitlines()[0]
    assert server.run(AGENT, "--version").startswith("wherry-agent ")
    told = server.run(AGENT, "doctor", "--disk", str(server.disk.device))
    assert "channel ftrace: works" in told
    assert f"disk {server.disk.device}: works" in told


def test_nothing_is_left_of_it_whoever_runs_it(server: ChrootedServer) -> None:
    def remains() -> list[Path]:
        return [
            path for place in ("run", "tmp", "var/tmp", "dev/shm") for path in (server.root / place).glob("*agent*")
        ]

    mounts = Path("/proc/self/mountinfo").read_text
    before = mounts()
    server.run(AGENT, "--version")
    assert (remains(), mounts()) == ([], before)
    somebody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", AGENT, "--version")
    server.run(*somebody)
    assert (remains(), mounts()) == ([], before)
    # Where no folder in memory lets programs run, in mounts that nobody else sees.
    deny = "".join(
        f"mount -t tmpfs -o noexec,mode=1777 tmpfs {server.root}/{place} && " for place in ("run", "dev/shm")
    )
    run(["unshare", "--mount", "sh", "-c", f"{deny}exec {shlex.join(server.command(*somebody))}"])
    assert remains() == []


@pytest.fixture
def rig(server: ChrootedServer, shared: Path) -> Iterator[Rig]:
    """A rig whose agent is the bundle on the server, with all that it writes on the disk that it moves."""
    state = server.root / "var/lib/wherry-agent"
    state.mkdir()
    (shared / "agent").symlink_to("/var/lib/wherry-agent")
    rig = Rig(shared, server.disk.device, agent_command=server.command(AGENT))
    with subprocess.Popen(server.command("/bin/sh", "-c", BUSY)) as writer:
        try:
            yield rig
        finally:
            writer.kill()
            rig.end()
            if (state / "tracking").exists():
                Keeper(state).forget((state / "tracking").read_text())


def synchronising(rig: Rig, limit_s: int, frozen_hook: str) -> str:
    rig.agent_options = ("--max-freeze", str(limit_s), "--frozen-hook", frozen_hook)
    rig.start()
    task_id = rig.create_task(syncing=True)
    rig.plane.update_task_status(task_id, "start")
    rig.until("the synchronisation", lambda: rig.state(task_id) == "SYNCING", 120.0)
    return task_id


def until_success(rig: Rig, task_id: str) -> None:
    rig.until("the end", lambda: rig.state(task_id) == "MIGRATE_SUCCESS", 120.0)


def test_a_server_moves_that_it_runs_on_with_its_own_root_frozen(
    rig: Rig, server: ChrootedServer, shared: Path, tmp_path: Path
) -> None:
    # What the hook takes is the disk while everything on it stands still: the agent's own root, and its state.
    task_id = synchronising(rig, 30, f"cp --sparse=always {server.disk.image} {shared}/picture.img")
    rig.plane.update_task_status(task_id, "cutover")
    until_success(rig, task_id)
    figures = rig.plane.show_replication(task_id)
    assert rig.programs["agent"].words().count("thawed") == 1
    assert not figures.watchdog_fired
    assert figures.tracking.startswith("ftrace")
    assert [done.consistent for done in figures.passes].count(True) == 1
    proof = tmp_path / "proof.json"
    proof.write_bytes(msgspec.json.encode(rig.plane.show_proof(task_id)))
    copy = rig.images / task_id / "disk-0.raw"
    for image in (copy, shared / "picture.img"):
        judged = rig.wherry("verify", str(proof), str(image), "--ca-file", rig.admin.ca_file)
        assert judged.returncode == 0, judged.stdout + judged.stderr
    check_filesystem("ext4", copy, tmp_path / "mount")


def test_its_watchdog_thaws_the_root_when_the_agent_is_stuck(rig: Rig, server: ChrootedServer, shared: Path) -> None:
    stuck = shared / "stuck"
    once = f"test -e {stuck} || {{ touch {stuck}; kill -STOP $PPID; }}"
    task_id = synchronising(rig, 3, f"/bin/sh -c '{once}'")
    agent = rig.programs["agent"].process
    assert agent is not None
    rig.plane.update_task_status(task_id, "cutover")
    rig.until("the agent's stop", lambda: stopped(agent.pid))
    # While the root is frozen this waits, and nobody else is there who would thaw it.
    server.run("/bin/sh", "-c", "date >/var/written-after-the-thaw")
    assert stopped(agent.pid)
    agent.send_signal(signal.SIGCONT)
    until_success(rig, task_id)
    assert rig.programs["agent"].words().count('"expired": true') == 1


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")
