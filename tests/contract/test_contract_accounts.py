"""Users with policies, and two accounts on one control plane: who may do what, and the wall between accounts."""

import httpx
import pytest

from tests.contract import documents
from tests.contract.people import (
    FULL_ACCESS,
    READ_ONLY,
    Key,
    Person,
    deny,
    make_account,
    make_policy,
    make_user,
    token_of,
)
from tests.contract.running import Raw, Server


@pytest.fixture(scope="module")
def rita(raw: Raw) -> Person:
    """Reads."""
    return make_user(raw, "rita", READ_ONLY)


@pytest.fixture(scope="module")
def nobody(raw: Raw) -> Person:
    """May nothing."""
    return make_user(raw, "nobody")


@pytest.fixture(scope="module")
def olga(raw: Raw) -> Person:
    """May everything with sources and tasks."""
    return make_user(raw, "olga", FULL_ACCESS)


@pytest.fixture(scope="module")
def careful(raw: Raw) -> Person:
    """May everything but deleting."""
    return make_user(raw, "careful", FULL_ACCESS, make_policy(raw, "no deleting", deny("sms:server:delete*")))


@pytest.fixture(scope="module")
def stranger(raw: Raw) -> Key:
    """The key of another account's administrator."""
    made = make_account(raw, "other")
    return made["access_key"], made["secret_key"]


def forbidden(answer: httpx.Response, action: str, resource: str) -> None:
    assert answer.status_code == 403, answer.text
    body = answer.json()
    assert body["error_code"] == "SMS.9004"
    assert action in body["error_param"][0]
    assert resource in body["error_param"][0]
    assert body["details"][0]["error_msg"] == body["error_param"][0]
    assert body["encoded_authorization_message"]


def test_a_reader_reads_and_changes_nothing(raw: Raw, server: Server, rita: Person, source_id: str) -> None:
    key = rita.key
    assert raw.signed("GET", f"/v3/sources/{source_id}", key=key).status_code == 200
    assert raw.signed("GET", "/v3/tasks", key=key).status_code == 200
    forbidden(raw.signed("DELETE", f"/v3/sources/{source_id}", key=key), "sms:server:delete", f":server:{source_id}")
    forbidden(
        raw.signed("POST", "/v3/sources", body=documents.registration(), key=key), "sms:server:register", ":server:"
    )
    forbidden(raw.signed("GET", f"/v3/sources/{source_id}/command", key=key), "sms:server:getCommand", source_id)
    body = {"command_name": "START", "result": "success", "result_detail": {}}
    answer = raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body, key=key)
    forbidden(answer, "sms:server:updateCommandResult", f"sms::{server.admin.domain_id}:server:{source_id}")
    forbidden(raw.signed("POST", "/wherry/v1/join-tokens", body={"role": "agent"}, key=key), "wherry:joinToken", "")


def test_a_readers_token_reads_too(raw: Raw, rita: Person, source_id: str) -> None:
    token = token_of(raw, rita)
    assert raw.by_token(token, "GET", f"/v3/sources/{source_id}").status_code == 200
    forbidden(raw.by_token(token, "DELETE", f"/v3/sources/{source_id}"), "sms:server:delete", source_id)


def test_a_user_without_policies_may_nothing(raw: Raw, nobody: Person, source_id: str) -> None:
    key = nobody.key
    forbidden(raw.signed("GET", "/v3/sources", key=key), "sms:server:list", ":server:*")
    forbidden(raw.signed("GET", f"/v3/sources/{source_id}", key=key), "sms:server:get", source_id)
    assert raw.signed("GET", "/v3/auth/domains", key=key).status_code == 200


def test_full_access_runs_migrations_and_lets_nobody_in(raw: Raw, olga: Person, source_id: str) -> None:
    key = olga.key
    task_id = raw.signed("POST", "/v3/tasks", body=documents.task(source_id), key=key).json()["id"]
    action = {"operation": "start"}
    assert raw.signed("POST", f"/v3/tasks/{task_id}/action", body=action, key=key).status_code == 200
    forbidden(raw.signed("POST", "/wherry/v1/join-tokens", body={"role": "agent"}, key=key), "wherry:joinToken", "")


def test_a_deny_beats_full_access(raw: Raw, careful: Person, source_id: str) -> None:
    key = careful.key
    assert raw.signed("GET", f"/v3/sources/{source_id}", key=key).status_code == 200
    forbidden(raw.signed("DELETE", f"/v3/sources/{source_id}", key=key), "sms:server:delete", source_id)
    assert raw.get(f"/v3/sources/{source_id}")["id"] == source_id


def test_what_belongs_to_another_account_does_not_exist(raw: Raw, stranger: Key, source_id: str, task_id: str) -> None:
    key = stranger
    body = {"command_name": "START", "result": "success", "result_detail": {}}
    attempts = [
        raw.signed("GET", f"/v3/sources/{source_id}", key=key),
        raw.signed("DELETE", f"/v3/sources/{source_id}", key=key),
        raw.signed("GET", f"/v3/sources/{source_id}/command", key=key),
        raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body, key=key),
        raw.signed("PUT", f"/v3/sources/{source_id}/diskinfo", body={"disks": []}, key=key),
        raw.signed(
            "PUT", f"/v3/sources/{source_id}/changestate", body={"copystate": "a", "migrationcycle": "b"}, key=key
        ),
        raw.signed("GET", f"/v3/tasks/{task_id}", key=key),
        raw.signed("DELETE", f"/v3/tasks/{task_id}", key=key),
        raw.signed("POST", f"/v3/tasks/{task_id}/action", body={"operation": "start"}, key=key),
        raw.signed("GET", f"/v3/tasks/{task_id}/certkey", key=key),
        raw.signed("GET", f"/v3/tasks/{task_id}/passphrase", key=key),
        raw.signed("GET", f"/wherry/v1/tasks/{task_id}/route", key=key),
        raw.signed("GET", f"/wherry/v1/tasks/{task_id}/events", key=key),
        raw.signed("GET", f"/wherry/v1/tasks/{task_id}/replication", key=key),
        raw.signed("POST", "/v3/tasks", body=documents.task(source_id), key=key),
    ]
    for answer in attempts:
        assert answer.status_code == 404, f"{answer.request.method} {answer.request.url}: {answer.text}"
    assert raw.signed("GET", "/v3/sources", key=key).json() == {"count": 0, "source_servers": []}
    assert raw.signed("GET", "/v3/tasks", key=key).json() == {"count": 0, "tasks": []}
    assert raw.get(f"/v3/sources/{source_id}")["current_task"]["state"] == "READY"


def test_an_id_of_another_account_registers_nothing_there(raw: Raw, stranger: Key, source_id: str) -> None:
    key = stranger
    answer = raw.signed("POST", "/v3/sources", body=documents.registration("taken", id=source_id), key=key)
    assert answer.status_code == 200
    assert answer.json()["id"] != source_id
    assert raw.get(f"/v3/sources/{source_id}")["name"] != "taken"
    assert raw.signed("DELETE", f"/v3/sources/{answer.json()['id']}", key=key).status_code == 200


def test_a_token_is_no_key_to_another_account(raw: Raw, server: Server) -> None:
    other = make_account(raw, "third")
    user = {"name": server.admin.user_name, "password": server.admin.password, "domain": {"name": other["name"]}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    assert raw.bare("POST", "/v3/auth/tokens", json=login).status_code == 401
    user["password"] = other["password"]
    assert raw.bare("POST", "/v3/auth/tokens", json=login).status_code == 201
