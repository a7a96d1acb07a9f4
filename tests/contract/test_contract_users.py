"""Users, their access keys and groups over HTTP: made, shown, changed, deleted, and what that does to their tokens."""

import re
from typing import Any

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdksms import v3

from tests.contract.people import FULL_ACCESS, OWN, PASSWORD, READ_ONLY, Person, log_in, make_user, token_of, unique
from tests.contract.running import Raw, Server
from tests.contract.vendor import vendor_client


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that *answer* is a refusal in the envelope, and return it."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error_code"] == code, body
    assert body["cause"]
    assert body["fix"]
    return body


def test_a_user_is_made_shown_listed_and_deleted(raw: Raw) -> None:
    name = unique("anna")
    created = raw.post(f"{OWN}/users", {"name": name, "password": PASSWORD, "description": "moves servers"})
    assert created == {
        "id": created["id"],
        "name": name,
        "enabled": True,
        "account_owner": False,
        "has_password": True,
        "description": "moves servers",
        "created_at": created["created_at"],
    }
    path = f"{OWN}/users/{created['id']}"
    assert raw.get(path) == {**created, "groups": [], "policies": []}
    listed = raw.signed("GET", f"{OWN}/users", query=f"name={name}").json()
    assert listed == {"count": 1, "users": [created]}
    assert raw.signed("DELETE", path).json() == {}
    refused(raw.signed("GET", path), 404, "WHERRY.5801")
    refused(raw.signed("DELETE", path), 404, "WHERRY.5801")


def test_users_are_listed_by_pages(raw: Raw) -> None:
    everyone = raw.get(f"{OWN}/users")
    assert everyone["count"] == len(everyone["users"])
    names = [user["name"] for user in everyone["users"]]
    assert names == sorted(names)
    assert "admin" in names
    page = raw.signed("GET", f"{OWN}/users", query="limit=1&offset=1").json()
    assert page == {"count": everyone["count"], "users": everyone["users"][1:2]}
    beyond = raw.signed("GET", f"{OWN}/users", query="offset=60000").json()
    assert beyond == {"count": everyone["count"], "users": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " anna"},
        {"name": "anna\n"},
        {"name": "a/b"},
        {"name": "a" * 65},
        {"name": "anna", "password": "short"},
        {"name": "anna", "password": 12345678},
        {"name": "anna", "enabled": "perhaps"},
    ],
)
def test_a_user_that_cannot_be_is_a_bad_request(raw: Raw, body: dict[str, Any]) -> None:
    refused(raw.signed("POST", f"{OWN}/users", body=body), 400, "SMS.9001")


def test_a_password_must_not_tell_the_name(raw: Raw) -> None:
    name = unique("berta")
    refused(
        raw.signed("POST", f"{OWN}/users", body={"name": name, "password": f"x{name.upper()}x"}), 400, "WHERRY.5811"
    )


def test_names_are_unique(raw: Raw) -> None:
    person, other = make_user(raw, "carla"), make_user(raw, "dora")
    refused(raw.signed("POST", f"{OWN}/users", body={"name": person.name}), 409, "WHERRY.5805")
    refused(raw.signed("PUT", other.path, body={"name": person.name}), 409, "WHERRY.5805")
    assert raw.put(other.path, {"name": other.name})["name"] == other.name


def test_a_user_without_a_password_cannot_log_in(raw: Raw) -> None:
    created = raw.post(f"{OWN}/users", {"name": unique("robot")})
    assert created["has_password"] is False
    person = Person(created["id"], created["name"], "default", ("", ""))
    assert log_in(raw, person).status_code == 401


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(raw: Raw) -> None:
    person = make_user(raw, "emil", READ_ONLY)
    token = token_of(raw, person)
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    assert raw.put(person.path, {"enabled": False})["enabled"] is False
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 401
    assert log_in(raw, person).status_code == 401
    assert raw.put(person.path, {"enabled": True})["enabled"] is True
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.by_token(token_of(raw, person), "GET", "/v3/sources").status_code == 200


