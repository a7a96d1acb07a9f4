"""The reference of all error codes, written from the catalogue.

``python -m tools.error_reference`` writes ``docs/error-codes.md``. A unit test holds the page to the catalogue.
"""

from pathlib import Path
from typing import Final

from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.error_entry import ErrorEntry, ProgramEntry
from wherry.server.error_pages import FAMILIES

WRITTEN: Final = Path(__file__).resolve().parent.parent / "docs" / "error-codes.md"
_HEAD: Final = """\
# Error codes

Written by `python -m tools.error_reference` from the catalogue; don't edit it.

Every error has a code, a cause and a fix, the same in the API, on the terminal, in the console and in the log. A
running control plane explains each at `/errors/CODE`, and lists all at `/errors`, for programs as JSON. In a message,
`<name>` stands for what each case fills in. A code without an HTTP status isn't the answer to a request: it stands in a
log, on a terminal, or in a task. One that only ever stands in a task or in a check has 400.
"""


def render() -> str:
    """Return the page."""
    sections = [_HEAD]
    for beginning, title in FAMILIES:
        found = sorted(code for code in EVERY_ENTRY if code.startswith(beginning))
        if found:
            sections.append(f"## {title}\n\n" + "\n".join(_entry(EVERY_ENTRY[code]) for code in found))
    return "\n".join(sections)


def _entry(entry: ErrorEntry | ProgramEntry) -> str:
    status = f" (HTTP {entry.status})" if isinstance(entry, ErrorEntry) else ""
    return (
        f"### {entry.code}\n\n**{_prose(entry.message)}**{status}\n\n"
        f"- Cause: {_prose(entry.cause)}\n- Fix: {_prose(entry.fix)}\n"
    )


def _prose(text: str) -> str:
    """Return *text* as Markdown that shows its signs as they are; what stands between backticks stays code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return _plain(text.replace("`", "'"))
    return "`".join(piece if place % 2 else _plain(piece) for place, piece in enumerate(pieces))


def _plain(text: str) -> str:
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("*", r"\*"), ("[", r"\["), ("_", r"\_")):
        text = text.replace(sign, shown)
    return text


if __name__ == "__main__":
    WRITTEN.write_text(render(), encoding="utf-8")
