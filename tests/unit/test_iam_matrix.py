"""The authorisation matrix covers all operations, agrees with the routes, and is what the document shows."""

from pathlib import Path

from wherry.contract.operations import OPERATIONS
from wherry.iam.document import render
from wherry.iam.matrix import ANONYMOUS, NAMED_BY_THE_BODY, Answer, Caller, answer, matrix, names
from wherry.iam.permissions import ACCESS_OPERATIONS, ECS_OPERATIONS, SMS_OPERATIONS, WHERRY_OPERATIONS
from wherry.server.routes import ROUTES

WRITTEN = Path(__file__).parent.parent.parent / "docs" / "authorization.md"
REFUSED = Answer(403, "SMS.9004")


def test_the_document_is_up_to_date() -> None:
    assert WRITTEN.read_text() == render(), "run: python -m wherry.iam.document > docs/authorization.md"


def test_every_operation_and_every_caller_has_a_cell() -> None:
    whole = matrix()
    assert set(whole) == set(OPERATIONS)
    assert len(whole) == 49
    assert all(set(row) == set(Caller) for row in whole.values())


def test_what_asks_nobody_who_he_is_are_the_anonymous_routes() -> None:
    assert {route.operation for route in ROUTES if route.anonymous and route.operation in OPERATIONS} == ANONYMOUS


def test_what_the_body_names_has_a_body_and_no_parameter() -> None:
    for operation in NAMED_BY_THE_BODY:
        assert OPERATIONS[operation].body is not None
        assert "{" not in OPERATIONS[operation].path
    for operation, shape in OPERATIONS.items():
        assert ("{" in shape.path and operation not in ANONYMOUS) <= bool(names(operation))


def test_some_cells_by_hand() -> None:
    for operation, caller, expected in (
        ("ListServers", Caller.READ_ONLY, Answer(200)),
        ("DeleteServer", Caller.READ_ONLY, REFUSED),
        ("DeleteServer", Caller.CUSTOM_DENY, REFUSED),
        ("DeleteTasks", Caller.CUSTOM_DENY, REFUSED),
        ("ShowServer", Caller.CUSTOM_DENY, Answer(200)),
        ("ShowCommand", Caller.READ_ONLY, REFUSED),
        ("ShowCommand", Caller.OWN_AGENT, Answer(200)),
        ("ShowCommand", Caller.OTHER_AGENT, REFUSED),
        ("ListServers", Caller.OWN_AGENT, REFUSED),
        ("ShowConfig", Caller.OTHER_AGENT, Answer(200)),
        ("ShowTask", Caller.OTHER_ACCOUNT, Answer(404, "SMS.7703")),
        ("ListTasks", Caller.OTHER_ACCOUNT, Answer(200)),
        ("RegisterServer", Caller.EXPIRED, Answer(401, "APIGW.0307")),
        ("ListApiVersion", Caller.NOBODY, Answer(200)),
        ("ShowPrivacyAgreements", Caller.NOBODY, Answer(401, "APIGW.0301")),
    ):
        assert answer(operation, caller) == expected, (operation, caller)


def test_the_document_names_every_operation_and_action() -> None:
    text = render()
    for name, rule in {**SMS_OPERATIONS, **WHERRY_OPERATIONS, **ACCESS_OPERATIONS, **ECS_OPERATIONS}.items():
        assert f"| **{name}** |" in text
        assert not rule.action or f"`{rule.action}`" in text or name in ANONYMOUS
