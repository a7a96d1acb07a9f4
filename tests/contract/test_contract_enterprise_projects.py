"""Conditions on g:EnterpriseProjectId: what a user sees, lists, changes, registers and moves."""

from typing import Any

import pytest

from tests.contract import documents
from tests.contract.people import FULL_ACCESS, Person, allow, deny, in_project, make_policy, make_user, unique
from tests.contract.running import Raw


@pytest.fixture(scope="module")
def places(raw: Raw) -> dict[str, str]:
    """A migration project in each of two enterprise projects: enterprise project to migration project."""
    made = {}
    for label in (unique("east"), unique("west")):
        body = {"name": label, "region": "r", "type": "MIGRATE_BLOCK", "enterprise_project": label}
        made[label] = str(raw.post("/v3/migprojects", body)["id"])
    return made


@pytest.fixture(scope="module")
def labels(places: dict[str, str]) -> tuple[str, str]:
    east, west = places
    return east, west


@pytest.fixture(scope="module")
def sources(raw: Raw, places: dict[str, str]) -> dict[str, str]:
    """A source with a failed task in each enterprise project."""
    found = {}
    for label, project in places.items():
        source = raw.post("/v3/sources", documents.registration(f"in-{label}"))["id"]
        raw.put(f"/v3/sources/{source}", {"migprojectid": project})
        task = raw.post("/v3/tasks", documents.task(source))["id"]
        raw.post(f"/v3/tasks/{task}/action", {"operation": "start"})
        report = {"command_name": "START", "result": "fail", "result_detail": {"msg": "x", "error_code": "SMS.0515"}}
        raw.post(f"/v3/sources/{source}/command_result", report)
        found[label] = source
    return found


@pytest.fixture(scope="module")
def east_only(raw: Raw, labels: tuple[str, str]) -> Person:
    return make_user(raw, "east", make_policy(raw, "east", allow("sms:*:*", **in_project(labels[0]))))


@pytest.fixture(scope="module")
def not_west(raw: Raw, labels: tuple[str, str]) -> Person:
    return make_user(
        raw, "notwest", FULL_ACCESS, make_policy(raw, "not west", deny("sms:*:*", **in_project(labels[1])))
    )


def listed(raw: Raw, person: Person, path: str, query: str = "") -> Any:
    answer = raw.signed("GET", path, query=query, key=person.key)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_one_source_is_seen_and_the_other_is_not(
    raw: Raw, labels: tuple[str, str], sources: dict[str, str], east_only: Person, not_west: Person
) -> None:
    east, west = labels
    for person in (east_only, not_west):
        assert raw.signed("GET", f"/v3/sources/{sources[east]}", key=person.key).status_code == 200
        assert raw.signed("GET", f"/v3/sources/{sources[west]}", key=person.key).status_code == 403
        task = raw.get(f"/v3/sources/{sources[west]}")["current_task"]["id"]
        for path in (f"/v3/tasks/{task}", f"/v3/tasks/{task}/speed-limit", f"/wherry/v1/tasks/{task}/events"):
            assert raw.signed("GET", path, key=person.key).status_code == 403
        body = {"ids": [sources[east], sources[west]]}
        assert raw.signed("POST", "/v3/sources/delete", body=body, key=person.key).status_code == 403


def test_lists_hold_what_may_be_seen_and_nothing_else(
    raw: Raw, labels: tuple[str, str], sources: dict[str, str], east_only: Person, not_west: Person, source_id: str
) -> None:
    east, west = labels
    mine = listed(raw, east_only, "/v3/sources")
    assert [source["id"] for source in mine["source_servers"]] == [sources[east]]
    assert mine["count"] == 1
    assert {task["source_server"]["id"] for task in listed(raw, east_only, "/v3/tasks")["tasks"]} == {sources[east]}
    failed = listed(raw, east_only, "/v3/errors", "offset=0")
    assert [error["source_id"] for error in failed["migration_errors"]] == [sources[east]]
    overview = listed(raw, east_only, "/v3/sources/overview")
    assert sum(count for name, count in overview.items() if name != "unconfigured") == 1
    assert overview["unconfigured"] == 0
    wider = {source["id"] for source in listed(raw, not_west, "/v3/sources")["source_servers"]}
    assert {sources[east], source_id} <= wider
    assert sources[west] not in wider
    everything = raw.get("/v3/sources")["count"]
    assert listed(raw, not_west, "/v3/sources")["count"] == everything - 1


