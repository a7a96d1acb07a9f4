"""Answers that aren't a success, and what every answer carries."""

import re

import pytest

from tests.contract.running import Raw

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v3/nothing"),
        ("GET", "/v3/sources/a/b/c"),
        ("GET", "/v1/sms/sources"),
        ("GET", "/v3/sources/"),
        ("GET", "/wherry/v1/nothing"),
        ("GET", "/v3/sha256/key"),
        ("GET", "//v3/sources"),
        ("GET", "/v3/%FF%FE"),
    ],
)
def test_an_unknown_route_is_the_gateways_404(raw: Raw, method: str, path: str) -> None:
    answer = raw.signed(method, path)
    assert answer.status_code == 404, answer.text
    assert answer.json()["error_code"] == "APIGW.0101"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v3/sources", {"GET", "POST"}),
        ("DELETE", "/v3/tasks", {"GET", "POST"}),
        ("GET", f"/v3/sources/{UNKNOWN}/command_result", {"POST"}),
        ("POST", f"/v3/sources/{UNKNOWN}/command", {"GET"}),
    ],
)
def test_another_method_is_a_405_that_names_those_allowed(raw: Raw, method: str, path: str, allowed: set[str]) -> None:
    answer = raw.signed(method, path)
    assert answer.status_code == 405, answer.text
    assert answer.json()["error_code"]
    assert answer.json()["error_msg"]
    assert allowed <= set(re.split(r",\s*", answer.headers["Allow"]))


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", f"/v3/sources/{UNKNOWN}", "SMS.7602"),
        ("DELETE", f"/v3/sources/{UNKNOWN}", "SMS.7602"),
        ("GET", f"/v3/tasks/{UNKNOWN}", "SMS.7703"),
        ("DELETE", f"/v3/tasks/{UNKNOWN}", "SMS.7703"),
        ("GET", f"/v3/tasks/{UNKNOWN}/certkey", "SMS.7703"),
        ("GET", f"/v3/tasks/{UNKNOWN}/passphrase", "SMS.7703"),
    ],
)
def test_what_is_not_there_is_a_404(raw: Raw, method: str, path: str, code: str) -> None:
    answer = raw.signed(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (404, code)
    assert answer.json()["error_msg"]
    assert answer.json()["cause"]
    assert answer.json()["fix"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v3/sources", "limit=201"),
        ("/v3/sources", "limit=-1"),
        ("/v3/sources", "limit=many"),
        ("/v3/sources", "offset=65536"),
        ("/v3/sources", "state=flying"),
        ("/v3/sources", "connected=perhaps"),
        ("/v3/tasks", "limit=201"),
        ("/v3/tasks", "state=FLYING"),
        ("/v3/tasks", f"id={'x' * 37}"),
    ],
)
def test_a_query_with_a_fault_is_refused(raw: Raw, path: str, query: str) -> None:
    answer = raw.signed("GET", path, query=query)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001"), answer.text


def test_limit_0_means_the_default(raw: Raw, source_id: str) -> None:
    answer = raw.signed("GET", "/v3/sources", query="limit=0").json()
    assert len(answer["source_servers"]) == min(answer["count"], 200) > 0


@pytest.mark.parametrize("path", ["/", "/v3", "/v3/sources", "/readyz", "/healthz", "/nowhere"])
def test_every_answer_has_its_own_request_id(raw: Raw, path: str) -> None:
    ids = {raw.bare("GET", path).headers["X-Request-Id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(8 <= len(request_id) <= 64 for request_id in ids)


def test_versions_need_no_authentication(raw: Raw) -> None:
    (version,) = raw.bare("GET", "/").json()["versions"]
    assert (version["id"], version["status"]) == ("v3", "SUPPORTED")
    assert version["links"][0]["rel"] == "self"
    shown = raw.bare("GET", "/v3").json()
    assert shown.get("id", shown.get("version", {}).get("id")) == "v3"


def test_health_needs_no_authentication(raw: Raw) -> None:
    assert raw.bare("GET", "/readyz").status_code == 200
    assert raw.bare("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    "body", [{"name": "", "os_type": "LINUX"}, {"os_type": "LINUX"}, {"name": "x" * 256, "os_type": "LINUX"}]
)
def test_a_registration_with_a_bad_name_is_refused(raw: Raw, body: dict[str, object]) -> None:
    answer = raw.signed("POST", "/v3/sources", body=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
    assert "name" in answer.json()["error_msg"]


def test_numbers_and_booleans_may_come_as_text_and_unknown_fields_are_ignored(raw: Raw) -> None:
    document = {
        "name": "old-client",
        "os_type": "LINUX",
        "ip": "192.0.2.1",
        "memory": "2048",
        "cpu_quantity": "2",
        "has_rsync": "true",
        "io_read_wait": "1.5",
        "virtualization_type": "KVM",
        "who_knows": {"what": [1]},
        "firmware": None,
        "disks": [{"name": "/dev/sda", "size": "1073741824", "os_disk": "true", "unknown": 1}],
    }
    source_id = raw.post("/v3/sources", document)["id"]
    shown = raw.get(f"/v3/sources/{source_id}")
    assert (shown["memory"], shown["cpu_quantity"]) == (2048, 2)
    assert shown["disks"][0]["size"] == 1 << 30
    assert shown["disks"][0]["os_disk"] is True
    assert "firmware" not in shown or shown["firmware"] is None
    assert "who_knows" not in shown


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json;charset=UTF-8", "APPLICATION/JSON; charset=utf8"]
)
def test_any_spelling_of_the_content_type_is_taken(raw: Raw, source_id: str, content_type: str) -> None:
    body = {"command_name": "SYNC", "result": "success", "result_detail": {}}
    answer = raw.signed(
        "POST", f"/v3/sources/{source_id}/command_result", body=body, headers={"content-type": content_type}
    )
    assert answer.status_code == 200


def test_a_body_over_12_mb_is_refused(raw: Raw, source_id: str) -> None:
    content = b'{"command_name": "A", "result": "b", "result_detail": "' + b"x" * (13 << 20) + b'"}'
    answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", content=content)
    assert answer.status_code in {400, 413}
    assert answer.json()["error_code"] == "APIGW.0201"


def test_refusals_and_successes_are_json(raw: Raw, source_id: str) -> None:
    for answer in (raw.signed("GET", f"/v3/sources/{source_id}"), raw.signed("GET", f"/v3/sources/{UNKNOWN}")):
        assert answer.headers["content-type"].startswith("application/json")
