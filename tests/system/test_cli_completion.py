"""Shell completion: installed by the command itself, and asked by a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _wherry; printf "%s\\n" "${COMPREPLY[@]}"'


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("completion")
    made = {}
    for shell in ("bash", "zsh", "fish"):
        made[shell] = folder / shell
        command = [sys.executable, "-c", "from wherry.cli.main import main; main()", "--install-completion"]
        subprocess.run(
            [*command, "--shell", shell, "--output", str(made[shell])],
            env={**os.environ, "HOME": str(folder)}, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["so"], {"source"}),
        (["source", ""], {"list", "show", "rename", "move", "delete", "overview", "errors"}),
        (["receiver", "li"], {"list"}),
        (["task", "list", "--sta"], {"--state"}),
        (["task", "list", "--state", "SYNC"], {"SYNCING", "SYNC_SUCCESS", "SYNC_FAIL"}),
        (["agent", "doc"], {"doctor"}),
    ],
)
def test_bash_is_offered_what_fits(scripts: dict[str, Path], typed: list[str], offered: set[str]) -> None:
    command = ["bash", "-c", ASK, "bash", str(scripts["bash"]), "wherry", *typed]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert offered <= set(asked.stdout.split()), asked


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_others_know_the_commands_too(scripts: dict[str, Path], shell: str) -> None:
    script = scripts[shell].read_text()
    for word in ("source", "cutover", "roll-back", "audit"):
        assert word in script, word
