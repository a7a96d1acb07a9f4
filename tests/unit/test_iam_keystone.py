"""Keystone's documents: logins as clients send them, answers as the reference shows them."""

import msgspec
import pytest

from wherry.contract import iam as wire
from wherry.contract.decoding import decode
from wherry.iam import keystone
from wherry.iam.directory import Project, User
from wherry.iam.tokens import Scope, TokenClaims

NOW = 1_769_592_600_000
USER = User("u1", "anna", "d1", "default", password_hash="secret-hash", account_owner=True)
PROJECT = Project("p1", "region-1", "d1")


def login(text: str) -> keystone.PasswordLogin | keystone.TokenLogin:
    return keystone.read_login(decode(text.encode(), wire.TokenRequest))


def test_the_references_example_of_a_login() -> None:
    parsed = login(
        '{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "anna", "password": "pw", '
        '"domain": {"name": "default"}}}}, "scope": {"project": {"name": "region-1"}}}}'
    )
    assert isinstance(parsed, keystone.PasswordLogin)
    assert (parsed.user.name, parsed.user.domain_name, parsed.password) == ("anna", "default", "pw")
    assert parsed.scope == keystone.ScopeWish(Scope.PROJECT, "", "region-1")


def test_a_login_by_token_for_a_domain() -> None:
    parsed = login(
        '{"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}, "scope": {"domain": {"id": "d1"}}}}'
    )
    assert parsed == keystone.TokenLogin("t", keystone.ScopeWish(Scope.DOMAIN, "d1", ""))


def test_project_wins_over_domain() -> None:
    parsed = login(
        '{"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}, '
        '"scope": {"domain": {"id": "d1"}, "project": {"id": "p1"}}}}'
    )
    assert parsed.scope == keystone.ScopeWish(Scope.PROJECT, "p1", "")


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        ('{"methods": []}', keystone.LoginMalformed),
        ('{"methods": ["password"]}', keystone.LoginMalformed),
        ('{"methods": ["password"], "password": {"user": {"password": "pw"}}}', keystone.LoginMalformed),
        ('{"methods": ["token"]}', keystone.LoginMalformed),
        ('{"methods": ["password", "totp"]}', keystone.MethodUnsupported),
        ('{"methods": ["assume_role"]}', keystone.MethodUnsupported),
    ],
)
def test_a_login_that_says_too_little_is_refused(identity: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        login('{"auth": {"identity": ' + identity + "}}")


def claims(scope: Scope) -> TokenClaims:
    return TokenClaims(
        "r", "u1", "d1", scope, "p1" if scope is Scope.PROJECT else "", ("password",), NOW, NOW + 86_400_000
    )


@pytest.mark.parametrize(
    ("scope", "has", "lacks"), [(Scope.PROJECT, "project", "domain"), (Scope.DOMAIN, "domain", "project")]
)
def test_the_token_document_shows_its_scope(scope: Scope, has: str, lacks: str) -> None:
    service = keystone.catalog_service(name="sms", kind="sms", url="https://host:1")
    token = msgspec.to_builtins(keystone.token_answer(claims(scope), USER, PROJECT, [service]))["token"]
    assert has in token
    assert lacks not in token
    assert token["issued_at"] == "2026-01-28T09:30:00.000000Z"
    assert token["expires_at"] == "2026-01-29T09:30:00.000000Z"
    assert token["user"] == {
        "id": "u1",
        "name": "anna",
        "password_expires_at": "",
        "domain": {"id": "d1", "name": "default"},
    }
    assert token["roles"] == [{"id": "0", "name": "te_admin"}]
    assert token["catalog"][0]["endpoints"][0]["url"] == "https://host:1"


def test_nocatalog_leaves_the_catalog_out() -> None:
    token = msgspec.to_builtins(keystone.token_answer(claims(Scope.USER), USER, None))["token"]
    assert not {"catalog", "project", "domain"} & token.keys()


def test_lists_of_projects_and_domains() -> None:
    projects = msgspec.to_builtins(keystone.project_list([PROJECT], "https://host/v3/projects"))
    assert projects["projects"][0]["links"] == {"self": "https://host/v3/projects/p1", "next": None, "previous": None}
    assert projects["projects"][0]["is_domain"] is False
    assert projects["projects"][0]["parent_id"] == "d1"
    domains = msgspec.to_builtins(keystone.domain_list("d1", "default", "https://host/v3/auth/domains"))
    assert domains["domains"][0]["id"] == "d1"
    assert domains["links"] == {"self": "https://host/v3/auth/domains"}


def test_refusals_in_the_shape_of_keystone() -> None:
    assert msgspec.to_builtins(keystone.error_body(401, "no")) == {
        "error": {"code": 401, "message": "no", "title": "Unauthorized"}
    }
