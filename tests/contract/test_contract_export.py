"""The export of consistency results over plain HTTP: the forms, the languages, and whose results."""

import csv
import io
from typing import Any

import pytest

from tests.contract import documents
from tests.contract.running import Raw
from tests.contract.sheets import sheet_of

EXPORT = "/v3/tasks/consistency-results/export"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENGLISH = ["Source name", "Source ID", "Task name", "Task ID", "Finished (UTC)", "Result", "Folder"]
CHINESE = ["源端名称", "源端ID", "任务名称", "任务ID", "完成时间 (UTC)", "校验结果", "校验目录"]


def folder(name: str, different: int = 0) -> dict[str, Any]:
    return {
        "dir_check": name,
        "num_total_files": 10,
        "num_different_files": different,
        "num_target_miss_files": 0,
        "num_target_more_files": 0,
    }


@pytest.fixture
def checked_task(raw: Raw, task_id: str) -> str:
    """A task with two reports."""
    for folders in ([folder("/srv"), folder("/home", 3)], [folder("=cmd|' /C calc'!A0")]):
        raw.post(f"/v3/tasks/{task_id}/consistency-result", {"consistency_result": folders})
    return task_id


def test_a_spreadsheet_in_english_is_the_usual_form(raw: Raw, checked_task: str, source_id: str) -> None:
    answer = raw.signed("POST", EXPORT, body={"task_info": [{"task_id": checked_task}]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == XLSX
    assert answer.headers["content-disposition"] == 'attachment; filename="consistency-results.xlsx"'
    heading, *lines = sheet_of(answer.content)
    assert heading[:7] == ENGLISH
    assert [(line[1], line[3], line[5], line[6], line[8]) for line in lines] == [
        (source_id, checked_task, "consistent", "/srv", 0),
        (source_id, checked_task, "inconsistent", "/home", 3),
        (source_id, checked_task, "consistent", "=cmd|' /C calc'!A0", 0),
    ]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        (f"{XLSX};q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        (f"text/csv;q=0.5, {XLSX}", XLSX),
        ("*/*", XLSX),
        ("application/json", XLSX),
    ],
)
def test_the_client_chooses_the_form(raw: Raw, checked_task: str, accept: str, form: str) -> None:
    body = {"task_info": [{"task_id": checked_task}]}
    answer = raw.signed("POST", EXPORT, body=body, headers={"accept": accept})
    assert answer.headers["content-type"] == form


@pytest.mark.parametrize(
    ("language", "heading", "result"),
    [
        ("zh-cn", CHINESE, "不一致"),
        ("ZH_CN", CHINESE, "不一致"),
        ("en-us", ENGLISH, "inconsistent"),
        ("fr", ENGLISH, "inconsistent"),
        ("", ENGLISH, "inconsistent"),
    ],
)
def test_the_client_chooses_the_language(
    raw: Raw, checked_task: str, language: str, heading: list[str], result: str
) -> None:
    headers = {"accept": "text/csv", "x-language": language}
    answer = raw.signed("POST", EXPORT, body={"task_info": [{"task_id": checked_task}]}, headers=headers)
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert lines[0][:7] == heading
    assert lines[2][5] == result
    assert lines[3][6] == "'=cmd|' /C calc'!A0", "no spreadsheet may run what an agent calls its folders"


def test_a_task_may_be_named_by_its_source(raw: Raw, checked_task: str, source_id: str) -> None:
    answer = raw.signed("POST", EXPORT, body={"task_info": [{"source_id": source_id, "source_name": "whatever"}]})
    assert {line[3] for line in sheet_of(answer.content)[1:]} == {checked_task}


@pytest.mark.parametrize(
    ("items", "status", "code"),
    [
        ([], 400, "SMS.9001"),
        ([{}], 400, "SMS.9001"),
        ([{"task_id": "00000000-0000-4000-8000-000000000000"}], 404, "SMS.7703"),
        ([{"source_id": "00000000-0000-4000-8000-000000000000"}], 404, "SMS.7703"),
        ([{"task_id": "x" * 37}], 400, "SMS.9001"),
        ([{"task_id": "x"}] * 201, 400, "SMS.9001"),
    ],
)
def test_an_export_of_what_is_not_there_is_refused(raw: Raw, items: list[Any], status: int, code: str) -> None:
    answer = raw.signed("POST", EXPORT, body={"task_info": items})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_a_task_with_another_source_is_refused(raw: Raw, checked_task: str) -> None:
    other = raw.post("/v3/sources", documents.registration("other"))["id"]
    answer = raw.signed("POST", EXPORT, body={"task_info": [{"task_id": checked_task, "source_id": other}]})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
