"""The help texts and the reference of every command, held to golden files."""

import io
import re

import pytest
from rich.console import Console

from tests.golden.compare import assert_golden
from tools import command_reference
from tools.command_reference import commands, told_alike
from wherry.cli.main import app

GROUPS = [name for name in app if not name.startswith("-")]


def help_of(*words: str) -> str:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=False, color_system=None, legacy_windows=False)
    app.help_print(list(words), console=console)
    return "".join(f"{line.rstrip()}\n" for line in told_alike(written.getvalue()).splitlines())


def test_the_list_of_commands() -> None:
    assert_golden("help/wherry.txt", help_of())


@pytest.mark.parametrize("group", GROUPS)
def test_the_help_of_each_command(group: str) -> None:
    found = [(group,), *(words for words, _ in commands() if words[0] == group and len(words) > 1)]
    assert_golden(f"help/{group}.txt", "\n".join(help_of(*words) for words in found))


def test_every_option_and_argument_is_explained() -> None:
    entries = re.findall(r"^\* `([^`]+)`(.*)$", command_reference.render(), re.MULTILINE)
    assert len(entries) > 100
    assert [name for name, text in entries if not re.match(r": \w", text)] == []


def test_the_reference_is_that_of_the_code() -> None:
    assert command_reference.WRITTEN.read_text() == command_reference.render(), (
        "write it anew: python -m tools.command_reference"
    )
