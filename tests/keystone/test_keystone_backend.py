"""The control plane with a real OpenStack Keystone: whose tokens count, what roles allow, what an outage does."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.contract import documents
from tests.contract.running import NO_RETRY, Raw, Server, running_server
from tests.keystone.cloud import PASSWORD, login
from tests.keystone.conftest import Cloud, LogIn, code, settings_file
from wherry.client.control_plane import ControlPlane, join

FORGOTTEN_S = 15.0


def register(raw: Raw, token: str) -> httpx.Response:
    return raw.by_token(token, "POST", "/v3/sources", json=documents.registration(f"web-{uuid.uuid4().hex[:8]}"))


def eventually(question: Callable[[], httpx.Response], status: int) -> httpx.Response:
    """Ask until the status comes: what was validated a moment ago still counts for some seconds."""
    deadline = time.monotonic() + FORGOTTEN_S
    answer = question()
    while answer.status_code != status and time.monotonic() < deadline:
        time.sleep(0.2)
        answer = question()
    assert answer.status_code == status, answer.text
    return answer


def test_a_token_that_keystone_gave_directly_counts(cloud: Cloud, raw: Raw) -> None:
    given = httpx.post(
        f"{cloud.keystone.url}/auth/tokens", json=login("member-of-alpha", project="alpha"), trust_env=False
    )
    token = given.headers["X-Subject-Token"]
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200


def test_a_login_through_the_control_plane_gives_keystones_own_answer(cloud: Cloud, raw: Raw) -> None:
    answer = raw.bare("POST", "/v3/auth/tokens", json=login("member-of-alpha", project="alpha"))
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["user"]["id"] == cloud.ids["member"]
    assert token["project"]["id"] == cloud.ids["alpha"]
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}
    assert "catalog" in token
    bare = raw.bare("POST", "/v3/auth/tokens?nocatalog=1", json=login("member-of-alpha", project="alpha"))
    assert "catalog" not in bare.json()["token"]


def test_a_project_named_as_clients_of_iam_do_is_found_in_the_users_domain(cloud: Cloud, raw: Raw) -> None:
    body = login("member-of-alpha", project="alpha", project_domain=False)
    answer = raw.bare("POST", "/v3/auth/tokens", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["token"]["project"]["id"] == cloud.ids["alpha"]


def test_a_wrong_password_and_a_body_without_sense_are_refused_in_keystones_words(raw: Raw) -> None:
    wrong = raw.bare("POST", "/v3/auth/tokens", json=login("member-of-alpha", "wrong", project="alpha"))
    assert wrong.status_code == 401
    assert wrong.json()["error"]["title"] == "Unauthorized"
    assert raw.bare("POST", "/v3/auth/tokens", content=b"{").status_code == 400
    assert raw.bare("POST", "/v3/auth/tokens", json={"auth": {}}).status_code == 400
    assert raw.bare("POST", "/v3/auth/tokens", json=[]).status_code == 400


def test_roles_are_policies(raw: Raw, log_in: LogIn) -> None:
    administrator, member, reader, guest = (
        log_in(f"{role}-of-alpha") for role in ("admin", "member", "reader", "guest")
    )
    assert register(raw, administrator).status_code == 200
    assert register(raw, member).status_code == 200
    assert code(register(raw, reader)) == (403, "SMS.9004")
    assert raw.by_token(reader, "GET", "/v3/sources").status_code == 200
    assert code(raw.by_token(guest, "GET", "/v3/sources")) == (403, "SMS.9004")
    new = {"role": "agent"}
    assert raw.by_token(administrator, "POST", "/wherry/v1/join-tokens", json=new).status_code == 200
    assert code(raw.by_token(member, "POST", "/wherry/v1/join-tokens", json=new)) == (403, "SMS.9004")


def test_projects_are_walls(raw: Raw, log_in: LogIn) -> None:
    alpha, beta = log_in("member-of-alpha"), log_in("member-of-beta", "beta")
    source_id = register(raw, alpha).json()["id"]
    assert raw.by_token(alpha, "GET", f"/v3/sources/{source_id}").status_code == 200
    assert raw.by_token(beta, "GET", f"/v3/sources/{source_id}").status_code == 404
    assert raw.by_token(beta, "GET", "/v3/sources").json()["count"] == 0
    assert raw.signed("GET", f"/v3/sources/{source_id}").status_code == 404


def test_an_agent_joins_the_account_of_whoever_made_its_join_token(server: Server, raw: Raw, log_in: LogIn) -> None:
    administrator = log_in("admin-of-alpha")
    token = raw.by_token(administrator, "POST", "/wherry/v1/join-tokens", json={"role": "agent"}).json()["token"]
    joined = join(server.endpoint, server.ca_file, token, "host-1", policy=NO_RETRY)
    key = (joined.access_key, joined.secret_key)
    answer = raw.signed("POST", "/v3/sources", body=documents.registration("joined"), key=key)
    assert answer.status_code == 200, answer.text
    found = raw.by_token(administrator, "GET", f"/v3/sources/{answer.json()['id']}")
    assert found.json()["name"] == "joined"
    with ControlPlane(server.endpoint, *key, server.ca_file, policy=NO_RETRY) as agent:
        assert agent.show_command(answer.json()["id"], wait_s=0).command_name


def test_keys_of_the_built_in_administrator_still_sign(raw: Raw) -> None:
    assert raw.signed("GET", "/v3/sources").status_code == 200
    assert len(raw.signed("GET", "/v3/projects").json()["projects"]) == 1


def test_what_is_no_token_with_a_role_is_refused(raw: Raw, log_in: LogIn) -> None:
    unscoped = log_in("member-of-alpha", "")
    for token in (unscoped, "nonsense", "x" * 5000, "gAAAAAB" + "A" * 180):
        assert code(raw.by_token(token, "GET", "/v3/sources")) == (401, "APIGW.0301")
    built_in = raw.bare("POST", "/v3/auth/tokens", json=login("admin", "whatever", domain="default", project="admin"))
    assert built_in.status_code == 401


def test_a_token_is_shown_within_its_account_only(raw: Raw, log_in: LogIn) -> None:
    alpha, other, beta = log_in("member-of-alpha"), log_in("reader-of-alpha"), log_in("member-of-beta", "beta")
    shown = raw.by_token(alpha, "GET", "/v3/auth/tokens", headers={"X-Subject-Token": other})
    assert shown.status_code == 200
    assert shown.json()["token"]["user"]["name"] == "reader-of-alpha"
    assert shown.headers["X-Subject-Token"] == other
    assert raw.by_token(alpha, "GET", "/v3/auth/tokens", headers={"X-Subject-Token": beta}).status_code == 404
    assert raw.by_token(alpha, "GET", "/v3/auth/tokens", headers={"X-Subject-Token": "no"}).status_code == 404
    assert raw.by_token(alpha, "GET", "/v3/auth/tokens").status_code == 400


def test_projects_are_listed_as_keystone_knows_them(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    user_id = cloud.admin.user("commuter", {cloud.ids["alpha"]: "reader", cloud.ids["beta"]: "reader"})
    token = log_in("commuter")
    listed = raw.by_token(token, "GET", "/v3/projects").json()["projects"]
    assert {line["name"] for line in listed} == {"alpha", "beta"}, user_id
    named = raw.by_token(token, "GET", "/v3/projects?name=beta").json()["projects"]
    assert [line["id"] for line in named] == [cloud.ids["beta"]]
    domains = raw.by_token(token, "GET", "/v3/auth/domains").json()["domains"]
    assert [line["id"] for line in domains] == [cloud.ids["alpha"]]


def test_a_token_is_changed_for_one_of_another_project(raw: Raw, cloud: Cloud, log_in: LogIn) -> None:
    cloud.admin.user("mover", {cloud.ids["alpha"]: "reader", cloud.ids["beta"]: "member"})
    first = log_in("mover", "alpha")
    auth = {
        "identity": {"methods": ["token"], "token": {"id": first}},
        "scope": {"project": {"id": cloud.ids["beta"]}},
    }
    second = raw.bare("POST", "/v3/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
    assert code(register(raw, first)) == (403, "SMS.9004")
    assert register(raw, second).status_code == 200


def test_an_application_credential_logs_in(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    token = log_in("member-of-alpha")
    answer = httpx.post(
        f"{cloud.keystone.url}/users/{cloud.ids['member']}/application_credentials",
        json={"application_credential": {"name": uuid.uuid4().hex, "roles": [{"name": "reader"}]}},
        headers={"X-Auth-Token": token},
        trust_env=False,
    )
    made = answer.json()["application_credential"]
    identity: dict[str, Any] = {
        "methods": ["application_credential"],
        "application_credential": {"id": made["id"], "secret": made["secret"]},
    }
    logged_in = raw.bare("POST", "/v3/auth/tokens", json={"auth": {"identity": identity}})
    assert logged_in.status_code == 201, logged_in.text
    assert code(register(raw, logged_in.headers["X-Subject-Token"])) == (403, "SMS.9004")


def test_a_revoked_token_dies(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    token = log_in("member-of-alpha")
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    cloud.admin.call("DELETE", "/auth/tokens", None, **{"X-Subject-Token": token})
    eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 401)


def test_a_lost_role_is_noticed(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    user_id = cloud.admin.user("leaver", {cloud.ids["alpha"]: "member"})
    token = log_in("leaver")
    assert raw.by_token(token, "GET", "/v3/sources").status_code == 200
    member = cloud.admin.role("member")
    cloud.admin.call("DELETE", f"/projects/{cloud.ids['alpha']}/users/{user_id}/roles/{member}")
    eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 401)


def test_the_control_plane_survives_the_end_of_its_own_token(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    token = log_in("member-of-alpha")
    cloud.admin.set_password(cloud.ids["wherry"], "changed")
    try:
        refused = eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 503)
        assert refused.headers["Retry-After"]
    finally:
        cloud.admin.set_password(cloud.ids["wherry"], PASSWORD)
    eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 200)


def test_an_outage_of_keystone_is_no_outage_of_agents(cloud: Cloud, raw: Raw, log_in: LogIn) -> None:
    token = log_in("member-of-alpha")
    cloud.keystone.stop()
    try:
        away = eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 503)
        assert away.headers["Retry-After"]
        assert raw.bare("POST", "/v3/auth/tokens", json=login("member-of-alpha", project="alpha")).status_code == 503
        assert raw.signed("GET", "/v3/sources").status_code == 200
        assert raw.bare("GET", "/readyz").status_code == 200
    finally:
        cloud.keystone.start()
    eventually(lambda: raw.by_token(token, "GET", "/v3/sources"), 200)


def test_a_domain_may_be_the_account(cloud: Cloud, tmp_path: Path) -> None:
    domain = cloud.admin.domain("customer")
    one, two = cloud.admin.project("one", domain), cloud.admin.project("two", domain)
    cloud.admin.user("ada", {one: "member"}, domain)
    cloud.admin.user("ben", {two: "reader"}, domain)
    cleo = cloud.admin.user("cleo", {}, domain)
    cloud.admin.grant_on_domain(domain, cleo, "admin")
    settings = settings_file(tmp_path / "keystone.toml", cloud.keystone, "domain")
    with running_server(tmp_path / "data", tls=False, options=["--keystone", str(settings)]) as server:
        raw = Raw(server)
        ada = _token(raw, login("ada", project="one", domain="customer"))
        ben = _token(raw, login("ben", project="two", domain="customer"))
        whole = login("cleo", domain="customer")
        whole["auth"]["scope"] = {"domain": {"name": "customer"}}
        source_id = register(raw, ada).json()["id"]
        assert raw.by_token(ben, "GET", f"/v3/sources/{source_id}").status_code == 200
        assert raw.by_token(ben, "DELETE", f"/v3/sources/{source_id}").status_code == 403
        assert raw.by_token(_token(raw, whole), "DELETE", f"/v3/sources/{source_id}").status_code == 200
        raw.close()


def _token(raw: Raw, body: dict[str, Any]) -> str:
    return str(raw.bare("POST", "/v3/auth/tokens", json=body).headers["X-Subject-Token"])
