"""How commands answer: tables and texts for people, JSON for programs. Both go to standard output.

What comes from servers, agents and other users is shown without control characters, which a terminal would obey.
"""

import json as standard_json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

PIPE_WIDTH: Final = 1000
"""Width of the output, in characters, where it's no terminal: nothing is cut off or folded."""
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def show(value: object, *rendered: RenderableType, json: bool) -> None:
    """Print *value* as JSON, or what's *rendered* of it for people, with an empty line between two parts."""
    if json:
        sys.stdout.write(as_json(value))
        return
    to = console()
    for number, part in enumerate(rendered):
        if number:
            to.print()
        to.print(part)


def as_json(value: object) -> str:
    """Return *value* (structs, or plain data) as indented JSON, with a line feed at its end.

    Control characters that JSON lets pass (DEL, C1) are escaped too, so that a terminal never sees them.
    """
    plain = msgspec.json.decode(msgspec.json.encode(value))
    text = standard_json.dumps(plain, indent=2, ensure_ascii=False)
    return "".join(sign if sign.isprintable() or sign in "\n " else _escaped(sign) for sign in text) + "\n"


def console(width: int | None = None) -> Console:
    """Return where people read: as wide as the terminal, or wide enough for everything."""
    return Console(
        highlight=False, soft_wrap=True, width=width if width or sys.stdout.isatty() else PIPE_WIDTH, markup=False
    )


@dataclass(frozen=True)  # with slots, Column[T](...) of Python 3.11 fails
class Column(Generic[T]):
    """A column of a table of *T*: its heading, and what stands in it."""

    heading: str
    read: Callable[[T], object]
    numeric: bool = False


def table(columns: Sequence[Column[T]], rows: Iterable[T]) -> Table:
    """Return a table, a line an item."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column.heading, justify="right" if column.numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell(column.read(row)) for column in columns))
    return made


def facts(*pairs: tuple[str, object]) -> Table:
    """Return what is known of one thing, a fact a line; what isn't known (None, empty) is left out."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            made.add_row(name, cell(value))
    return made


def cell(value: object) -> Text:
    """Return *value* as it stands in a table."""
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(printable(str(value)))


def printable(text: str) -> str:
    """Return *text* with a sign in place of each character that a terminal would obey."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def moment(ms: int | None) -> str:
    """Return a moment (epoch milliseconds) in this machine's time zone; empty for None and 0."""
    if not ms:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int | None) -> str:
    """Return a number of bytes in words; empty for None."""
    if count is None:
        return ""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def _escaped(sign: str) -> str:
    return standard_json.dumps(sign)[1:-1] if ord(sign) > 0x7F else f"\\u{ord(sign):04x}"
