"""The command that installs an agent, run by a real shell with programs that play the network."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from wherry.contract.install_command import install_command

SCRIPT = b'read token; echo "$1 got $token"\n'
NETWORK = """#!/bin/sh
echo "$0 $*" >> {log}
while [ $# -gt 1 ]; do
    case $1 in -o | -O) cp {script} "$2" ;; esac
    shift
done
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only programs there are: those of the shell's own world, without curl and wget."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("mktemp", "rm", "cp", "sha256sum", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def play(programs: Path, name: str, script: bytes) -> None:
    served = programs.parent / "served"
    served.write_bytes(script)
    player = programs / name
    player.write_text(NETWORK.format(log=programs.parent / "log", script=served))
    player.chmod(0o755)


def run(programs: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(programs), "TMPDIR": str(programs.parent)}
    return subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", ["curl", "wget"])
def test_the_script_runs_with_the_token_on_its_input(name: str, programs: Path) -> None:
    play(programs, name, SCRIPT)
    done = run(programs, install_command("https://control.example:8443/", SCRIPT, "the-token"))
    assert (done.returncode, done.stdout) == (0, "https://control.example:8443 got the-token\n")
    asked = (programs.parent / "log").read_text()
    assert "https://control.example:8443/wherry/v1/join-script" in asked
    assert "the-token" not in asked
    assert list(programs.parent.glob("tmp.*")) == []


def test_another_script_is_not_run(programs: Path) -> None:
    play(programs, "curl", SCRIPT + b"echo and something else\n")
    done = run(programs, install_command("https://control.example:8443", SCRIPT, "the-token"))
    assert done.returncode != 0
    assert done.stdout == ""


def test_a_failure_of_the_script_is_one_of_the_command(programs: Path) -> None:
    failing = b"read token; exit 7\n"
    play(programs, "curl", failing)
    assert run(programs, install_command("https://control.example", failing, "token")).returncode == 7


def test_the_digest_is_the_scripts_own() -> None:
    assert hashlib.sha256(SCRIPT).hexdigest() in install_command("https://control.example", SCRIPT, "token")
