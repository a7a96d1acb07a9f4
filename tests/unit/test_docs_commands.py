"""Every `wherry` command on the pages of docs/ is a command with options that exist."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import CycloptsError, MissingArgumentError

from wherry.cli.main import app

ROOT = Path(__file__).parents[2]
# Decisions tell what was true when they were made; the reference is generated.
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if page.stem != "command-line-reference"
]
BLOCK = re.compile(r"^(?P<indent> *)```(?:sh|console)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^[#$]? *|(?:&&|\|\||until|if) +)wherry (?P<words>.*)")


def commands_of(page: str) -> Iterator[list[str]]:
    """Yield the words behind `wherry` of each command in the shell's blocks of a page."""
    for block in BLOCK.finditer(page):
        for line in re.sub(r"\\\n", " ", block["text"]).splitlines():
            for words in re.split(r"(?<=&& )(?=wherry )", line.strip()):
                if found := COMMAND.search(words):
                    yield until_end(found["words"])


def until_end(words: str) -> list[str]:
    """Return the words up to where the shell's own signs begin: a pipe, a redirection, the next command."""
    lexer = shlex.shlex(re.sub(r" 2>.*", "", words), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: not set(word) <= set("&|;<>()"), lexer))


def fault_of(words: list[str]) -> str:
    """Return what is wrong with a command, "" when nothing is. What "..." stands for is supposed to be there."""
    _, apps, _ = app.parse_commands(words)
    if apps[-1].default_command is None:
        return "no such command"
    try:
        app.parse_args([word for word in words if word != "..."], exit_on_error=False, print_error=False)
    except MissingArgumentError as fault:
        return "" if "..." in words else str(fault)
    except CycloptsError as fault:
        return str(fault)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    faults = {shlex.join(words): fault for words in commands_of(page.read_text()) if (fault := fault_of(words))}
    assert faults == {}


def test_commands_are_found() -> None:
    found = [words for page in PAGES for words in commands_of(page.read_text())]
    assert len(found) > 50
    assert ["source", "list", "--admin-file", "server/admin.json"] in found


@pytest.mark.parametrize("command", ["task create web --begin", "task erase web", "source"])
def test_wrong_ones_are_noticed(command: str) -> None:
    page = f"```sh\nwherry {command}\n```\n"
    assert [bool(fault_of(words)) for words in commands_of(page)] == [True]
