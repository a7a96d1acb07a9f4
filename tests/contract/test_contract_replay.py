"""A signed request is good once; who signs or logs in wrongly too often is locked out, and nobody else with him."""

import time
from collections.abc import Iterator

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdksms import v3

from tests.contract import documents
from tests.contract.people import READ_ONLY, Person, log_in, make_user
from tests.contract.running import Raw, Server
from tests.contract.vendor import vendor_client
from wherry.iam.replay import GRACE_S

SENT = ("authorization", "x-sdk-date", "content-type")


@pytest.fixture
def elsewhere(server: Server) -> Iterator[Raw]:
    """HTTP from another address of this machine."""
    client = Raw(server, local_address="127.0.0.2")
    yield client
    client.close()


def again(raw: Raw, sent: httpx.Request) -> httpx.Response:
    """Send the very bytes of *sent* once more."""
    headers = {name: sent.headers[name] for name in SENT}
    return raw.bare(sent.method, sent.url.raw_path.decode(), content=sent.content or None, headers=headers)


def refused(answer: httpx.Response, reason: str) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.json()["error_code"] == "APIGW.0301"
    assert reason in answer.json()["error_msg"]


def test_a_changing_request_is_refused_later_and_from_elsewhere(raw: Raw, elsewhere: Raw) -> None:
    first = raw.signed("POST", "/v3/vm/templates", body={"template": {"name": "once"}})
    assert first.status_code == 200
    refused(again(elsewhere, first.request), "used before")
    twin = again(raw, first.request)  # a client that sends the same twice in a second, or retries below its signer
    assert twin.status_code == 200
    assert twin.json()["id"] != first.json()["id"]
    time.sleep(GRACE_S + 0.2)
    refused(again(raw, first.request), "used before")


def test_deleting_and_reporting_are_covered_too(raw: Raw, elsewhere: Raw, source_id: str) -> None:
    body = {"command_name": "STOP", "result": "success", "result_detail": {}}
    report = raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body)
    change = raw.signed("PUT", f"/v3/sources/{source_id}", body={"name": "renamed"})
    removal = raw.signed("DELETE", f"/v3/sources/{source_id}")
    for sent in (report, change, removal):
        assert sent.status_code == 200
        refused(again(elsewhere, sent.request), "used before")


def test_reading_may_be_repeated(raw: Raw, elsewhere: Raw) -> None:
    first = raw.signed("GET", "/v3/sources")
    assert again(raw, first.request).status_code == 200
    assert again(elsewhere, first.request).status_code == 200


def test_the_vendors_client_may_send_the_same_twice_in_a_second(server: Server) -> None:
    client = vendor_client(server, BasicCredentials(server.admin.access_key, server.admin.secret_key))
    body = v3.CreateTemplateReq(template=v3.TemplateRequest(name="twice"))
    request = v3.CreateTemplateRequest(body=body)
    made = {client.create_template(request).id for _ in range(8)}
    assert len(made) == 8


def test_a_stranger_locks_out_himself_only(raw: Raw, elsewhere: Raw) -> None:
    person = make_user(raw, "victim", READ_ONLY)
    for _ in range(20):
        refused(elsewhere.signed("GET", "/v3/sources", key=(person.key[0], "guess")), "does not match")
    refused(elsewhere.signed("GET", "/v3/sources", key=person.key), "locked for this address")
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    for _ in range(30):  # behind the same address as one who is let in
        refused(raw.signed("GET", "/v3/sources", key=(person.key[0], "guess")), "does not match")
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    other = make_user(raw, "bystander", READ_ONLY)
    assert elsewhere.signed("GET", "/v3/sources", key=other.key).status_code == 200


def test_guessing_passwords_ends_soon(raw: Raw, elsewhere: Raw) -> None:
    person = make_user(raw, "guessed", READ_ONLY)
    for _ in range(10):
        assert log_in(elsewhere, person, password="guess it").status_code == 401
    locked = log_in(elsewhere, person)
    assert locked.status_code == 401
    assert "too many wrong passwords" in locked.json()["error"]["message"]
    assert log_in(raw, person).status_code == 201
    nobody = Person("", "does-not-exist", person.account, ("", ""))
    for _ in range(10):
        assert log_in(elsewhere, nobody, password="guess it").status_code == 401
    assert "too many" in log_in(elsewhere, nobody).json()["error"]["message"]  # as for a name that exists


def test_a_clock_that_is_off_locks_nobody_out(raw: Raw, elsewhere: Raw) -> None:
    person = make_user(raw, "late", READ_ONLY)
    for _ in range(25):
        refused(elsewhere.signed("GET", "/v3/sources", key=person.key, skew_s=-1000), "15 minutes")
    assert elsewhere.signed("POST", "/v3/sources", body=documents.registration(), key=person.key).status_code == 403
