"""Users with policies, and two accounts on one control plane; made in the ledger, as no HTTP call makes them yet."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract import documents
from tests.contract.running import Raw, Server, running_server
from wherry.contract.installation import AdminFile
from wherry.iam.keys import MasterKey, generate_key_pair
from wherry.iam.passwords import hash_password
from wherry.ledger import accounts, credentials
from wherry.ledger.ledger import Ledger, open_ledger
from wherry.ledger.transaction import Transaction
from wherry.server.installation import create_account

Key = tuple[str, str]


@dataclass
class People:
    """The keys of those whom `populate` makes, and the password of Rita, who reads."""

    keys: dict[str, Key] = field(default_factory=dict)
    password: str = "only reads"


POLICIES: dict[str, dict[str, Any]] = {
    "nobody": {},
    "rita": {"SMS ReadOnlyAccess": None},
    "olga": {"SMS FullAccess": None},
    "careful": {
        "SMS FullAccess": None,
        "no deleting": {"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["sms:server:delete*"]}]},
    },
}


async def populate(data: Path, people: People) -> None:
    """Give the account of *data* users with policies, and add a second account with its own administrator."""
    box = MasterKey.open(data / "master.key").box("access-keys")
    ledger = open_ledger(data / "ledger.sqlite3")
    try:
        (account,) = await ledger.read(accounts.every)
        for name, policies in POLICIES.items():
            pair = generate_key_pair()
            people.keys[name] = (pair.access_key, pair.secret_key)
            await add_user(ledger, account.id, name, people, policies, box.seal(pair.secret_key))
        pair = generate_key_pair()
        people.keys["stranger"] = (pair.access_key, pair.secret_key)
        other = AdminFile("", "", uuid4().hex, "other", uuid4().hex, "admin", "pw", pair.access_key, pair.secret_key)
        await create_account(ledger, other, box)
    finally:
        await ledger.close()


async def add_user(
    ledger: Ledger, account_id: str, name: str, people: People, policies: dict[str, Any], sealed_secret: str
) -> None:
    now = int(time.time() * 1000)
    user = accounts.UserRow(
        id=str(uuid4()),
        account_id=account_id,
        name=name,
        password_hash=hash_password(people.password),
        enabled=True,
        account_owner=False,
        policies=policies,
        created_at=now,
    )
    key = credentials.AccessKeyRow(
        access_key=people.keys[name][0],
        account_id=account_id,
        kind="user",
        user_id=user.id,
        name=name,
        sealed_secret=sealed_secret,
        enabled=True,
        source_id=None,
        receiver_id=None,
        created_at=now,
    )

    def unit(tx: Transaction) -> None:
        accounts.insert_user(tx.connection, user)
        credentials.insert_key(tx.connection, key)

    await ledger.write(unit)


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, people: People) -> Iterator[Server]:
    """A control plane of its own, for these tests."""
    data = tmp_path_factory.mktemp("accounts") / "data"
    with running_server(data):
        pass
    asyncio.run(populate(data, people))
    with running_server(data) as running:
        yield running


@pytest.fixture(scope="module")
def raw(server: Server) -> Iterator[Raw]:
    client = Raw(server)
    yield client
    client.close()


def forbidden(answer: httpx.Response, action: str, resource: str) -> None:
    assert answer.status_code == 403, answer.text
    body = answer.json()
    assert body["error_code"] == "SMS.9004"
    assert action in body["error_param"][0]
    assert resource in body["error_param"][0]
    assert body["details"][0]["error_msg"] == body["error_param"][0]
    assert body["encoded_authorization_message"]


def test_a_reader_reads_and_changes_nothing(raw: Raw, server: Server, people: People, source_id: str) -> None:
    key = people.keys["rita"]
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


def test_a_readers_token_reads_too(raw: Raw, server: Server, people: People, source_id: str) -> None:
    user = {"name": "rita", "password": people.password, "domain": {"name": server.admin.domain_name}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    answer = raw.bare("POST", "/v3/auth/tokens", json=login)
    assert answer.status_code == 201
    token = answer.headers["X-Subject-Token"]
    assert raw.by_token(token, "GET", f"/v3/sources/{source_id}").status_code == 200
    forbidden(raw.by_token(token, "DELETE", f"/v3/sources/{source_id}"), "sms:server:delete", source_id)


def test_a_user_without_policies_may_nothing(raw: Raw, people: People, source_id: str) -> None:
    key = people.keys["nobody"]
    forbidden(raw.signed("GET", "/v3/sources", key=key), "sms:server:list", ":server:*")
    forbidden(raw.signed("GET", f"/v3/sources/{source_id}", key=key), "sms:server:get", source_id)
    assert raw.signed("GET", "/v3/auth/domains", key=key).status_code == 200


def test_full_access_runs_migrations_and_lets_nobody_in(raw: Raw, people: People, source_id: str) -> None:
    key = people.keys["olga"]
    task_id = raw.signed("POST", "/v3/tasks", body=documents.task(source_id), key=key).json()["id"]
    action = {"operation": "start"}
    assert raw.signed("POST", f"/v3/tasks/{task_id}/action", body=action, key=key).status_code == 200
    forbidden(raw.signed("POST", "/wherry/v1/join-tokens", body={"role": "agent"}, key=key), "wherry:joinToken", "")


def test_a_deny_beats_full_access(raw: Raw, people: People, source_id: str) -> None:
    key = people.keys["careful"]
    assert raw.signed("GET", f"/v3/sources/{source_id}", key=key).status_code == 200
    forbidden(raw.signed("DELETE", f"/v3/sources/{source_id}", key=key), "sms:server:delete", source_id)
    assert raw.get(f"/v3/sources/{source_id}")["id"] == source_id


def test_what_belongs_to_another_account_does_not_exist(raw: Raw, people: People, source_id: str, task_id: str) -> None:
    key = people.keys["stranger"]
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


def test_an_id_of_another_account_registers_nothing_there(raw: Raw, people: People, source_id: str) -> None:
    key = people.keys["stranger"]
    answer = raw.signed("POST", "/v3/sources", body=documents.registration("taken", id=source_id), key=key)
    assert answer.status_code == 200
    assert answer.json()["id"] != source_id
    assert raw.get(f"/v3/sources/{source_id}")["name"] != "taken"
    assert raw.signed("DELETE", f"/v3/sources/{answer.json()['id']}", key=key).status_code == 200


def test_a_token_is_no_key_to_another_account(raw: Raw, server: Server, people: People) -> None:
    user = {"name": server.admin.user_name, "password": server.admin.password, "domain": {"name": "other"}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    assert raw.bare("POST", "/v3/auth/tokens", json=login).status_code == 401
