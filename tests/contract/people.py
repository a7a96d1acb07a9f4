"""Accounts, users and policies for the tests, made over HTTP as an administrator makes them."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from tests.contract.running import Raw

Key = tuple[str, str]
OWN = "/wherry/v1"
PASSWORD = "correct horse battery"
READ_ONLY, FULL_ACCESS = "sms-read-only-access", "sms-full-access"


@dataclass(frozen=True)
class Person:
    """A user with an access key and a password."""

    id: str
    name: str
    account: str
    key: Key
    password: str = PASSWORD

    @property
    def path(self) -> str:
        return f"{OWN}/users/{self.id}"


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def make_user(raw: Raw, name: str, *policy_ids: str) -> Person:
    """Make a user of the administrator's account, with a key and with these policies."""
    name = unique(name)
    created = raw.post(f"{OWN}/users", {"name": name, "password": PASSWORD})
    path = f"{OWN}/users/{created['id']}"
    for policy_id in policy_ids:
        assert raw.put(f"{path}/policies/{policy_id}", None) == {}
    key = raw.post(f"{path}/access-keys", {})
    account = raw.get("/v3/auth/domains")["domains"][0]["name"]
    return Person(created["id"], name, account, (key["access_key"], key["secret_key"]))


def make_policy(raw: Raw, name: str, *statements: dict[str, Any], version: str = "5.0") -> str:
    """Make a policy and return its id."""
    document = {"Version": version, "Statement": list(statements)}
    return str(raw.post(f"{OWN}/policies", {"name": unique(name), "document": document})["id"])


def make_account(raw: Raw, name: str) -> dict[str, Any]:
    """Make an account; return how its administrator gets in."""
    created: dict[str, Any] = raw.post(f"{OWN}/accounts", {"name": unique(name)})
    return created


def log_in(
    raw: Raw,
    person: Person,
    *,
    password: str | None = None,
    scope: dict[str, Any] | None = None,
    path: str = "/v3/auth/tokens",
) -> httpx.Response:
    """Log in by name and password."""
    user = {"name": person.name, "password": password or person.password, "domain": {"name": person.account}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return raw.bare("POST", path, json={"auth": auth})


def token_of(raw: Raw, person: Person, **arguments: Any) -> str:
    """Log in and return the token."""
    answer = log_in(raw, person, **arguments)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["X-Subject-Token"])


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), **more}


def in_project(*projects: str, relation: str = "StringEquals") -> dict[str, Any]:
    """Return the condition that the enterprise project is one of these."""
    return {"Condition": {relation: {"g:EnterpriseProjectId": list(projects)}}}
