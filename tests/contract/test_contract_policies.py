"""Policies over HTTP: documents checked, attached, rewritten, and the operator's accounts that each have their own."""

from typing import Any

import pytest

from tests.contract.people import (
    FULL_ACCESS,
    OWN,
    PASSWORD,
    READ_ONLY,
    Key,
    allow,
    deny,
    make_account,
    make_policy,
    make_user,
    token_of,
    unique,
)
from tests.contract.running import Raw, Server
from tests.contract.test_contract_users import decoded, refused

READING = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["sms:server:queryServer"]}]}


def test_the_system_policies_are_listed_first(raw: Raw) -> None:
    listed = raw.get(f"{OWN}/policies")
    assert listed["count"] == len(listed["policies"])
    system = [policy for policy in listed["policies"] if policy["type"] == "system"]
    assert listed["policies"][: len(system)] == system
    assert {policy["name"] for policy in system} >= {"SMS FullAccess", "SMS ReadOnlyAccess"}
    for policy in system:
        assert raw.get(f"{OWN}/policies/{policy['id']}") == policy
        assert policy["document"]["Statement"]


def test_a_policy_is_made_shown_changed_and_deleted(raw: Raw) -> None:
    name = unique("reading")
    made = raw.post(f"{OWN}/policies", {"name": name, "document": READING, "description": "only reads"})
    assert (made["name"], made["type"], made["document"]) == (name, "custom", READING)
    path = f"{OWN}/policies/{made['id']}"
    assert raw.get(path) == made
    assert made in raw.get(f"{OWN}/policies")["policies"]
    changed = raw.put(path, {"name": f"{name} still", "description": ""})
    assert changed["updated_at"] >= made["updated_at"]
    assert changed == {**made, "name": f"{name} still", "description": "", "updated_at": changed["updated_at"]}
    assert raw.signed("DELETE", path).json() == {}
    refused(raw.signed("GET", path), 404, "WHERRY.5803")


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ({}, ["Version"]),
        ({"Version": "2.0", "Statement": []}, ["Version"]),
        (
            {"Version": "5.0", "Statement": [{"Effect": "allow", "Action": ["sms:server:lits"]}]},
            ["Statement[0].Effect", "Statement[0].Action[0]"],
        ),
        (
            {"Version": "1.1", "Statement": [{"Effect": "Deny", "NotAction": ["sms:server:list"]}]},
            ["Statement[0].NotAction"],
        ),
    ],
)
def test_a_document_that_is_none_is_refused_with_every_fault(
    raw: Raw, document: dict[str, Any], faults: list[str]
) -> None:
    answer = raw.signed("POST", f"{OWN}/policies", body={"name": unique("bad"), "document": document})
    body = refused(answer, 400, "WHERRY.5806")
    for fault in faults:
        assert f"{fault}: " in body["error_msg"]


def test_names_are_unique_and_none_of_the_systems(raw: Raw) -> None:
    made = raw.post(f"{OWN}/policies", {"name": unique("mine"), "document": READING})
    for name in (made["name"], "SMS FullAccess", "sms fullaccess"):
        refused(raw.signed("POST", f"{OWN}/policies", body={"name": name, "document": READING}), 409, "WHERRY.5805")


def test_system_policies_cannot_be_changed(raw: Raw) -> None:
    refused(raw.signed("PUT", f"{OWN}/policies/{READ_ONLY}", body={"document": READING}), 409, "WHERRY.5813")
    refused(raw.signed("DELETE", f"{OWN}/policies/{READ_ONLY}"), 409, "WHERRY.5813")


def test_an_attached_policy_cannot_be_deleted(raw: Raw) -> None:
    policy_id = make_policy(raw, "attached", allow("sms:server:list"))
    person = make_user(raw, "anton", policy_id)
    refused(raw.signed("DELETE", f"{OWN}/policies/{policy_id}"), 409, "WHERRY.5807")
    assert raw.get(person.path)["policies"][0]["id"] == policy_id
    assert raw.signed("DELETE", f"{person.path}/policies/{policy_id}").status_code == 200
    assert raw.signed("DELETE", f"{OWN}/policies/{policy_id}").status_code == 200


