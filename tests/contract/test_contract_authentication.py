"""Who is let in: signatures as different clients make them, tokens, and what a refusal looks like."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import documents
from tests.contract.running import JoinAs, Raw, Server
from tests.contract.vendor import vendor_client
from wherry.client.control_plane import ControlPlane
from wherry.client.errors import ControlPlaneError
from wherry.client.server_time import ServerTime
from wherry.contract.sources import Registration

AGENT_FORBIDDEN = (
    ("GET", "/v3/sources"),
    ("GET", "/v3/tasks"),
    ("POST", "/v3/tasks"),
    ("GET", "/wherry/v1/receivers"),
    ("POST", "/wherry/v1/join-tokens"),
)


def refused(answer: httpx.Response, reason: str = "") -> None:
    """Check that *answer* is a 401 in the gateway's shape."""
    assert answer.status_code == 401, answer.text
    body = answer.json()
    assert body["error_code"].startswith("APIGW.030")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert reason in body["error_msg"]


def test_nothing_is_refused(raw: Raw) -> None:
    refused(raw.bare("GET", "/v3/sources"))


def test_a_wrong_secret_is_refused(raw: Raw, server: Server) -> None:
    refused(raw.signed("GET", "/v3/sources", key=(server.admin.access_key, "wrong")))


def test_an_unknown_key_is_refused(raw: Raw) -> None:
    refused(raw.signed("GET", "/v3/sources", key=("UNKNOWNKEY0000000000", "secret")))


@pytest.mark.parametrize("skew_s", [-1000, 1000])
def test_a_wrong_clock_is_refused(raw: Raw, skew_s: float) -> None:
    refused(raw.signed("GET", "/v3/sources", skew_s=skew_s), "15 minutes")


@pytest.mark.parametrize("skew_s", [-800, 800])
def test_a_clock_that_is_somewhat_off_is_let_in(raw: Raw, skew_s: float) -> None:
    assert raw.signed("GET", "/v3/sources", skew_s=skew_s).status_code == 200


@pytest.mark.parametrize("token", ["", "bad", "x" * 16384, "gAAAAA=="])
def test_a_bad_token_is_refused(raw: Raw, token: str) -> None:
    refused(raw.by_token(token, "GET", "/v3/sources"))


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic YTpi",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=a",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=b, Signature=c",
    ],
)
def test_a_malformed_header_is_refused(raw: Raw, authorization: str) -> None:
    refused(raw.bare("GET", "/v3/sources", headers={"Authorization": authorization}))


def test_the_vendors_client_reads_a_refusal(server: Server) -> None:
    client = vendor_client(server, BasicCredentials(server.admin.access_key, "wrong"))
    with pytest.raises(ClientRequestException) as caught:
        client.list_servers(v3.ListServersRequest())
    assert caught.value.status_code == 401
    assert caught.value.error_code == "APIGW.0301"
    assert caught.value.error_msg
    assert caught.value.request_id


def test_a_changed_body_is_refused(raw: Raw, server: Server) -> None:
    sent = raw.signed("POST", "/v3/sources", content=b'{"name": "a"}').request
    headers = {name: sent.headers[name] for name in ("authorization", "x-sdk-date", "content-type")}
    refused(raw.bare("POST", "/v3/sources", content=b'{"name": "b"}', headers=headers))


# Clients of other languages sign other headers.


def test_the_go_sdk_signs_neither_host_nor_content_type(raw: Raw) -> None:
    answer = raw.signed(
        "POST",
        "/v3/sources",
        body=documents.registration("go"),
        headers={"user-agent": "huaweicloud-usdk-go/3.0"},
        signed_headers=("user-agent", "x-sdk-date"),
    )
    assert answer.status_code == 200, answer.text
    assert raw.signed("GET", "/v3/projects", query="name=region-1", signed_headers=("x-sdk-date",)).status_code == 200


def test_terraform_signs_accept_and_adds_the_project_afterwards(raw: Raw) -> None:
    content = b'{"name":"tf","os_type":"LINUX","ip":"192.0.2.1","agent_version":"1","os_version":"X"}\n'
    answer = raw.signed(
        "POST",
        "/v3/sources",
        content=content,
        headers={"accept": "application/json", "x-project-id": "a project of another region", "x-language": "en-us"},
        signed_headers=("accept", "content-type", "user-agent", "x-language", "x-sdk-date"),
    )
    assert answer.status_code == 200, answer.text


