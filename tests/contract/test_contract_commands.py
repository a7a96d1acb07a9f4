"""The command loop: a command waits until it's answered, a long poll wakes up, every result is kept."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import documents
from tests.contract.acting import act, report, states
from tests.contract.running import Raw
from wherry.client.control_plane import ControlPlane


def test_a_source_without_a_task_has_nothing_to_do(raw: Raw, source_id: str) -> None:
    started = time.monotonic()
    answer = raw.signed("GET", f"/v3/sources/{source_id}/command")
    assert time.monotonic() - started < 2
    assert answer.status_code == 200
    assert answer.json()["command_name"] == "TASK_NOT_STARTED"


def test_start_is_handed_out_until_it_is_answered(raw: Raw, sdk: SmsClient, task_id: str, source_id: str) -> None:
    request = v3.ShowCommandRequest(server_id=source_id)
    assert sdk.show_command(request).command_name == "TASK_NOT_STARTED"
    act(raw, task_id, "start")
    for _ in range(3):
        command = sdk.show_command(request)
        assert command.command_name == "START"
        assert command.command_param.task_id == task_id
    detail = {"msg": "started", "task_id": task_id, "deep": [{"a": [1, None, "ü"]}]}
    body = v3.CommandBody(command_name="START", result="success", result_detail=detail)
    sdk.update_command_result(v3.UpdateCommandResultRequest(server_id=source_id, body=body))
    assert sdk.show_command(request).command_name != "START"
    assert states(raw, task_id)[0] == "RUNNING"


def test_a_failed_start_fails_the_task(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    report(raw, source_id, "START", "fail")
    assert states(raw, task_id) == ("MIGRATE_FAIL", "error")
    act(raw, task_id, "start")
    assert states(raw, task_id)[0] == "RUNNING"


def test_a_long_poll_wakes_up_when_there_is_something_to_do(
    raw: Raw, control_plane: ControlPlane, task_id: str, source_id: str
) -> None:
    seen: list[tuple[str, float]] = []

    def poll() -> None:
        command = control_plane.show_command(source_id, wait_s=20)
        seen.append((command.command_name, time.monotonic()))

    waiter = threading.Thread(target=poll)
    waiter.start()
    time.sleep(0.7)
    assert not seen, "the poll did not wait"
    acted = time.monotonic()
    act(raw, task_id, "start")
    waiter.join(10)
    assert [name for name, _ in seen] == ["START"]
    assert seen[0][1] - acted < 2


def test_a_long_poll_ends_by_itself(raw: Raw, source_id: str) -> None:
    started = time.monotonic()
    answer = raw.signed("GET", f"/v3/sources/{source_id}/command", headers={"Prefer": "wait=1"})
    assert 0.9 <= time.monotonic() - started < 5
    assert answer.json()["command_name"] == "TASK_NOT_STARTED"


def test_a_long_poll_with_work_answers_at_once(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    started = time.monotonic()
    answer = raw.signed("GET", f"/v3/sources/{source_id}/command", headers={"Prefer": "wait=30"})
    assert time.monotonic() - started < 2
    assert answer.json()["command_name"] == "START"


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"msg": "ok"},
        {"a": {"b": {"c": [1, 2.5, True, None, "ü", "\U0001f6a2"]}}},
        "plain text that isn't JSON",
        "",
        17,
        1.5,
        True,
        None,
        [],
        [1, [2, [3]]],
        {"long": "x" * 100_000},
        {str(number): number for number in range(500)},
    ],
    ids=lambda value: type(value).__name__ + str(len(str(value))),
)
def test_any_detail_is_accepted(raw: Raw, source_id: str, detail: Any) -> None:
    body = {"command_name": "START", "result": "success", "result_detail": detail}
    answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body)
    # The one that is required can't be null, as null is the same as absent.
    if detail is None:
        assert answer.status_code in {200, 400}
    else:
        assert (answer.status_code, answer.json()) == (200, {}), answer.text


def test_a_deeply_nested_detail_never_breaks_the_server(raw: Raw, source_id: str) -> None:
    for depth in (50, 500, 100_000):
        content = (
            b'{"command_name":"START","result":"success","result_detail":'
            + b'{"a":' * depth
            + b"1"
            + b"}" * depth
            + b"}"
        )
        answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", content=content)
        assert answer.status_code in {200, 400}, (depth, answer.text)
        if depth == 50:
            assert answer.status_code == 200
        if answer.status_code == 400:
            assert answer.json()["error_code"] == "SMS.9001"
    assert raw.bare("GET", "/readyz").status_code == 200


@pytest.mark.parametrize(
    "name", ["START", "STOP", "DELETE", "SYNC", "UPLOAD_LOG", "RSET_LOG_ACL", "SKIP", "SOMETHING_NEW"]
)
@pytest.mark.parametrize("result", ["success", "fail"])
def test_a_report_without_a_pending_command_is_kept(raw: Raw, source_id: str, name: str, result: str) -> None:
    report(raw, source_id, name, result)
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "waiting"


def test_a_repeated_report_is_harmless(raw: Raw, task_id: str, source_id: str) -> None:
    act(raw, task_id, "start")
    for _ in range(3):
        report(raw, source_id, "START")
    assert states(raw, task_id)[0] == "RUNNING"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"result": "success", "result_detail": {}}, "command_name"),
        ({"command_name": "START", "result_detail": {}}, "result"),
        ({"command_name": "START", "result": "success"}, "result_detail"),
        ({"command_name": "x" * 256, "result": "success", "result_detail": {}}, "command_name"),
        ({"command_name": "START", "result": "x" * 256, "result_detail": {}}, "result"),
        ({"command_name": None, "result": "success", "result_detail": {}}, "command_name"),
        ({"command_name": ["START"], "result": "success", "result_detail": {}}, "command_name"),
    ],
)
def test_a_report_with_a_fault_is_refused_and_names_it(
    raw: Raw, source_id: str, body: dict[str, Any], field: str
) -> None:
    answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
    assert field in answer.json()["error_msg"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{}x", b"NaN"])
def test_a_body_that_is_none_is_refused(raw: Raw, source_id: str, content: bytes) -> None:
    answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", content=content)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001"), answer.text


def test_names_as_long_as_allowed_are_accepted(raw: Raw, source_id: str) -> None:
    report(raw, source_id, "X" * 255, "y" * 255)


def test_an_unknown_source_is_not_found(raw: Raw, sdk: SmsClient) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    body = {"command_name": "START", "result": "success", "result_detail": {}}
    for answer in (
        raw.signed("GET", f"/v3/sources/{unknown}/command"),
        raw.signed("POST", f"/v3/sources/{unknown}/command_result", body=body),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (404, "SMS.7602")
        assert 0 < len(answer.json()["error_msg"]) <= 1024
    too_long = raw.signed("POST", f"/v3/sources/{'x' * 37}/command_result", body=body)
    assert (too_long.status_code, too_long.json()["error_code"]) == (400, "SMS.9001")


def test_a_crowd_of_results_at_once(raw: Raw) -> None:
    sources = [raw.post("/v3/sources", documents.registration(f"crowd-{n}"))["id"] for n in range(8)]
    tasks = [raw.post("/v3/tasks", documents.task(source, f"crowd-{n}"))["id"] for n, source in enumerate(sources)]
    for task in tasks:
        act(raw, task, "start")

    def one(number: int) -> int:
        # Every fifth is malformed: a bad item must not fail its neighbours in the same transaction.
        body: dict[str, Any] = {"command_name": "START", "result": "success", "result_detail": {"n": number}}
        if number % 5 == 4:
            del body["result"]
        source = sources[number % len(sources)]
        return raw.signed("POST", f"/v3/sources/{source}/command_result", body=body).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(one, range(200)))
    assert statuses == [400 if number % 5 == 4 else 200 for number in range(200)]
    assert {states(raw, task)[0] for task in tasks} == {"RUNNING"}
