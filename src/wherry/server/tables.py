"""Tables as files that people open: CSV and the spreadsheet format of Office (ECMA-376), of texts and numbers only.

What stands in the cells comes from agents, so nothing in them may ever be read as a formula.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import xlsxwriter

CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int

_BOM = "\ufeff"
"""Tells Excel that a CSV file is UTF-8."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONG_AGO = datetime(1980, 1, 1, tzinfo=UTC)
_MAX_CELL = 32767
"""Characters of a cell at most, by the format."""


def csv_file(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return *rows* as CSV (RFC 4180, UTF-8 with a mark). A text that a spreadsheet would run has a ``'`` before it."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([_inert(cell) for cell in row] for row in rows)
    return (_BOM + buffer.getvalue()).encode()


def xlsx_file(title: str, rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return *rows* as a workbook with one sheet called *title* (31 characters at most). Texts are never formulas."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        workbook.set_properties({"created": _LONG_AGO})  # so that the same rows are the same bytes
        sheet = workbook.add_worksheet(title)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                # By type, never by `write`, which takes a text that begins with "=" for a formula.
                if isinstance(cell, int):
                    sheet.write_number(row, column, cell)
                else:
                    sheet.write_string(row, column, _shown(cell))
    return buffer.getvalue()


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _shown(text: str) -> str:
    """Return *text* for XML 1.0, which knows no control characters: a replacement character stands for each."""
    return "".join(letter if _is_xml(letter) else "\ufffd" for letter in text[:_MAX_CELL])


def _is_xml(letter: str) -> bool:
    code = ord(letter)
    return letter in "\t\n" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
