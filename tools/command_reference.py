"""The reference of the command line, written from the commands themselves.

``python -m tools.command_reference`` writes ``docs/command-line-reference.md``. A unit test holds the page to the code.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cyclopts import App

from wherry.cli.main import app

WRITTEN: Final = Path(__file__).resolve().parent.parent / "docs" / "command-line-reference.md"
_HEAD: Final = """\
# Command line reference

Written by `python -m tools.command_reference` from the commands themselves; don't edit it.
[The command line](command-line.md) explains how they go together.
"""
# A default that means "not used" tells nobody anything.
_UNUSED: Final = re.compile(r' \*\[default: (?:""|False|0|0\.0|None)\]\*')


def commands(of: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Yield every command with the words that call it, groups before what they hold."""
    for name in of:
        if not name.startswith("-"):
            command = of[name]
            yield (*path, name), command
            yield from commands(command, (*path, name))


def render() -> str:
    """Return the page."""
    text = app.generate_docs(usage_name="wherry")
    _, _, text = text.partition("\n")
    text = told_alike(_UNUSED.sub("", text))
    return _HEAD + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def told_alike(text: str) -> str:
    """Return a help text without the module by which this program itself was started, which Cyclopts puts in."""
    return re.sub(r" -m [a-z_.]+", "", text)


if __name__ == "__main__":
    WRITTEN.write_text(render(), encoding="utf-8")
