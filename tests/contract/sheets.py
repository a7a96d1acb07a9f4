"""Reading spreadsheets (ECMA-376) as far as the tests meet them: one sheet of texts and numbers."""

import io
import zipfile
from xml.etree import ElementTree as ET

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet_of(content: bytes) -> list[list[str | int]]:
    """Return the rows of the first sheet of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"} <= set(archive.namelist())
        for name in archive.namelist():
            ET.fromstring(archive.read(name))
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    return [[_cell(cell) for cell in row] for row in sheet.iter(f"{_MAIN}row")]


def _cell(cell: ET.Element) -> str | int:
    if cell.get("t") == "inlineStr":
        return cell.findtext(f"{_MAIN}is/{_MAIN}t") or ""
    return int(cell.findtext(f"{_MAIN}v") or "")
