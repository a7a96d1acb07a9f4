"""Tables as files that people open: CSV and the spreadsheet format of Office (ECMA-376), of texts and numbers only.

What stands in the cells comes from agents, so nothing in them may ever be read as a formula.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int

_BOM = "\ufeff"
"""Tells Excel that a CSV file is UTF-8."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_MAX_CELL = 32767
"""Characters of a cell at most, by the format."""

_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS: Final = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="'
        'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="'
        'application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONSHIPS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONSHIPS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def csv_file(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return *rows* as CSV (RFC 4180, UTF-8 with a mark). A text that a spreadsheet would run has a ``'`` before it."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([_inert(cell) for cell in row] for row in rows)
    return (_BOM + buffer.getvalue()).encode()


def xlsx_file(title: str, rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return *rows* as a workbook with one sheet called *title* (31 characters at most). Texts are never formulas."""
    name = escape(title, {'"': "&quot;"})
    workbook = (
        f'<workbook xmlns="{_NAMESPACE}" xmlns:r="{_RELATIONSHIPS}">'
        f'<sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    sheet = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    parts = {
        **_PARTS,
        "xl/workbook.xml": workbook,
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_NAMESPACE}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in parts.items():
            archive.writestr(zipfile.ZipInfo(path, _LONG_AGO), _HEAD + text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _cell(cell: Cell) -> str:
    if isinstance(cell, int):
        return f"<c><v>{cell}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{_xml_text(cell)}</t></is></c>'


def _xml_text(text: str) -> str:
    """Return *text* for XML 1.0, which knows no control characters: a replacement character stands for each."""
    shown = "".join(letter if _is_xml(letter) else "\ufffd" for letter in text[:_MAX_CELL])
    return escape(shown)


def _is_xml(letter: str) -> bool:
    code = ord(letter)
    return letter in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
