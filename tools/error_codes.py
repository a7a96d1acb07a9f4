"""The errors of all programs as the control plane's error pages show them, written from their classes.

``python -m tools.error_codes`` writes ``src/wherry/contract/program_errors.json``. The control plane may import neither
the agent nor the receiver nor what they stand on, so that it reads what this wrote. A unit test holds the file to the
classes.
"""

import importlib
import inspect
import json
import pkgutil
import string
from collections.abc import Iterator
from pathlib import Path

import wherry
from wherry.errors import WherryError

WRITTEN = Path(wherry.__path__[0]) / "contract" / "program_errors.json"
_NOT_TO_IMPORT = "wherry.ledger.migrations."  # Alembic runs them; they do things when they are imported


def error_classes() -> list[type[WherryError]]:
    """Return every error of Wherry that has a code of its own, in the order of the codes."""
    return sorted((each for each in all_classes() if "code" in vars(each)), key=lambda each: each.code)


def all_classes() -> set[type[WherryError]]:
    """Return every error of Wherry, those too that carry the codes of other errors."""
    for module in pkgutil.walk_packages(wherry.__path__, "wherry."):
        if not module.name.startswith(_NOT_TO_IMPORT):
            importlib.import_module(module.name)
    return {each for each in _below(WherryError) if each.__module__.startswith("wherry.")}


def render() -> str:
    """Return the file."""
    entries = [
        {
            "code": each.code,
            "message": message(each),
            "cause": each.default_cause,
            "fix": each.default_fix,
        }
        for each in error_classes()
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def message(error: type[WherryError]) -> str:
    """Return what the error says, with ``<name>`` for what each case fills in.

    Where that is all of it, what the class says of itself.
    """
    pieces = list(string.Formatter().parse(error.template))
    if not any(text.strip() for text, *_ in pieces):
        return (inspect.getdoc(error) or "").partition("\n")[0].removesuffix(".")
    filled = "".join(text + (f"<{field}>" if field else "") for text, field, *_ in pieces)
    return filled.removesuffix(".")


def _below(error: type[WherryError]) -> Iterator[type[WherryError]]:
    for each in error.__subclasses__():
        yield each
        yield from _below(each)


if __name__ == "__main__":
    WRITTEN.write_text(render(), encoding="utf-8")
