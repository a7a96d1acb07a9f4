"""The one command that an operator pastes, run on an old server by its own shell: fetch, check, install, start."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.loopdisk import obstacle
from tests.contract.running import Server, running_server
from tests.system.migration_rig import WHERRY
from tests.vm.chrooted import ChrootedServer
from tests.vm.waiting import until
from wherry.process import ProgramFailed, run

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(obstacle()), reason=obstacle())]

# Does what systemd would do with the unit, as far as the script asks for it.
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/run/systemctl.log
case $* in
*is-active*) kill -0 "$(cat /run/agent.pid)" ;;
restart*)
    set -a
    . /etc/wherry-agent/agent.conf
    line=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/wherry-agent.service | sed 's/[$][$]/$/g')
    eval "setsid $line </dev/null >/run/agent.log 2>&1 &"
    echo $! >/run/agent.pid
    ;;
esac
"""


@pytest.fixture
def plane(bundle: Path, tmp_path: Path) -> Iterator[Server]:
    """A control plane of its own for each test: to one, all the old servers would be the same machine."""
    with running_server(tmp_path / "data", options=["--agent-bundle", str(bundle)]) as server:
        yield server


@pytest.fixture
def command(plane: Server) -> str:
    """A new command for one server."""
    return made_command(plane)


def made_command(plane: Server) -> str:
    words = ["token", "create", "--admin-file", str(plane.data / "admin.json"), "--role", "agent", "--command"]
    return run([str(WHERRY), *words]).decode().strip()


@pytest.fixture
def under_systemd(old_server: ChrootedServer) -> Iterator[ChrootedServer]:
    (old_server.root / "run/systemd/system").mkdir(parents=True)
    systemctl = old_server.root / "usr/bin/systemctl"
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)
    yield old_server
    end_agent(old_server)


def agent_of(server: ChrootedServer) -> int:
    return int((server.root / "run/agent.pid").read_text())


def end_agent(server: ChrootedServer) -> None:
    if (server.root / "run/agent.pid").exists():
        os.kill(agent_of(server), signal.SIGTERM)
        until(lambda: not Path(f"/proc/{agent_of(server)}").exists())


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:o}"


def without(server: ChrootedServer, program: str) -> None:
    (server.root / "usr/bin" / program).unlink()


@pytest.mark.parametrize("absent", ["curl", "wget"])
def test_one_command_installs_the_agent_and_tells_how_to_start_it(
    absent: str, old_server: ChrootedServer, plane: Server, command: str, bundle: Path
) -> None:
    without(old_server, absent)
    told = old_server.run("/bin/sh", "-c", command).splitlines()
    installed = old_server.root / "usr/local/bin/wherry-agent"
    assert installed.read_bytes() == bundle.read_bytes()
    assert mode(installed) == "755"
    settings = old_server.root / "etc/wherry-agent"
    assert (settings / "ca.pem").read_text() == plane.ca_file.read_text()
    assert [mode(settings), mode(settings / "token")] == ["700", "600"]
    assert (settings / "token").read_text().strip() in command
    with (old_server.root.parent / "log").open("wb") as log:
        words = [*told[-1].split(), "--disk", str(old_server.disk.device), "--name", f"without-{absent}"]
        with subprocess.Popen(old_server.command(*words), stdout=log, stderr=log) as agent:
            try:
                with plane.control_plane() as asked:
                    until(lambda: f"without-{absent}" in {found.name for found in asked.list_servers().source_servers})
            finally:
                agent.terminate()
    assert agent.returncode == 0


def test_where_systemd_is_the_agent_runs_by_it_and_the_token_is_gone(
    under_systemd: ChrootedServer, plane: Server, command: str
) -> None:
    options = f" --disk {under_systemd.disk.device} --name by-systemd"
    told = under_systemd.run("/bin/sh", "-c", command.replace(plane.endpoint + ")", plane.endpoint + options + ")"))
    assert told.splitlines()[-1] == f"The agent has joined {plane.endpoint} and runs."
    assert not (under_systemd.root / "etc/wherry-agent/token").exists()
    with plane.control_plane() as asked:
        until(lambda: "by-systemd" in {found.name for found in asked.list_servers().source_servers})
    asked_for = (under_systemd.root / "run/systemctl.log").read_text().splitlines()
    assert asked_for[:3] == ["daemon-reload", "--quiet enable wherry-agent", "restart wherry-agent"]


