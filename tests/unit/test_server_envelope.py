"""How refusals look: SMS's envelope, the 403, the gateway's, Keystone's."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from msgspec import json

from wherry.contract.catalogue import CATALOGUE
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.iam.refusals import PermissionMissing, Refusal, RefusalCodec
from wherry.ledger.errors import CommitFailed, LedgerClosed
from wherry.server.envelope import internal_error, refuse
from wherry.server.route import ErrorShape

CODEC = RefusalCodec(Fernet(Fernet.generate_key()))
REFUSAL = Refusal("sms:server:list", "sms::1:server:*", "user", "2", "eve", "1", "no policy allows it")


def shown(error: WherryError, shape: ErrorShape = ErrorShape.SMS) -> tuple[int, dict[str, Any]]:
    answer = refuse(error, "request-1", CODEC, shape)
    return answer.status, json.decode(answer.body)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_code_of_the_catalogue_has_an_envelope(code: str) -> None:
    status, body = shown(ApiError(code, "detail"))
    assert status == CATALOGUE[code].status
    assert body["error_code"] == code
    assert body["error_msg"].endswith("detail")
    assert body["cause"]
    assert body["fix"]
    assert ("request_id" in body) == code.startswith("APIGW.")


def test_a_403_carries_what_the_reference_says() -> None:
    status, body = shown(PermissionMissing(REFUSAL))
    assert status == 403
    assert body["error_code"] == "SMS.9004"
    assert len(body["error_msg"]) <= 255
    assert CODEC.decode(body["encoded_authorization_message"]).refusal == REFUSAL
    assert body["error_param"] == ["no permission for action sms:server:list on resource sms::1:server:*."]
    assert body["details"] == [{"error_code": "SMS.9004", "error_msg": body["error_param"][0]}]


def test_a_403_of_another_kind_has_all_fields_too() -> None:
    _, body = shown(ApiError("SMS.2248"))
    assert {"encoded_authorization_message", "error_param", "details"} <= set(body)


def test_messages_are_cut_to_their_limits() -> None:
    assert len(shown(ApiError("SMS.9001", "x" * 5000))[1]["error_msg"]) == 1024
    long = Refusal(**{**{name: getattr(REFUSAL, name) for name in Refusal.__slots__}, "resource": "r" * 5000})
    assert len(shown(PermissionMissing(long))[1]["error_msg"]) == 255


def test_keystones_shape() -> None:
    status, body = shown(ApiError("APIGW.0301", "wrong password", status=401), ErrorShape.KEYSTONE)
    assert status == 401
    assert body["error"]["code"] == 401
    assert body["error"]["title"] == "Unauthorized"
    assert "wrong password" in body["error"]["message"]


def test_a_failed_commit_is_a_500_with_cause_and_fix() -> None:
    status, body = shown(CommitFailed(reason="disk full"))
    assert (status, body["error_code"]) == (500, "WHERRY.5301")
    assert "disk full" in body["error_msg"]
    assert body["fix"]


def test_shutting_down_is_a_503_that_says_when_to_come_back() -> None:
    answer = refuse(LedgerClosed(), "request-1", CODEC, ErrorShape.SMS)
    assert answer.status == 503
    assert answer.headers["retry-after"]


def test_a_fault_tells_nothing_of_the_inside() -> None:
    status, body = shown(internal_error())
    assert (status, body["error_code"], body["request_id"]) == (500, "APIGW.0201", "request-1")
