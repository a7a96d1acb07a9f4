"""Tables as files: what stands in the cells comes back, and is never a formula, whatever an agent calls its folders."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from wherry.server.tables import Cell, csv_file, xlsx_file

TEXT, NUMBER = "s", "n"


def cells(content: bytes) -> list[list[tuple[str, Cell]]]:
    """Return the type and the value of every cell of a workbook's sheet."""
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return [[(cell.data_type, cell.value) for cell in row] for row in sheet.iter_rows()]


def test_a_workbook_holds_texts_and_numbers() -> None:
    content = xlsx_file('Results "1" <&>', [["name", "计数"], [" a & <b> ", 7]])
    assert cells(content) == [[(TEXT, "name"), (TEXT, "计数")], [(TEXT, " a & <b> "), (NUMBER, 7)]]
    assert load_workbook(io.BytesIO(content)).sheetnames == ['Results "1" <&>']


def test_the_same_table_is_the_same_file() -> None:
    assert xlsx_file("a", [["b"]]) == xlsx_file("a", [["b"]])


@given(text=st.text(min_size=1, max_size=200))
def test_any_text_makes_a_readable_workbook(text: str) -> None:
    ((kind, shown),) = cells(xlsx_file("a", [[text]]))[0]
    assert kind == TEXT
    assert shown == re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


@given(rows=st.lists(st.lists(st.text(alphabet="abc,;\"'\n é漢", max_size=9), min_size=2, max_size=2), max_size=5))
def test_csv_comes_back(rows: list[list[Cell]]) -> None:
    content = csv_file(rows)
    assert content.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == rows


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    content = csv_file([[text, -1]])
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [[f"'{text}", "-1"]]
    assert cells(xlsx_file("a", [[text]]))[0][0][0] == TEXT
