"""The catalogue has every published code, and every code has a cause and a fix."""

import json
import re
from pathlib import Path

import pytest

from wherry.contract import (
    catalogue_access,
    catalogue_gateway,
    catalogue_service,
    catalogue_source,
    catalogue_target,
    catalogue_wherry,
)
from wherry.contract.catalogue import CATALOGUE
from wherry.contract.error_entry import ErrorEntry
from wherry.contract.errors import ApiError

PUBLISHED: dict[str, int | None] = json.loads(
    (Path(__file__).parent.parent / "contract" / "error_codes.json").read_text()
)


@pytest.mark.parametrize("code", PUBLISHED)
def test_every_published_code_is_there_with_its_status(code: str) -> None:
    entry = CATALOGUE[code]
    if PUBLISHED[code] is not None:
        assert entry.status == PUBLISHED[code]


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.code)
def test_every_entry_can_be_acted_on(entry: ErrorEntry) -> None:
    assert entry.message
    assert not entry.message.endswith(".")  # a detail may follow after a colon
    assert entry.cause.endswith(".")
    assert entry.fix.endswith(".")
    assert entry.status in {400, 401, 403, 404, 405, 409, 429, 500, 503}
    assert re.fullmatch(r"(SMS|APIGW|WHERRY|Common)\.\d{4}", entry.code)


def test_no_code_is_there_twice() -> None:
    modules = (
        *(catalogue_gateway, catalogue_service, catalogue_source, catalogue_target, catalogue_wherry),
        catalogue_access,
    )
    codes = [entry.code for module in modules for entry in module.ENTRIES]
    assert len(codes) == len(set(codes)) == len(CATALOGUE)


def test_an_error_carries_the_texts_of_its_entry_and_the_detail() -> None:
    error = ApiError("SMS.7602", "abc", params=("abc",))
    entry = CATALOGUE["SMS.7602"]
    assert (error.status, error.cause, error.fix, error.params) == (404, entry.cause, entry.fix, ("abc",))
    assert error.message == f"{entry.message}: abc"


def test_an_error_may_have_a_status_of_its_own() -> None:
    assert ApiError("APIGW.0201", status=413).status == 413
