"""What the client makes of refusals, in whatever shape they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.client.errors import ControlPlaneError, refusal_of


def test_the_envelope_of_sms() -> None:
    body = b'{"error_code": "SMS.7602", "error_msg": "no such source", "cause": "deleted", "fix": "register"}'
    error = refusal_of(404, body, "r1")
    assert (error.code, error.message, error.status) == ("SMS.7602", "no such source", 404)
    assert (error.cause, error.fix, error.request_id) == ("deleted", "register", "r1")
    assert error.explain() == "SMS.7602: no such source\n  cause: deleted\n  fix:   register"


def test_the_envelope_of_a_403_with_its_params() -> None:
    body = (
        b'{"error_code": "SMS.9004", "error_msg": "no", "error_param": ["no permission for action a on resource r."]}'
    )
    assert refusal_of(403, body, "").params == ("no permission for action a on resource r.",)


def test_the_shape_of_keystone() -> None:
    error = refusal_of(401, b'{"error": {"code": 401, "message": "wrong password", "title": "Unauthorized"}}', "")
    assert (error.code, error.message) == ("401", "wrong password")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"", "status 502 without a text"),
        (b"[1, 2]", "[1, 2]"),
        (b"{}", "status 502 without a text"),
        (b'{"error_code": 5}', '{"error_code": 5}'),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_other_bodies_become_text(body: bytes, text: str) -> None:
    error = refusal_of(502, body, "")
    assert (error.code, error.message) == ("502", text)
    assert error.cause
    assert error.fix


@given(st.integers(300, 599), st.binary(max_size=200))
def test_any_answer_becomes_a_refusal(status: int, body: bytes) -> None:
    assert isinstance(refusal_of(status, body, ""), ControlPlaneError)


def test_braces_in_a_message_do_no_harm() -> None:
    assert refusal_of(400, b'{"error_code": "X.1", "error_msg": "got {reason}"}', "").message == "got {reason}"