def test_asking_for_one_enterprise_project(
    raw: Raw, labels: tuple[str, str], sources: dict[str, str], east_only: Person
) -> None:
    east, west = labels
    query = f"enterprise_project_id={east}"
    assert listed(raw, east_only, "/v3/sources", query)["source_servers"][0]["id"] == sources[east]
    assert listed(raw, east_only, "/v3/tasks", query)["count"] == 1
    for path in ("/v3/sources", "/v3/tasks", "/v3/errors"):
        answer = raw.signed("GET", path, query=f"enterprise_project_id={west}&offset=0", key=east_only.key)
        assert answer.status_code == 403


def test_who_may_see_no_enterprise_project_may_not_list(raw: Raw) -> None:
    person = make_user(raw, "far", make_policy(raw, "far", allow("sms:*:*", **in_project("nowhere"))))
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    assert raw.signed("GET", "/v3/sources", query="enterprise_project_id=nowhere", key=person.key).status_code == 200


def test_nothing_is_moved_where_one_may_not_go(
    raw: Raw, places: dict[str, str], labels: tuple[str, str], sources: dict[str, str], east_only: Person
) -> None:
    east, west = labels
    move = {"migprojectid": places[west]}
    assert raw.signed("PUT", f"/v3/sources/{sources[east]}", body=move, key=east_only.key).status_code == 403
    assert raw.get(f"/v3/sources/{sources[east]}")["enterprise_project_id"] == east
    task = raw.get(f"/v3/sources/{sources[east]}")["current_task"]["id"]
    relabel = {"enterprise_project": west}
    assert raw.signed("PUT", f"/v3/tasks/{task}", body=relabel, key=east_only.key).status_code == 403
    rename = {"name": "still-here"}
    assert raw.signed("PUT", f"/v3/tasks/{task}", body=rename, key=east_only.key).status_code == 200


def test_a_new_source_has_to_fit_where_it_lands(raw: Raw, east_only: Person, not_west: Person) -> None:
    body = documents.registration("newcomer")
    assert raw.signed("POST", "/v3/sources", body=body, key=east_only.key).status_code == 403
    assert raw.signed("POST", "/v3/sources", body=body, key=not_west.key).status_code == 200


def test_a_known_source_is_registered_again_by_who_may_reach_it(
    raw: Raw, places: dict[str, str], labels: tuple[str, str], east_only: Person, not_west: Person
) -> None:
    east, west = labels
    for label, person in ((east, east_only), (west, not_west)):
        body = documents.registration(f"known-{label}")
        source = raw.post("/v3/sources", body)["id"]
        raw.put(f"/v3/sources/{source}", {"migprojectid": places[label]})
        answer = raw.signed("POST", "/v3/sources", body=body, key=person.key)
        if label == east:
            assert answer.json() == {"id": source}
        else:
            assert answer.status_code == 403
        assert raw.signed("DELETE", f"/v3/sources/{source}").status_code == 200


def test_a_negative_condition(raw: Raw, labels: tuple[str, str], sources: dict[str, str]) -> None:
    east, west = labels
    condition = in_project(west, relation="StringNotEquals")
    person = make_user(raw, "negative", make_policy(raw, "not in west", allow("sms:server:*", **condition)))
    seen = {source["id"] for source in listed(raw, person, "/v3/sources")["source_servers"]}
    assert sources[east] in seen
    assert sources[west] not in seen
