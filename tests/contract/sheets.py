"""Reading spreadsheets: one sheet of texts and numbers."""

import io

from openpyxl import load_workbook


def sheet_of(content: bytes) -> list[list[str | int]]:
    """Return the rows of the first sheet of a workbook."""
    return [list(row) for row in load_workbook(io.BytesIO(content)).worksheets[0].iter_rows(values_only=True)]