def test_a_java_client_sends_its_domain(raw: Raw, server: Server) -> None:
    headers = {"x-domain-id": server.admin.domain_id}
    names = ("content-type", "host", "x-domain-id", "x-sdk-date")
    assert raw.signed("GET", "/v3/sources", headers=headers, signed_headers=names).status_code == 200
    other = {"x-domain-id": "some other account"}
    mine = raw.signed("GET", "/v3/sources", headers=other, signed_headers=names)
    assert mine.json()["count"] == raw.signed("GET", "/v3/sources").json()["count"]


def test_a_key_without_value_in_the_query(raw: Raw) -> None:
    assert raw.signed("GET", "/v3/sources", query="id&limit=10").status_code == 200
    assert raw.signed("GET", "/v3/sources", query="name=a%20b%2F%C3%BC&connected=true&limit=10").status_code == 200


def test_node_sends_an_empty_object_with_a_get(raw: Raw, source_id: str) -> None:
    assert raw.signed("GET", f"/v3/sources/{source_id}", content=b"{}").status_code == 200
    assert raw.signed("DELETE", f"/v3/sources/{source_id}", content=b"{}").status_code == 200


def test_go_sends_chunked_empty_bodies(raw: Raw, server: Server, source_id: str) -> None:
    signed = raw.signed("GET", f"/v3/sources/{source_id}").request
    headers = {name: signed.headers[name] for name in ("authorization", "x-sdk-date", "content-type")}

    def nothing() -> Any:
        yield b""

    answer = raw.bare("GET", f"/v3/sources/{source_id}", content=nothing(), headers=headers)
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 200, answer.text


def test_the_vendors_client_with_a_project(server: Server) -> None:
    client = vendor_client(server, BasicCredentials(server.admin.access_key, server.admin.secret_key, "any project"))
    assert client.list_servers(v3.ListServersRequest(limit=1)).count >= 0


def test_the_vendors_client_with_a_region_finds_its_project(server: Server) -> None:
    credentials = BasicCredentials(server.admin.access_key, server.admin.secret_key).with_iam_endpoint(server.endpoint)
    config = HttpConfig.get_default_config()
    config.ssl_ca_cert = str(server.ca_file)
    builder = SmsClient.new_builder().with_http_config(config).with_credentials(credentials)
    client = builder.with_region(Region("region-77", server.endpoint)).build()
    assert client.list_servers(v3.ListServersRequest(limit=1)).count >= 0


def test_both_ways_lead_to_the_same_account(raw: Raw, server: Server, source_id: str) -> None:
    token = log_in(raw, server).headers["X-Subject-Token"]
    answer = raw.by_token(token, "GET", f"/v3/sources/{source_id}")
    assert answer.status_code == 200
    assert answer.json()["id"] == source_id


def login_body(server: Server, *, password: str | None = None, scope: dict[str, Any] | None = None) -> dict[str, Any]:
    user = {
        "name": server.admin.user_name,
        "password": server.admin.password if password is None else password,
        "domain": {"name": server.admin.domain_name},
    }
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def log_in(raw: Raw, server: Server, path: str = "/v3/auth/tokens", **arguments: Any) -> httpx.Response:
    answer = raw.bare("POST", path, json=login_body(server, **arguments))
    assert answer.status_code == 201, answer.text
    return answer


def test_a_login_for_a_project(raw: Raw, server: Server) -> None:
    answer = log_in(raw, server, scope={"project": {"name": "region-1"}, "domain": {"name": server.admin.domain_name}})
    token = answer.json()["token"]
    assert token["methods"] == ["password"]
    assert token["project"]["name"] == "region-1"
    assert token["project"]["domain"]["id"] == server.admin.domain_id
    assert "domain" not in token
    assert token["user"]["name"] == server.admin.user_name
    assert token["user"]["domain"] == {"id": server.admin.domain_id, "name": server.admin.domain_name}
    assert token["roles"]
    assert {service["type"] for service in token["catalog"]}
    assert token["expires_at"] > token["issued_at"]


