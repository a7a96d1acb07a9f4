"""Every error of every program is in the catalogue that the control plane shows, once, with a cause and a fix."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tools.error_codes import WRITTEN, all_classes, error_classes, render
from wherry.contract import catalogue_programs
from wherry.contract.catalogue import CATALOGUE
from wherry.contract.error_entry import ProgramEntry
from wherry.errors import WherryError

SOURCE = Path(__file__).parents[2] / "src" / "wherry"

CARRIES_OTHERS = {
    "ApiError",
    "AuthenticationFailed",
    "BodyTooLarge",
    "ControlPlaneError",
    "KeystoneAway",
    "PeerRefused",
    "PermissionMissing",
    "SignatureMismatch",
    "TargetOutgrown",
    "Undeliverable",
}
"""Errors whose instances have the code of the catalogue, or of the other side's error."""

RANGES = {
    "disks": "1",
    "replication": "2",
    "receiver": "3",
    "agent": "4",
    "client": "52",
    "iam": "51",
    "ledger": "53",
    "server": "54",
    "cli": "6",
    "process": "9",
}
"""With what the numbers of each room begin."""


def test_the_catalogue_is_what_the_classes_say() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == render(), "run: python -m tools.error_codes"


def test_every_error_has_a_code_or_is_known_to_carry_others() -> None:
    assert {each.__name__ for each in all_classes() - set(error_classes())} == CARRIES_OTHERS


def test_no_code_is_there_twice() -> None:
    counted = Counter([each.code for each in error_classes()] + list(CATALOGUE))
    assert [code for code, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.code)
def test_an_error_has_its_rooms_number_and_texts_of_its_own(error: type[WherryError]) -> None:
    room = error.__module__.split(".")[1]
    assert error.code.startswith(f"WHERRY.{RANGES.get(room, '')}")
    assert re.fullmatch(r"WHERRY\.\d{4}", error.code)
    assert error.default_cause != WherryError.default_cause
    assert error.default_fix != WherryError.default_fix


@pytest.mark.parametrize("entry", catalogue_programs.ENTRIES, ids=lambda entry: entry.code)
def test_every_entry_can_be_acted_on(entry: ProgramEntry) -> None:
    assert entry.message.strip()
    assert not set("{}") & set(entry.message)
    assert entry.cause.endswith(".")
    assert entry.fix.endswith(".")


def test_every_code_that_is_named_anywhere_is_known() -> None:
    known = {*CATALOGUE, *(each.code for each in error_classes()), WherryError.code}
    named = {
        code
        for path in SOURCE.rglob("*.py")
        for code in re.findall(r"\bWHERRY\.\d{4}\b", path.read_text(encoding="utf-8"))
    }
    assert named - known == set()