def test_a_new_password_counts_at_once(raw: Raw) -> None:
    person = make_user(raw, "fritz", READ_ONLY)
    token = token_of(raw, person)
    raw.put(person.path, {"password": "another horse battery"})
    assert raw.by_token(token, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    assert log_in(raw, person).status_code == 401
    assert log_in(raw, person, password="another horse battery").status_code == 201
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200


def test_a_deleted_user_takes_everything_with_him(raw: Raw) -> None:
    person = make_user(raw, "gustav", READ_ONLY)
    token = token_of(raw, person)
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    assert raw.signed("DELETE", person.path).status_code == 200
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 401
    assert log_in(raw, person).status_code == 401


def test_the_administrator_stays(raw: Raw, server: Server) -> None:
    (admin,) = raw.signed("GET", f"{OWN}/users", query=f"name={server.admin.user_name}").json()["users"]
    assert admin["account_owner"] is True
    refused(raw.signed("DELETE", f"{OWN}/users/{admin['id']}"), 409, "WHERRY.5808")
    refused(raw.signed("PUT", f"{OWN}/users/{admin['id']}", body={"enabled": False}), 409, "WHERRY.5808")


def test_nobody_becomes_the_administrator_by_changing_him(raw: Raw, server: Server) -> None:
    deputy = make_user(raw, "deputy", "administrator")
    (admin,) = raw.signed("GET", f"{OWN}/users", query=f"name={server.admin.user_name}").json()["users"]
    path = f"{OWN}/users/{admin['id']}"
    assert raw.signed("GET", path, key=deputy.key).status_code == 200
    for method, place, body in (
        ("PUT", path, {"password": PASSWORD}),
        ("DELETE", path, None),
        ("POST", f"{path}/access-keys", {}),
        ("DELETE", f"{path}/access-keys/{server.admin.access_key}", None),
        ("PUT", f"{path}/policies/{READ_ONLY}", None),
    ):
        answer = raw.signed(method, place, body=body, key=deputy.key)
        assert "himself only" in decoded(raw, refused(answer, 403, "SMS.9004"))


def decoded(raw: Raw, refusal: dict[str, Any]) -> str:
    message = {"encoded_message": refusal["encoded_authorization_message"]}
    return str(raw.post(f"{OWN}/decode-authorization-message", message)["decoded_message"])


# Access keys.


def test_an_access_key_is_made_listed_switched_and_deleted(raw: Raw) -> None:
    person = make_user(raw, "heidi", READ_ONLY)
    made = raw.post(f"{person.path}/access-keys", {"description": "Terraform"})
    assert re.fullmatch(r"[A-Z0-9]{20}", made["access_key"])
    assert re.fullmatch(r"[A-Za-z0-9]{40}", made["secret_key"])
    key = made["access_key"], made.pop("secret_key")
    listed = raw.get(f"{person.path}/access-keys")
    assert listed["count"] == 2
    assert listed["access_keys"][1] == made
    assert (made["enabled"], made["description"], made["user_id"]) == (True, "Terraform", person.id)
    assert raw.signed("GET", "/v3/sources", key=key).status_code == 200
    path = f"{person.path}/access-keys/{key[0]}"
    assert raw.put(path, {"enabled": False}) == {**made, "enabled": False}
    assert raw.signed("GET", "/v3/sources", key=key).status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    assert raw.put(path, {"enabled": True, "description": "CI"})["description"] == "CI"
    assert raw.signed("GET", "/v3/sources", key=key).status_code == 200
    assert raw.signed("DELETE", path).json() == {}
    assert raw.signed("GET", "/v3/sources", key=key).status_code == 401
    refused(raw.signed("DELETE", path), 404, "WHERRY.5804")


def test_tokens_die_when_a_key_is_switched_or_deleted_but_not_when_one_is_made(raw: Raw) -> None:
    person = make_user(raw, "ines", READ_ONLY)
    token = token_of(raw, person)
    path = f"{person.path}/access-keys/{person.key[0]}"
    made = raw.post(f"{person.path}/access-keys", {})
    raw.put(path, {"description": "still the same"})
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    raw.put(path, {"enabled": False})
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    token = token_of(raw, person)
    raw.signed("DELETE", f"{person.path}/access-keys/{made['access_key']}")
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401


def test_a_key_belongs_to_its_user(raw: Raw) -> None:
    one, other = make_user(raw, "jan"), make_user(raw, "karl")
    refused(raw.signed("DELETE", f"{other.path}/access-keys/{one.key[0]}"), 404, "WHERRY.5804")
    assert raw.signed("GET", "/v3/auth/domains", key=one.key).status_code == 200


def test_a_user_has_a_few_keys_only(raw: Raw) -> None:
    person = make_user(raw, "lena")
    for _ in range(9):
        raw.post(f"{person.path}/access-keys", {})
    refused(raw.signed("POST", f"{person.path}/access-keys", body={}), 409, "WHERRY.5809")


def test_the_vendors_client_works_with_such_a_key(raw: Raw, server: Server, source_id: str) -> None:
    person = make_user(raw, "max", FULL_ACCESS)
    client = vendor_client(server, BasicCredentials(*person.key))
    assert client.show_server(v3.ShowServerRequest(source_id=source_id)).id == source_id


# Looking after oneself.


def test_a_user_looks_after_his_keys_by_a_token(raw: Raw) -> None:
    person = make_user(raw, "nina")
    token = token_of(raw, person)
    assert raw.by_token(token, "GET", person.path).json()["name"] == person.name
    made = raw.by_token(token, "POST", f"{person.path}/access-keys", json={})
    assert made.status_code == 200
    key = made.json()["access_key"], made.json()["secret_key"]
    assert raw.signed("GET", "/v3/auth/domains", key=key).status_code == 200
    refused(raw.signed("POST", f"{person.path}/access-keys", body={}, key=key), 403, "SMS.9004")
    other = make_user(raw, "olaf")
    refused(raw.by_token(token, "GET", other.path), 403, "SMS.9004")
    refused(raw.by_token(token, "POST", f"{other.path}/access-keys", json={}), 403, "SMS.9004")
    refused(raw.by_token(token, "PUT", person.path, json={"description": "boss"}), 403, "SMS.9004")
    refused(raw.by_token(token, "PUT", f"{person.path}/policies/administrator"), 403, "SMS.9004")


def test_a_user_changes_his_password(raw: Raw) -> None:
    person = make_user(raw, "paul")
    token, path = token_of(raw, person), f"{person.path}/password"
    new = "yet another battery"
    for body in (
        {"original_password": "wrong", "password": new},
        {"original_password": PASSWORD, "password": PASSWORD},
        {"original_password": PASSWORD, "password": f"{person.name} battery"},
    ):
        refused(raw.by_token(token, "POST", path, json=body), 400, "WHERRY.5811")
    body = {"original_password": PASSWORD, "password": new}
    refused(raw.by_token(token_of(raw, make_user(raw, "quirin")), "POST", path, json=body), 403, "SMS.9004")
    assert raw.by_token(token, "POST", path, json=body).json() == {}
    assert raw.by_token(token, "GET", "/v3/auth/domains").status_code == 401
    assert log_in(raw, person).status_code == 401
    assert log_in(raw, person, password=new).status_code == 201


# Groups.


def test_what_a_group_may_its_members_may(raw: Raw) -> None:
    person = make_user(raw, "rosa")
    group = raw.post(f"{OWN}/groups", {"name": unique("readers"), "description": "Who reads"})
    path = f"{OWN}/groups/{group['id']}"
    assert raw.get(path) == {**group, "members": [], "policies": []}
    assert raw.signed("GET", f"{OWN}/groups", query=f"name={group['name']}").json() == {"count": 1, "groups": [group]}
    raw.put(f"{path}/policies/{READ_ONLY}", None)
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    token = token_of(raw, person)
    raw.put(f"{path}/members/{person.id}", None)
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 200
    assert raw.get(path)["members"] == [{"id": person.id, "name": person.name}]
    assert raw.get(path)["policies"] == [{"id": READ_ONLY, "name": "SMS ReadOnlyAccess"}]
    assert raw.get(person.path)["groups"] == [{"id": group["id"], "name": group["name"]}]
    token = token_of(raw, person)
    raw.put(f"{path}/members/{person.id}", None)  # again: nothing changes, and no token dies
    raw.put(f"{path}/policies/{READ_ONLY}", None)
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    assert raw.signed("DELETE", f"{path}/policies/{READ_ONLY}").status_code == 200
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 401
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    raw.put(f"{path}/policies/{READ_ONLY}", None)
    assert raw.signed("DELETE", f"{path}/members/{person.id}").status_code == 200
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    raw.put(f"{path}/members/{person.id}", None)
    assert raw.signed("DELETE", path).json() == {}
    assert raw.signed("GET", "/v3/sources", key=person.key).status_code == 403
    refused(raw.signed("GET", path), 404, "WHERRY.5802")


def test_groups_take_members_and_names_of_their_account_only(raw: Raw) -> None:
    group = raw.post(f"{OWN}/groups", {"name": unique("movers")})
    refused(raw.signed("POST", f"{OWN}/groups", body={"name": group["name"]}), 409, "WHERRY.5805")
    path = f"{OWN}/groups/{group['id']}"
    refused(raw.signed("PUT", f"{path}/members/nobody"), 404, "WHERRY.5801")
    refused(raw.signed("PUT", f"{path}/policies/nothing"), 404, "WHERRY.5803")
    refused(raw.signed("PUT", f"{OWN}/groups/nothing/members/nobody"), 404, "WHERRY.5802")
