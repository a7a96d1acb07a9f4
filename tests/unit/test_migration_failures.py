"""What an agent says of a failure, whatever it sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.errors import CODE
from wherry.migration.failures import failure_in_words, failure_of_result


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (b"{}", ("WHERRY.5603", ())),
        (b'"just text"', ("WHERRY.5603", ())),
        (b"[1]", ("WHERRY.5603", ())),
        (b'{"error_code": 7}', ("WHERRY.5603", ())),
        (b'{"error_code": "no code", "msg": "why"}', ("WHERRY.5603", ("why",))),
        (b'{"error_code": "WHERRY.4010", "msg": "why"}', ("WHERRY.4010", ("why",))),
        (b'{"error_code": "SMS.1201", "error_param": ["a", "b"]}', ("SMS.1201", ("a", "b"))),
        (b'{"error_code": "SMS.1201", "error_param": "plain"}', ("SMS.1201", ("plain",))),
        (b'{"error_code": "SMS.1201", "error_param": "[]"}', ("SMS.1201", ())),
        (b"[" * 100_000, ("WHERRY.5603", ())),
        (b'{"msg": "' + b"x" * 1000 + b'"}', ("WHERRY.5603", ("x" * 255,))),
    ],
)
def test_the_error_of_a_failure_is_taken_from_its_detail(detail: bytes, expected: tuple[str, tuple[str, ...]]) -> None:
    assert failure_of_result(detail) == expected


def test_words_that_begin_with_a_code_tell_message_cause_and_fix() -> None:
    words = "WHERRY.4009: A pass takes 9.1 s.\n  cause: It reads all.\n  fix:   Allow more."
    expected = ("A pass takes 9.1 s.", "It reads all.", "Allow more.")
    assert failure_in_words(words, "SMS.0007") == ("WHERRY.4009", expected)
    assert failure_in_words(words[:47], "SMS.0007") == ("WHERRY.4009", ("A pass takes 9.1 s.", "It re"))
    assert failure_in_words("WHERRY.4009: short", "SMS.0007") == ("WHERRY.4009", ("short",))


@given(st.text(max_size=300) | st.from_regex(r"[A-Z]{3}\.[0-9]{4}: .*", fullmatch=True))
def test_any_words_give_a_code_and_bounded_parameters(words: str) -> None:
    code, params = failure_in_words(words, "SMS.0007")
    assert CODE.fullmatch(code)
    assert len(params) <= 3
    assert all(0 < len(param) <= 255 for param in params)
