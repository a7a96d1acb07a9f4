"""Errors that a person can act on, and how another program reads them."""

from hypothesis import given
from hypothesis import strategies as st

from wherry.errors import WherryError, read_explanation


class TooSlow(WherryError):
    code = "WHERRY.4009"
    template = "It takes {seconds:g} s."
    default_cause = "There is much to read."
    default_fix = "Allow more."


def test_an_error_is_explained_in_three_lines() -> None:
    error = TooSlow(seconds=9.5)
    assert error.message == "It takes 9.5 s."
    assert error.explain().splitlines() == [
        "WHERRY.4009: It takes 9.5 s.",
        "  cause: There is much to read.",
        "  fix:   Allow more.",
    ]
    assert list(error.facts.values()) == ["WHERRY.4009", "It takes 9.5 s.", "There is much to read.", "Allow more."]


def test_an_instance_may_know_better_than_its_class() -> None:
    error = TooSlow(seconds=1, cause="The disk is old.", fix="Replace it.")
    assert (error.cause, error.fix) == ("The disk is old.", "Replace it.")
    assert TooSlow(seconds=1).cause == "There is much to read."


line = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n"), max_size=80)


@given(message=line, cause=line, fix=line)
def test_what_was_explained_is_read_again(message: str, cause: str, fix: str) -> None:
    class Said(WherryError):
        code = "WHERRY.2001"

    assert read_explanation(Said(reason=message, cause=cause, fix=fix).explain()) == (
        "WHERRY.2001", message, cause, fix,
    )  # fmt: skip


@given(length=st.integers(0, 80))
def test_a_text_that_was_cut_off_is_read_as_far_as_it_goes(length: int) -> None:
    told = read_explanation(TooSlow(seconds=9.5).explain()[:length])
    assert told is None or "WHERRY.4009: It takes 9.5 s.".startswith(f"{told.code}: {told.message[:10]}")
    assert (told is None) == (length < len("WHERRY.4009: "))