def test_a_server_that_has_joined_is_renewed_without_a_token(
    under_systemd: ChrootedServer, plane: Server, command: str
) -> None:
    under_systemd.run("/bin/sh", "-c", command)
    identity = under_systemd.root / "var/lib/wherry-agent/credentials.json"
    before = identity.read_text()
    (under_systemd.root / "usr/local/bin/wherry-agent").write_text("an older one")
    end_agent(under_systemd)
    with plane.control_plane() as asked:
        (under_systemd.root / "script").write_bytes(asked.join_script())
    under_systemd.run("/bin/sh", "/script", plane.endpoint)
    assert identity.read_text() == before
    assert Path(f"/proc/{agent_of(under_systemd)}").exists()


@pytest.mark.parametrize("converted", [False, True])
def test_a_copy_of_the_server_joins_anew(
    under_systemd: ChrootedServer, plane: Server, command: str, *, converted: bool
) -> None:
    under_systemd.run("/bin/sh", "-c", command)
    end_agent(under_systemd)
    identity = under_systemd.root / "var/lib/wherry-agent/credentials.json"
    before = json.loads(identity.read_text())
    if converted:
        (under_systemd.root / "etc/systemd/system/wherry-agent.service").unlink()
    else:
        settings = under_systemd.root / "etc/wherry-agent/agent.conf"
        settings.write_text(settings.read_text().replace("WHERRY_MACHINE=", "WHERRY_MACHINE=another"))
    told = under_systemd.run("/bin/sh", "-c", made_command(plane))
    assert told.splitlines()[-1].startswith("The agent has joined")
    now = json.loads(identity.read_text())
    assert now["access_key"] != before["access_key"]


def test_a_copy_of_the_server_stays_off(under_systemd: ChrootedServer, command: str) -> None:
    under_systemd.run("/bin/sh", "-c", command)
    end_agent(under_systemd)
    settings = under_systemd.root / "etc/wherry-agent/agent.conf"
    lines = settings.read_text().splitlines()
    settings.write_text("\n".join(["WHERRY_MACHINE=another", *lines[1:]]) + "\n")
    under_systemd.run("systemctl", "restart", "wherry-agent")
    until(lambda: "disable wherry-agent" in (under_systemd.root / "run/systemctl.log").read_text())
    assert "copy of the server" in (under_systemd.root / "run/agent.log").read_text()
    (under_systemd.root / "run/agent.pid").unlink()


def test_what_is_not_the_agent_is_not_installed(old_server: ChrootedServer, plane: Server) -> None:
    with plane.control_plane() as asked:
        script = asked.join_script()
    digest = hashlib.sha256(b"another agent").hexdigest()
    named = next(line for line in script.splitlines() if line.startswith(b"agent_digest="))
    (old_server.root / "script").write_bytes(script.replace(named, f"agent_digest={digest}".encode()))
    with pytest.raises(ProgramFailed, match="is not the agent"):
        old_server.run("/bin/sh", "/script", plane.endpoint, stdin=b"token\n")
    assert list((old_server.root / "usr/local/bin").iterdir()) == []


def test_only_a_holder_of_the_authoritys_certificate_is_asked(old_server: ChrootedServer, plane: Server) -> None:
    with plane.control_plane() as asked:
        (old_server.root / "script").write_bytes(asked.join_script())
    # Its certificate doesn't hold this name.
    stranger = plane.endpoint.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(ProgramFailed, match="cannot be fetched"):
        old_server.run("/bin/sh", "/script", stranger, stdin=b"token\n")


@pytest.mark.parametrize("option", ['--name "two words"', "--name $HOME", "--name back\\slash"])
def test_options_that_a_unit_would_read_as_something_else_are_refused(
    option: str, old_server: ChrootedServer, plane: Server
) -> None:
    with plane.control_plane() as asked:
        (old_server.root / "script").write_bytes(asked.join_script())
    with pytest.raises(ProgramFailed, match="cannot stand in options"):
        old_server.run("/bin/sh", "/script", plane.endpoint, option, stdin=b"token\n")
    assert not (old_server.root / "etc/wherry-agent").exists()


def test_no_token_no_installation(old_server: ChrootedServer, plane: Server) -> None:
    with plane.control_plane() as asked:
        (old_server.root / "script").write_bytes(asked.join_script())
    with pytest.raises(ProgramFailed, match="a join token is needed"):
        old_server.run("/bin/sh", "/script", plane.endpoint)
