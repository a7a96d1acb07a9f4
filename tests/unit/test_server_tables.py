"""Tables as files: what stands in the cells comes back, and is never a formula, whatever an agent calls its folders."""

import csv
import io
import re
import zipfile
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.server.tables import Cell, csv_file, xlsx_file

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(content: bytes) -> list[list[tuple[str | None, str]]]:
    """Return the type and the text of every cell of a workbook's sheet."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    return [[(cell.get("t"), "".join(cell.itertext())) for cell in row] for row in sheet.iter(f"{MAIN}row")]


def test_a_workbook_holds_texts_and_numbers() -> None:
    content = xlsx_file('Results "1" <&>', [["name", "计数"], [" a & <b> ", 7]])
    assert cells(content) == [
        [("inlineStr", "name"), ("inlineStr", "计数")],
        [("inlineStr", " a & <b> "), (None, "7")],
    ]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        workbook = ET.fromstring(archive.read("xl/workbook.xml"))
    assert [sheet.get("name") for sheet in workbook.iter(f"{MAIN}sheet")] == ['Results "1" <&>']


def test_the_same_table_is_the_same_file() -> None:
    assert xlsx_file("a", [["b"]]) == xlsx_file("a", [["b"]])


@given(text=st.text(max_size=200))
def test_any_text_makes_a_readable_workbook(text: str) -> None:
    ((kind, shown),) = cells(xlsx_file("a", [[text]]))[0]
    assert kind == "inlineStr"
    allowed = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    assert shown == allowed.replace("\r\n", "\n").replace("\r", "\n"), "a line's end is a line feed in XML"


@given(rows=st.lists(st.lists(st.text(alphabet="abc,;\"'\n é漢", max_size=9), min_size=2, max_size=2), max_size=5))
def test_csv_comes_back(rows: list[list[Cell]]) -> None:
    content = csv_file(rows)
    assert content.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == rows


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    content = csv_file([[text, -1]])
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [[f"'{text}", "-1"]]
    assert cells(xlsx_file("a", [[text]]))[0][0][0] == "inlineStr"
