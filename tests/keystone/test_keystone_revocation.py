"""Ending a token of Keystone's through the control plane, and what Keystone's users can't have here."""

from tests.contract.running import Raw
from tests.keystone.conftest import LogIn


def test_a_user_ends_his_token(raw: Raw, log_in: LogIn) -> None:
    ending, other = log_in("member-of-alpha", "alpha"), log_in("member-of-alpha", "alpha")
    assert raw.by_token(ending, "GET", "/v3/sources").status_code == 200
    answer = raw.by_token(other, "DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": ending})
    assert (answer.status_code, answer.content) == (204, b"")
    assert raw.by_token(ending, "GET", "/v3/sources").status_code == 401
    assert raw.by_token(other, "GET", "/v3/sources").status_code == 200


def test_nobody_ends_the_token_of_somebody_else(raw: Raw, log_in: LogIn) -> None:
    subject = log_in("member-of-alpha", "alpha")
    answer = raw.by_token(
        log_in("reader-of-alpha", "alpha"), "DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": subject}
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == 403
    assert raw.by_token(subject, "GET", "/v3/sources").status_code == 200


def test_a_key_cannot_end_tokens_of_keystone(raw: Raw, log_in: LogIn) -> None:
    headers = {"x-subject-token": log_in("member-of-alpha", "alpha")}
    assert raw.signed("DELETE", "/v3/auth/tokens", headers=headers).status_code == 400


def test_users_of_keystone_get_no_temporary_keys(raw: Raw, log_in: LogIn) -> None:
    body = {"auth": {"identity": {"methods": ["token"], "token": {}}}}
    answer = raw.by_token(log_in("admin-of-alpha", "alpha"), "POST", "/v3.0/OS-CREDENTIAL/securitytokens", json=body)
    assert answer.status_code == 400
    assert "not one of this control plane" in answer.json()["error"]["message"]
