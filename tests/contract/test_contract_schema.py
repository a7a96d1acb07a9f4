"""Requests made from the OpenAPI document by schemathesis, right ones and wrong ones, against a server of its own.

No answer may be a fault of the server, and each must be one that the document foresees: its status, its media type,
its schema. What a request is about exists every other time, so that requests get past "there's no such thing".

A bounded number of examples an operation, always the same; WHERRY_EXAMPLES=N makes as many as asked for, other ones
each time.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract import documents
from tests.contract.running import Raw, Server, running_server
from wherry.server.openapi import SHAPES

EXAMPLES = int(os.environ.get("WHERRY_EXAMPLES", "10"))
LONG = "WHERRY_EXAMPLES" in os.environ

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


POLICY = {"Version": "5.0", "Statement": [{"Effect": "Allow", "Action": ["sms:server:list"]}]}


@dataclass(frozen=True, slots=True)
class Target:
    """A server to be tried, what its document says, and how to get at things that exist in it."""

    server: Server
    schema: Any
    session: requests.Session
    raw: Raw

    def operation(self, operation_id: str) -> Any:
        """Return what schemathesis knows of an operation."""
        return self.schema.find_operation_by_id(operation_id)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of its own: requests at random may do to it what they like."""
    with running_server(tmp_path_factory.mktemp("schema") / "data", tls=False) as server:
        raw = Raw(server)
        session = requests.Session()
        session.trust_env = False
        session.headers["X-Auth-Token"] = _token(server, raw)
        yield Target(server, _schema(raw.bare("GET", "/openapi.json").json()), session, raw)
        session.close()
        raw.close()
    assert "Traceback" not in server.log.read_text(), "a request ended in a fault of the server"


def _token(server: Server, raw: Raw) -> str:
    user = {
        "name": server.admin.user_name,
        "password": server.admin.password,
        "domain": {"name": server.admin.domain_name},
    }
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    return str(raw.bare("POST", "/v3/auth/tokens", json=login).headers["X-Subject-Token"])


def _schema(document: Mapping[str, Any]) -> Any:
    generation = GenerationConfig(with_security_parameters=False, allow_x00=True, deterministic=not LONG)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_dict(dict(document), config=config)


def test_the_document_describes_every_operation(target: Target) -> None:
    assert {result.ok().definition.raw["operationId"] for result in target.schema.get_all_operations()} == SHAPES.keys()


@pytest.mark.parametrize("operation_id", sorted(SHAPES))
@pytest.mark.timeout(0 if LONG else 60)
def test_answers_are_as_the_document_says(target: Target, operation_id: str) -> None:
    operation = target.operation(operation_id)
    known = _existing(target)
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) if _has_input(operation) else right

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not LONG,
        database=None,
        phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=right | right | wrong, about_known=st.booleans())
    def holds(case: schemathesis.Case[Any], about_known: bool) -> None:
        if about_known:
            _make_about(case, known)
        case.call_and_validate(base_url=target.server.endpoint, session=target.session, checks=CHECKS)

    holds()


def test_the_token_still_works_after_all_that(target: Target) -> None:
    answer = target.session.get(f"{target.server.endpoint}/v3/sources")
    assert answer.status_code == 200, "the requests above would have shown refusals only"


def _has_input(operation: Any) -> bool:
    return bool(operation.body) or any(True for _ in operation.iter_parameters())


def _make_about(case: schemathesis.Case[Any], known: Mapping[str, str]) -> None:
    """Let a request be about what exists, wherever its path or its body names something."""
    path: Any = case.path_parameters or {}
    path.update({name: known[name] for name in path.keys() & known.keys()})
    body: Any = case.body
    if not isinstance(body, dict):
        return
    if isinstance(body.get("source_server"), dict):
        # What a new task says of itself is judged word by word; only right words get as far as the target's disks.
        body |= {"name": "tried", "type": "MIGRATE_BLOCK", "os_type": "LINUX", "migration_ip": "192.0.2.7"}
        body |= {"source_server": {"id": known["free_source_id"]}, "use_ipv6": False}
    if isinstance(body.get("task_info"), list):
        body["task_info"] = [{"task_id": known["task_id"]}]


def _existing(target: Target) -> Mapping[str, str]:
    """Make one thing of each kind and return their ids, by the names that parameters of paths have for them."""
    raw = target.raw
    source_id = raw.post("/v3/sources", documents.registration("tried"))["id"]
    task_id = raw.post("/v3/tasks", documents.task(source_id))["id"]
    made: Mapping[str, Callable[[], Any]] = {
        "id": lambda: raw.post("/v3/vm/templates", {"template": {"name": "tried"}}),
        "mig_project_id": lambda: _project(raw),
        "user_id": lambda: raw.post("/wherry/v1/users", {"name": _name(), "password": "tried and tried again"}),
        "group_id": lambda: raw.post("/wherry/v1/groups", {"name": _name()}),
        "policy_id": lambda: raw.post("/wherry/v1/policies", {"name": _name(), "document": POLICY}),
    }
    ids = {name: str(make()["id"]) for name, make in made.items()}
    key = raw.post(f"/wherry/v1/users/{ids['user_id']}/access-keys", {})["access_key"]
    joining = raw.post("/wherry/v1/join-tokens", {"role": "receiver"})["token"]
    joined = raw.post("/wherry/v1/join", {"token": joining, "name": _name()})
    free = raw.post("/v3/sources", documents.registration("free"))["id"]
    ids |= {"access_key": key, "receiver_id": joined["receiver_id"], "free_source_id": free}
    return {"source_id": source_id, "server_id": source_id, "task_id": task_id, **ids}


def _project(raw: Raw) -> Any:
    projects = raw.signed("GET", "/v3/migprojects", query="limit=100").json()["migprojects"]
    if len(projects) >= 40:  # an account may have 50
        return projects[-1]
    return raw.post("/v3/migprojects", {"name": _name(), "region": "r", "type": "MIGRATE_BLOCK"})


def _name() -> str:
    return f"tried-{uuid4().hex[:12]}"