def test_attaching_and_rewriting_count_at_once_and_let_tokens_die(raw: Raw) -> None:
    policy_id = make_policy(raw, "changing", allow("sms:server:list"))
    person = make_user(raw, "bruno")
    token = token_of(raw, person)
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 403
    raw.put(f"{person.path}/policies/{policy_id}", None)
    assert raw.by_token(token, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    token = token_of(raw, person)
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    raw.put(f"{OWN}/policies/{policy_id}", {"description": "the same"})
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    document = {"Version": "5.0", "Statement": [deny("sms:server:list")]}
    raw.put(f"{OWN}/policies/{policy_id}", {"document": document})
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    raw.signed("DELETE", f"{person.path}/policies/{policy_id}")
    raw.put(f"{person.path}/policies/{READ_ONLY}", None)
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200


def test_a_policy_may_delegate_a_part_of_administration(raw: Raw) -> None:
    person = make_user(raw, "clerk", make_policy(raw, "users", allow("wherry:user:*", "wherry:accessKey:create")))
    created = raw.signed("POST", f"{OWN}/users", body={"name": unique("temp")}, key=person.key)
    assert created.status_code == 200
    path = f"{OWN}/users/{created.json()['id']}"
    assert raw.signed("POST", f"{path}/access-keys", body={}, key=person.key).status_code == 200
    refused(raw.signed("PUT", f"{path}/policies/{FULL_ACCESS}", key=person.key), 403, "SMS.9004")
    refused(raw.signed("POST", f"{OWN}/groups", body={"name": "x"}, key=person.key), 403, "SMS.9004")
    assert raw.signed("DELETE", path, key=person.key).status_code == 200


# Why somebody was refused.


def test_the_encoded_message_says_why(raw: Raw, source_id: str) -> None:
    nobody = make_user(raw, "dieter")
    careful = make_user(raw, "erna", FULL_ACCESS, make_policy(raw, "no deleting", deny("sms:server:delete")))
    refusal = refused(raw.signed("DELETE", f"/v3/sources/{source_id}", key=nobody.key), 403, "SMS.9004")
    why = decoded(raw, refusal)
    assert "no policy of the user allows the action" in why
    assert '"action":"sms:server:delete","resource":"sms::' in why
    assert nobody.name in why
    assert source_id in why
    denied = refused(raw.signed("DELETE", f"/v3/sources/{source_id}", key=careful.key), 403, "SMS.9004")
    assert "denies the action" in decoded(raw, denied)


def test_only_who_may_decodes_and_only_in_his_account(raw: Raw) -> None:
    nobody = make_user(raw, "frieda")
    message = {
        "encoded_message": refused(raw.signed("GET", "/v3/tasks", key=nobody.key), 403, "SMS.9004")[
            "encoded_authorization_message"
        ]
    }
    path = f"{OWN}/decode-authorization-message"
    refused(raw.signed("POST", path, body=message, key=nobody.key), 403, "SMS.9004")
    decoder = make_user(raw, "gerda", make_policy(raw, "decoding", allow("wherry:refusal:decode")))
    assert raw.signed("POST", path, body=message, key=decoder.key).status_code == 200
    other = make_account(raw, "elsewhere")
    key = other["access_key"], other["secret_key"]
    refused(raw.signed("POST", path, body=message, key=key), 400, "WHERRY.5810")
    for bad in ("x", message["encoded_message"][:-4], "gAAAAA" + "A" * 100):
        refused(raw.signed("POST", path, body={"encoded_message": bad}), 400, "WHERRY.5810")
    refused(raw.signed("POST", path, body={}), 400, "SMS.9001")


# Accounts.


def test_an_account_comes_with_its_administrator(raw: Raw) -> None:
    made = make_account(raw, "shop")
    key: Key = (made["access_key"], made["secret_key"])
    (domain,) = raw.signed("GET", "/v3/auth/domains", key=key).json()["domains"]
    assert (domain["id"], domain["name"]) == (made["id"], made["name"])
    assert raw.signed("GET", "/v3/sources", key=key).json()["count"] == 0
    (project,) = raw.signed("GET", "/v3/migprojects", key=key).json()["migprojects"]
    assert project["name"] == "SystemProject"
    (user,) = raw.signed("GET", f"{OWN}/users", key=key).json()["users"]
    assert (user["id"], user["name"], user["account_owner"]) == (made["user_id"], "admin", True)
    listed = {account["id"]: account for account in raw.get(f"{OWN}/accounts")["accounts"]}
    (found,) = raw.signed("GET", f"{OWN}/accounts", query=f"name={made['name']}").json()["accounts"]
    assert found == listed[made["id"]]
    page = raw.signed("GET", f"{OWN}/accounts", query="limit=1&offset=1").json()
    assert (page["count"], page["accounts"]) == (len(listed), list(listed.values())[1:2])
    assert listed[made["id"]]["administrator"] == {"id": user["id"], "name": "admin"}
    assert [account["operator"] for account in listed.values()].count(True) == 1
    refused(raw.signed("POST", f"{OWN}/accounts", body={"name": made["name"]}), 409, "WHERRY.5805")


def test_a_password_that_was_given_is_not_shown(raw: Raw) -> None:
    made = raw.post(f"{OWN}/accounts", {"name": unique("bank"), "administrator": "root", "password": PASSWORD})
    assert "password" not in made
    assert made["user_name"] == "root"
    user = {"name": "root", "password": PASSWORD, "domain": {"id": made["id"]}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    assert raw.bare("POST", "/v3/auth/tokens", json=login).status_code == 201


def test_only_the_operator_makes_accounts(raw: Raw, server: Server) -> None:
    made = make_account(raw, "tenant")
    deputy = make_user(raw, "deputy", "administrator")
    for key in ((made["access_key"], made["secret_key"]), deputy.key):
        body = refused(raw.signed("POST", f"{OWN}/accounts", body={"name": "x"}, key=key), 403, "SMS.9004")
        assert "wherry:account:create" in body["error_param"][0]
        refused(raw.signed("GET", f"{OWN}/accounts", key=key), 403, "SMS.9004")
    assert raw.signed("GET", f"{OWN}/accounts").status_code == 200
    assert server.admin.domain_id in {account["id"] for account in raw.get(f"{OWN}/accounts")["accounts"]}


def test_accounts_see_nothing_of_each_other(raw: Raw) -> None:
    made = make_account(raw, "island")
    key = made["access_key"], made["secret_key"]
    person, policy_id = make_user(raw, "hans"), make_policy(raw, "ours", allow("sms:*:*"))
    group = raw.post(f"{OWN}/groups", {"name": unique("ours")})["id"]
    for method, path, code in (
        ("GET", person.path, "WHERRY.5801"),
        ("PUT", person.path, "WHERRY.5801"),
        ("DELETE", person.path, "WHERRY.5801"),
        ("POST", f"{person.path}/access-keys", "WHERRY.5801"),
        ("GET", f"{person.path}/access-keys", "WHERRY.5801"),
        ("GET", f"{OWN}/groups/{group}", "WHERRY.5802"),
        ("DELETE", f"{OWN}/groups/{group}", "WHERRY.5802"),
        ("GET", f"{OWN}/policies/{policy_id}", "WHERRY.5803"),
        ("PUT", f"{OWN}/policies/{policy_id}", "WHERRY.5803"),
        ("DELETE", f"{OWN}/policies/{policy_id}", "WHERRY.5803"),
        ("PUT", f"{OWN}/users/{made['user_id']}/policies/{policy_id}", "WHERRY.5803"),
    ):
        body: dict[str, Any] | None = {} if method in {"POST", "PUT"} else None
        refused(raw.signed(method, path, body=body, key=key), 404, code)
    theirs = raw.signed("POST", f"{OWN}/groups", body={"name": "theirs"}, key=key).json()["id"]
    answer = raw.signed("PUT", f"{OWN}/groups/{theirs}/members/{person.id}", key=key)
    refused(answer, 404, "WHERRY.5801")
    assert raw.signed("GET", f"{OWN}/users", key=key).json()["count"] == 1
