"""The pages of the reference that are written from the code are as the code is now."""

import ast
import re
from pathlib import Path

import wherry
from tools import api_reference, error_reference, settings_reference
from wherry.contract.catalogue import EVERY_ENTRY
from wherry.server.openapi import SHAPES

VARIABLE = re.compile(r"WHERRY_[A-Z_]+")


def test_the_error_codes_are_those_of_the_catalogue() -> None:
    assert error_reference.WRITTEN.read_text() == error_reference.render(), "run: python -m tools.error_reference"


def test_every_code_has_its_entry_once() -> None:
    headings = re.findall(r"^### (.*)$", error_reference.render(), re.MULTILINE)
    assert sorted(headings) == sorted(EVERY_ENTRY)


def test_the_settings_are_those_of_the_programs() -> None:
    written = settings_reference.WRITTEN.read_text()
    assert written == settings_reference.render(), "run: python -m tools.settings_reference"


def test_every_variable_of_the_environment_is_told() -> None:
    found = {
        node.value
        for path in Path(wherry.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value)
    }
    assert found == settings_reference.ENVIRONMENT.keys() | settings_reference.INTERNAL


def test_the_operations_are_those_of_the_contract() -> None:
    assert api_reference.WRITTEN.read_text() == api_reference.render(), "run: python -m tools.api_reference"


def test_every_operation_has_its_row_once() -> None:
    rows = re.findall(r"^\| ([A-Z][A-Za-z]+) \| `", api_reference.render(), re.MULTILINE)
    assert sorted(rows) == sorted(SHAPES)


def test_files_that_pages_name_are_there() -> None:
    root = api_reference.WRITTEN.parents[1]
    named = {
        (page.name, path)
        for page in (root / "docs").glob("*.md")
        for path in re.findall(r"`((?:tests|tools|bench|demo)/[\w/]+\.\w+)`", page.read_text())
    }
    assert len(named) > 20
    assert [f"{page}: {path}" for page, path in sorted(named) if not (root / path).exists()] == []
