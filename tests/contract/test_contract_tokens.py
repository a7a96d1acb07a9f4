"""Tokens and temporary keys: scopes, validation, revocation, early death, and what the vendor's SDK makes of them."""

import time
from datetime import datetime
from typing import Any

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.internal import IamHelper
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_client import HttpClient
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdksms import v3

from tests.contract.people import FULL_ACCESS, READ_ONLY, Key, Person, log_in, make_account, make_user, token_of
from tests.contract.running import USUAL_HEADERS, Raw, Server
from tests.contract.vendor import vendor_client
from wherry.iam.keys import MasterKey
from wherry.iam.temporary_keys import TemporaryKeyIssuer
from wherry.iam.tokens import TokenIssuer

SECURITY_TOKENS = "/v3.0/OS-CREDENTIAL/securitytokens"
SIGNED = (*USUAL_HEADERS, "x-security-token")


@pytest.fixture(scope="module")
def rita(raw: Raw) -> Person:
    return make_user(raw, "rita", READ_ONLY)


def keystone(answer: httpx.Response, status: int) -> str:
    """Check that *answer* is a refusal in Keystone's shape; return its message."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == status
    assert error["title"]
    return str(error["message"])


def validated(raw: Raw, subject: str, by: str | None = None, query: str = "") -> httpx.Response:
    path = f"/v3/auth/tokens?{query}" if query else "/v3/auth/tokens"
    return raw.by_token(by or subject, "GET", path, headers={"X-Subject-Token": subject})


def revoke(raw: Raw, subject: str, by: str | None = None) -> httpx.Response:
    return raw.by_token(by or subject, "DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": subject})


@pytest.mark.parametrize(
    ("scope", "present", "absent"),
    [
        (None, (), ("project", "domain")),
        ({"project": {"name": "region-9"}}, ("project",), ("domain",)),
        ({"domain": {"name": "default"}}, ("domain",), ("project",)),
        ({"project": {"name": "region-9"}, "domain": {"name": "default"}}, ("project",), ("domain",)),
        ({"project": {"name": "region-9", "domain": {"name": "default"}}}, ("project",), ("domain",)),
    ],
)
def test_a_token_is_what_was_asked_for_and_validation_says_the_same(
    raw: Raw, rita: Person, scope: dict[str, Any] | None, present: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    answer = log_in(raw, rita, scope=scope)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert all(name in token for name in present)
    assert not any(name in token for name in absent)
    if "project" in present:
        assert token["project"]["name"] == "region-9"
    assert token["roles"] == []
    assert {service["type"] for service in token["catalog"]} >= {"sms", "identity", "ecs"}
    shown = validated(raw, answer.headers["X-Subject-Token"])
    assert shown.status_code == 200
    assert shown.json()["token"] == token
    assert shown.headers["X-Subject-Token"] == answer.headers["X-Subject-Token"]
    short = validated(raw, answer.headers["X-Subject-Token"], query="nocatalog=1").json()["token"]
    assert short == {name: value for name, value in token.items() if name != "catalog"}


def test_scopes_by_id(raw: Raw, server: Server, rita: Person) -> None:
    for scope, name in (
        ({"project": {"id": server.admin.project_id}}, "project"),
        ({"domain": {"id": server.admin.domain_id}}, "domain"),
    ):
        token = log_in(raw, rita, scope=scope, path="/v3/auth/tokens?nocatalog=true").json()["token"]
        assert token[name]["id"] == next(iter(scope.values()))["id"]
        assert "catalog" not in token


@pytest.mark.parametrize(
    "scope",
    [{"project": {"id": "another"}}, {"domain": {"id": "another"}}, {"domain": {"name": "another"}}],
)
def test_a_scope_that_is_not_the_users_is_refused(raw: Raw, rita: Person, scope: dict[str, Any]) -> None:
    keystone(log_in(raw, rita, scope=scope), 401)


def test_a_token_gets_another_of_another_scope(raw: Raw, rita: Person) -> None:
    first = log_in(raw, rita)
    body = {
        "auth": {
            "identity": {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}},
            "scope": {"project": {"name": "region-2"}},
        }
    }
    second = raw.bare("POST", "/v3/auth/tokens", json=body)
    assert second.status_code == 201
    assert second.json()["token"]["methods"] == ["token"]
    assert second.json()["token"]["project"]["name"] == "region-2"
    assert second.json()["token"]["expires_at"] == first.json()["token"]["expires_at"]


def test_validation_is_for_the_user_himself_and_for_who_may_look_at_users(
    raw: Raw, server: Server, rita: Person
) -> None:
    subject = token_of(raw, rita)
    other = make_user(raw, "nosy", FULL_ACCESS)
    assert validated(raw, subject, by=token_of(raw, other)).status_code == 403
    headers = {"x-subject-token": subject}
    assert raw.signed("GET", "/v3/auth/tokens", headers=headers).status_code == 200
    assert raw.signed("GET", "/v3/auth/tokens", headers=headers, key=rita.key).status_code == 200
    stranger = make_account(raw, "stranger")
    key: Key = (stranger["access_key"], stranger["secret_key"])
    keystone(raw.signed("GET", "/v3/auth/tokens", headers=headers, key=key), 404)
    keystone(raw.signed("GET", "/v3/auth/tokens", headers={"x-subject-token": "bad"}), 404)
    keystone(raw.signed("GET", "/v3/auth/tokens"), 400)
    keystone(raw.bare("GET", "/v3/auth/tokens", headers=headers), 401)


def test_a_revoked_token_is_dead_at_once_and_the_others_live(raw: Raw, rita: Person) -> None:
    one, two = token_of(raw, rita), token_of(raw, rita)
    assert raw.by_token(one, "GET", "/v3/sources").status_code == 200
    answer = revoke(raw, one, by=two)
    assert (answer.status_code, answer.content) == (204, b"")
    assert raw.by_token(one, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    assert raw.by_token(two, "GET", "/v3/sources").status_code == 200
    keystone(validated(raw, one, by=two), 404)
    keystone(revoke(raw, one, by=two), 404)
    assert revoke(raw, two).status_code == 204
    keystone(revoke(raw, two), 401)


def test_tokens_of_others_are_revoked_by_who_may_change_users(raw: Raw, rita: Person) -> None:
    subject = token_of(raw, rita)
    keystone(revoke(raw, subject, by=token_of(raw, make_user(raw, "meddler", FULL_ACCESS))), 403)
    assert raw.by_token(subject, "GET", "/v3/sources").status_code == 200
    answer = raw.signed("DELETE", "/v3/auth/tokens", headers={"x-subject-token": subject})
    assert answer.status_code == 204
    assert raw.by_token(subject, "GET", "/v3/sources").status_code == 401


def issuer(server: Server) -> TokenIssuer:
    return TokenIssuer(MasterKey.open(server.data / "master.key").box("tokens").fernet)


def era_of(raw: Raw, server: Server, person: Person) -> int:
    """Return the era that the tokens of *person* are of now."""
    return issuer(server).read(token_of(raw, person)).era


def test_an_expired_token_has_to_be_renewed(raw: Raw, server: Server, rita: Person) -> None:
    now = int(time.time() * 1000)
    domain, era = server.admin.domain_id, era_of(raw, server, rita)
    old, _ = issuer(server).issue(user_id=rita.id, domain_id=domain, era=era, now_ms=now - 25 * 3600 * 1000)
    assert raw.by_token(old, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    nearly, _ = issuer(server).issue(user_id=rita.id, domain_id=domain, era=era, now_ms=now, expires_at_ms=now + 1500)
    assert raw.by_token(nearly, "GET", "/v3/sources").status_code == 200
    time.sleep(1.6)
    assert raw.by_token(nearly, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"


# Temporary keys.


def temporary_key(raw: Raw, token: str, duration_s: int | None = None) -> dict[str, str]:
    proof: dict[str, Any] = {} if duration_s is None else {"duration_seconds": duration_s}
    body = {"auth": {"identity": {"methods": ["token"], "token": proof}}}
    answer = raw.by_token(token, "POST", SECURITY_TOKENS, json=body)
    assert answer.status_code == 201, answer.text
    credential: dict[str, str] = answer.json()["credential"]
    return credential


def with_temporary_key(raw: Raw, credential: dict[str, str], method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"x-security-token": more.pop("security_token", credential["securitytoken"])}
    key = credential["access"], more.pop("secret", credential["secret"])
    signed = more.pop("signed_headers", SIGNED)
    return raw.signed(method, path, headers=headers, signed_headers=signed, key=key, **more)


def lasts_s(credential: dict[str, str]) -> float:
    return datetime.fromisoformat(credential["expires_at"]).timestamp() - time.time()


def test_a_temporary_key_may_what_its_user_may(raw: Raw, rita: Person, source_id: str) -> None:
    credential = temporary_key(raw, token_of(raw, rita))
    assert set(credential) == {"access", "secret", "securitytoken", "expires_at"}
    assert 890 < lasts_s(credential) <= 900
    assert with_temporary_key(raw, credential, "GET", f"/v3/sources/{source_id}").status_code == 200
    assert with_temporary_key(raw, credential, "DELETE", f"/v3/sources/{source_id}").status_code == 403
    assert 21500 < lasts_s(temporary_key(raw, token_of(raw, rita), 21600)) <= 21600


def test_a_temporary_key_needs_its_security_token_and_its_secret(raw: Raw, rita: Person) -> None:
    one, other = temporary_key(raw, token_of(raw, rita)), temporary_key(raw, token_of(raw, rita))
    attempts = [
        raw.signed("GET", "/v3/sources", key=(one["access"], one["secret"])),
        with_temporary_key(raw, one, "GET", "/v3/sources", security_token=other["securitytoken"]),
        with_temporary_key(raw, one, "GET", "/v3/sources", security_token="bad"),
        with_temporary_key(raw, one, "GET", "/v3/sources", signed_headers=USUAL_HEADERS),
        with_temporary_key(raw, one, "GET", "/v3/sources", secret=other["secret"]),
        raw.signed(
            "GET",
            "/v3/sources",
            key=rita.key,
            headers={"x-security-token": one["securitytoken"]},
            signed_headers=SIGNED,
        ),
    ]
    for answer in attempts:
        assert answer.status_code == 401, answer.text
        assert answer.json()["error_code"] == "APIGW.0301"


def test_a_temporary_key_ends_with_its_time_its_token_and_its_user(raw: Raw, server: Server) -> None:
    person = make_user(raw, "temp", READ_ONLY)
    keys = TemporaryKeyIssuer(MasterKey.open(server.data / "master.key").box("temporary-keys").fernet)
    now = int(time.time() * 1000)
    over = keys.issue(
        user_id=person.id,
        domain_id=server.admin.domain_id,
        token_id="t",
        era=era_of(raw, server, person),
        now_ms=now - 10**6,
        duration_s=900,
        latest_ms=now,
    )
    old = {"access": over.access_key, "secret": over.secret_key, "securitytoken": over.security_token}
    assert with_temporary_key(raw, old, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    token = token_of(raw, person)
    credential = temporary_key(raw, token)
    assert with_temporary_key(raw, credential, "GET", "/v3/sources").status_code == 200
    assert revoke(raw, token).status_code == 204
    assert with_temporary_key(raw, credential, "GET", "/v3/sources").json()["error_code"] == "APIGW.0307"
    credential = temporary_key(raw, token_of(raw, person))
    assert with_temporary_key(raw, credential, "GET", "/v3/sources").status_code == 200
    raw.put(person.path, {"password": "another horse battery"})
    assert with_temporary_key(raw, credential, "GET", "/v3/sources").status_code == 401


def test_a_temporary_key_does_not_outlive_its_token(raw: Raw, server: Server, rita: Person) -> None:
    now = int(time.time() * 1000)
    token, _ = issuer(server).issue(
        user_id=rita.id,
        domain_id=server.admin.domain_id,
        era=era_of(raw, server, rita),
        now_ms=now,
        expires_at_ms=now + 60_000,
    )
    assert lasts_s(temporary_key(raw, token, 86400)) <= 60


@pytest.mark.parametrize(
    ("identity", "status"),
    [
        ({"methods": ["token"]}, 401),
        ({"methods": ["token"], "token": {"id": "bad"}}, 401),
        ({"methods": ["token"], "token": {"duration_seconds": 899}}, 400),
        ({"methods": ["token"], "token": {"duration_seconds": 86401}}, 400),
        ({"methods": ["assume_role"]}, 400),
        ({"methods": []}, 400),
        ({}, 400),
    ],
)
def test_a_bad_request_for_a_temporary_key(raw: Raw, identity: dict[str, Any], status: int) -> None:
    keystone(raw.bare("POST", SECURITY_TOKENS, json={"auth": {"identity": identity}}), status)


def test_a_narrower_policy_is_refused_rather_than_ignored(raw: Raw, rita: Person) -> None:
    identity = {"methods": ["token"], "token": {}, "policy": {"Version": "1.1", "Statement": []}}
    answer = raw.by_token(token_of(raw, rita), "POST", SECURITY_TOKENS, json={"auth": {"identity": identity}})
    assert "not supported" in keystone(answer, 400)


def test_the_vendors_sdk_gets_a_temporary_key_and_signs_with_it(
    raw: Raw, server: Server, rita: Person, source_id: str
) -> None:
    config = HttpConfig.get_default_config()
    config.ssl_ca_cert = str(server.ca_file)
    request = IamHelper.get_create_temporary_access_key_by_token_request(
        config, server.endpoint, token_of(raw, rita), 900
    )
    client = HttpClient(config, None, _Exceptions(), None)
    made = IamHelper.create_temporary_access_key_by_token(client, request)
    credentials = BasicCredentials(made["access"], made["secret"]).with_security_token(made["securitytoken"])
    sms = vendor_client(server, credentials)
    assert sms.show_server(v3.ShowServerRequest(source_id=source_id)).id == source_id
    with pytest.raises(ClientRequestException) as caught:
        sms.delete_server(v3.DeleteServerRequest(source_id=source_id))
    assert caught.value.status_code == 403
    broken = BasicCredentials(made["access"], made["secret"]).with_security_token(made["securitytoken"][:-2])
    with pytest.raises(ClientRequestException) as caught:
        vendor_client(server, broken).show_server(v3.ShowServerRequest(source_id=source_id))
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")


class _Exceptions:
    """What the vendor's HTTP client hands a refusal to."""

    def handle_exception(self, request: object, response: httpx.Response) -> None:
        raise AssertionError(f"{request}: {response.text}")