def test_a_login_for_a_domain_and_without_a_catalog(raw: Raw, server: Server) -> None:
    scope = {"domain": {"name": server.admin.domain_name}}
    token = log_in(raw, server, "/v3/auth/tokens?nocatalog=1", scope=scope).json()["token"]
    assert token["domain"]["id"] == server.admin.domain_id
    assert "catalog" not in token
    assert "project" not in token


def test_a_login_by_token_gives_one_that_dies_with_it(raw: Raw, server: Server) -> None:
    first = log_in(raw, server)
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}},
            "scope": {"domain": {"name": server.admin.domain_name}},
        }
    }
    second = raw.bare("POST", "/v3/auth/tokens", json=body)
    assert second.status_code == 201, second.text
    assert second.json()["token"]["expires_at"] == first.json()["token"]["expires_at"]
    assert raw.by_token(second.headers["X-Subject-Token"], "GET", "/v3/sources").status_code == 200


def test_a_token_is_validated(raw: Raw, server: Server) -> None:
    answer = log_in(raw, server)
    token = answer.headers["X-Subject-Token"]
    shown = raw.by_token(token, "GET", "/v3/auth/tokens", headers={"X-Subject-Token": token})
    assert shown.status_code == 200
    assert shown.json()["token"]["user"] == answer.json()["token"]["user"]
    bad = raw.by_token(token, "GET", "/v3/auth/tokens", headers={"X-Subject-Token": "bad"})
    assert bad.status_code in {401, 404}
    assert bad.json()["error"]["code"] == bad.status_code


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"name": "nobody"}, 401),
        ({"domain": {"name": "nowhere"}}, 401),
        ({"password": None}, 400),
    ],
)
def test_a_bad_login_is_refused_in_keystones_shape(
    raw: Raw, server: Server, change: dict[str, Any], status: int
) -> None:
    body = login_body(server)
    body["auth"]["identity"]["password"]["user"] |= change
    answer = raw.bare("POST", "/v3/auth/tokens", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == status
    assert answer.json()["error"]["message"]
    assert answer.json()["error"]["title"]
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"auth": {}}', b"\xff"])
def test_a_login_that_is_none_is_a_bad_request(raw: Raw, content: bytes) -> None:
    answer = raw.bare("POST", "/v3/auth/tokens", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


def test_any_region_name_resolves_to_one_project(raw: Raw, server: Server) -> None:
    for name in ("region-1", "cn-north-4", "eu-west-0"):
        answer = raw.signed("GET", "/v3/projects", query=f"name={name}")
        assert answer.status_code == 200
        (project,) = answer.json()["projects"]
        assert project["name"] == name
        assert project["domain_id"] == server.admin.domain_id
        again = raw.signed("GET", "/v3/projects", query=f"name={name}").json()["projects"][0]
        assert again["id"] == project["id"]


def test_domains_are_the_callers_own(raw: Raw, server: Server) -> None:
    (domain,) = raw.get("/v3/auth/domains")["domains"]
    assert (domain["id"], domain["name"], domain["enabled"]) == (server.admin.domain_id, server.admin.domain_name, True)


# Agents may act for their own record only.


def test_an_agent_registers_and_acts_for_its_source(agent: ControlPlane) -> None:
    source_id = agent.register_server(registration_struct("agent-1"))
    assert agent.register_server(registration_struct("agent-1b")) == source_id
    assert agent.show_server(source_id).name == "agent-1b"
    assert agent.show_command(source_id, wait_s=0).command_name == "TASK_NOT_STARTED"
    agent.update_command_result(source_id, "START", "success", {"msg": "nothing"})


def registration_struct(name: str) -> Any:
    return msgspec.convert(documents.registration(name), Registration)


def test_an_agent_on_another_record_gets_the_documented_403(
    raw: Raw, server: Server, join_as: JoinAs, source_id: str, task_id: str
) -> None:
    access_key, secret_key, _ = join_as("agent", "intruder")
    key = (access_key, secret_key)
    own = raw.signed("POST", "/v3/sources", body=documents.registration("intruder"), key=key).json()["id"]
    assert own != source_id
    body = {"command_name": "START", "result": "success", "result_detail": {}}
    attempts = [
        raw.signed("POST", f"/v3/sources/{source_id}/command_result", body=body, key=key),
        raw.signed("GET", f"/v3/sources/{source_id}/command", key=key),
        raw.signed("GET", f"/v3/sources/{source_id}", key=key),
        raw.signed("POST", "/v3/sources", body=documents.registration("x", id=source_id), key=key),
        raw.signed(
            "PUT", f"/v3/sources/{source_id}/changestate", body={"copystate": "a", "migrationcycle": "b"}, key=key
        ),
        raw.signed("PUT", f"/v3/sources/{source_id}/diskinfo", body={"disks": []}, key=key),
        raw.signed("GET", f"/v3/tasks/{task_id}", key=key),
        raw.signed("GET", f"/v3/tasks/{task_id}/certkey", key=key),
        raw.signed("GET", f"/v3/tasks/{task_id}/passphrase", key=key),
        raw.signed("PUT", f"/v3/tasks/{task_id}/progress", body=documents.progress("SSL_CONFIG", 1), key=key),
        raw.signed("GET", f"/wherry/v1/tasks/{task_id}/route", key=key),
        raw.signed("PUT", f"/wherry/v1/tasks/{task_id}/replication", body={"phase": "copying"}, key=key),
        *(raw.signed(method, path, body={}, key=key) for method, path in AGENT_FORBIDDEN),
        raw.signed("DELETE", f"/v3/sources/{own}", key=key),
        raw.signed("DELETE", f"/v3/sources/{source_id}", key=key),
    ]
    for answer in attempts:
        forbidden(answer)
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "waiting"
    assert raw.signed("GET", f"/v3/sources/{own}", key=key).status_code == 200


def forbidden(answer: httpx.Response) -> None:
    """Check that *answer* is a 403 in the documented shape."""
    shown = f"{answer.request.method} {answer.request.url}: {answer.text}"
    assert answer.status_code == 403, shown
    body = answer.json()
    assert body["error_code"] == "SMS.9004", shown
    assert 0 < len(body["error_msg"]) <= 255, shown
    assert 0 < len(body["encoded_authorization_message"]) <= 65535
    assert 1 <= len(body["error_param"]) <= 20
    assert all(isinstance(item, str) and item for item in body["error_param"])
    assert 1 <= len(body["details"]) <= 20
    assert all(item["error_code"] == "SMS.9004" and item["error_msg"] for item in body["details"])
    assert answer.headers["X-Request-Id"]


def test_the_vendors_client_reads_a_403(server: Server, join_as: JoinAs, source_id: str) -> None:
    access_key, secret_key, _ = join_as("agent", "intruder-2")
    client = vendor_client(server, BasicCredentials(access_key, secret_key))
    body = v3.CommandBody(command_name="START", result="success", result_detail={})
    with pytest.raises(ClientRequestException) as caught:
        client.update_command_result(v3.UpdateCommandResultRequest(server_id=source_id, body=body))
    assert (caught.value.status_code, caught.value.error_code) == (403, "SMS.9004")
    assert caught.value.encoded_auth_msg


def test_an_agent_that_is_not_bound_may_register_only(raw: Raw, join_as: JoinAs, source_id: str) -> None:
    access_key, secret_key, _ = join_as("agent", "fresh")
    key = (access_key, secret_key)
    forbidden(raw.signed("GET", f"/v3/sources/{source_id}/command", key=key))
    forbidden(raw.signed("POST", "/v3/sources", body=documents.registration("x", id=source_id), key=key))
    assert raw.signed("POST", "/v3/sources", body=documents.registration("fresh"), key=key).status_code == 200


def test_a_client_whose_clock_is_far_off_finds_the_servers_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.control_plane() as client:
        monkeypatch.setattr(client._transport, "_server_time", ServerTime(lambda: time.time() - 86400))
        assert client.list_servers(limit=1).count >= 0
        with pytest.raises(ControlPlaneError):
            client.show_server("00000000-0000-4000-8000-000000000000")


def test_requests_that_were_signed_together_with_the_wrong_time_all_come_through(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, signed = threading.Barrier(4), threading.local()

    def behind() -> float:
        now = time.time() - 86400
        if not hasattr(signed, "once"):
            signed.once = True
            together.wait(30)  # nobody is refused before all have read the clock
        return now

    with server.control_plane() as client, ThreadPoolExecutor(together.parties) as pool:
        monkeypatch.setattr(client._transport, "_server_time", ServerTime(behind))
        asked = [pool.submit(client.list_servers, limit=1) for _ in range(together.parties)]
        assert all(each.result(30).count >= 0 for each in asked)
