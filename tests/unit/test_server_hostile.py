"""Whatever a client sends, it never gets a 5xx, always an envelope and always an X-Request-Id."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.server_harness import Harness, control_plane, created, registration, task
from wherry.server.route import ErrorShape
from wherry.server.routes import ROUTES

ANONYMOUS = {route.operation for route in ROUTES if route.anonymous}
WITH_BODY = [route for route in ROUTES if route.method in {"POST", "PUT"}]
DEEP = 200_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


class Target:
    """A control plane that lives as long as the module, on a loop of its own."""

    def __init__(self, data: Path) -> None:
        self.runner = asyncio.Runner()
        self.plane = control_plane(data)
        self.harness: Harness = self.runner.run(self.plane.__aenter__())
        self.admin: httpx.AsyncClient = self.runner.run(self.harness.admin())
        self.source = self.runner.run(created(self.admin, "/v3/sources", registration()))
        self.task = self.runner.run(created(self.admin, "/v3/tasks", task(self.source)))

    def close(self) -> None:
        self.runner.run(self.plane.__aexit__(None, None, None))
        self.runner.close()

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self.runner.run(self.admin.request(method, path, **arguments))

    def path(self, path: str) -> str:
        """Return a route's path with ids of things that exist."""
        filled = path.replace("{source_id}", self.source).replace("{server_id}", self.source)
        filled = filled.replace("{task_id}", self.task).replace("{checkpoint}", "1")
        return "/".join("4711" if segment.startswith("{") else segment for segment in filled.split("/"))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    opened = Target(tmp_path_factory.mktemp("hostile") / "data")
    yield opened
    opened.close()


def check(answer: httpx.Response, shape: ErrorShape = ErrorShape.SMS) -> None:
    assert answer.status_code < 500, answer.text
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    if answer.status_code >= 400:
        message = body["error"]["message"] if shape is ErrorShape.KEYSTONE else body["error_msg"]
        assert message
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.operation)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b"[" * DEEP + b"]" * DEEP,
        b'{"name": "' + b"x" * 100_000 + b'"}',
        b'{"name": "\\u0000", "result_detail": "\\ud800"}',
        b'{"ids": [null, 1, "", {}]}',
        b'{"progress": 1e400, "memory": 123456789012345678901234567890}',
    ],
    ids=lambda body: repr(body[:16]),
)
def test_bodies_that_are_none(target: Target, route: Any, body: bytes) -> None:
    check(target.send(route.method, target.path(route.path), content=body), route.errors)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(WITH_BODY), body=json_values)
def test_any_json(target: Target, route: Any, body: Any) -> None:
    check(target.send(route.method, target.path(route.path), content=json.dumps(body).encode()), route.errors)


VALID = {
    "RegisterServer": registration("fuzzed"),
    "CreateTask": task("source"),
    "UpdateCommandResult": {"command_name": "START", "result": "success", "result_detail": {}},
    "UpdateCopyState": {"copystate": "replicate", "migrationcycle": "replicating"},
    "UpdateTaskStatus": {"operation": "stop"},
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), operation=st.sampled_from(sorted(VALID)))
def test_valid_bodies_with_one_field_spoiled(target: Target, data: st.DataObject, operation: str) -> None:
    body = dict(VALID[operation])
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(json_values)
    route = next(route for route in ROUTES if route.operation == operation)
    check(target.send(route.method, target.path(route.path), content=json.dumps(body).encode()))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["/v3/sources", "/v3/tasks", "/v3/errors", "/v3/vm/templates", "/v3/migprojects", "/v3/projects"]
    ),
    query=st.dictionaries(
        st.sampled_from(["limit", "offset", "state", "connected", "name", "id", "ip", "vm_id", "x"]),
        st.text(max_size=300),
        max_size=4,
    ),
)
def test_any_query(target: Target, path: str, query: dict[str, str]) -> None:
    shape = ErrorShape.KEYSTONE if path == "/v3/projects" else ErrorShape.SMS
    check(target.send("GET", path, params=query), shape)


@pytest.mark.parametrize("query", ["limit=%ff", "a=1&" * 200, "%", "=&=", "limit=1&limit=2", "?id&limit=10", "limit=١"])
def test_queries_that_are_none(target: Target, query: str) -> None:
    check(target.send("GET", f"/v3/sources?{query}"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    segments=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
)
def test_any_path(target: Target, segments: list[str], method: str) -> None:
    path = "/v3/" + "/".join(segment.encode("utf-8", "surrogatepass").hex() for segment in segments)
    check(target.send(method, path))


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_told_what_is_allowed(target: Target, method: str) -> None:
    answer = target.send(method, "/v3/sources")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    check(answer)


def test_a_path_that_is_too_long(target: Target) -> None:
    answer = target.send("GET", "/v3/sources/" + "x" * 40_000)
    assert (answer.status_code, answer.json()["error_code"]) == (414, "APIGW.0201")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if not route.anonymous], ids=lambda route: f"{route.method} {route.path}"
)
def test_nobody_gets_anything_without_credentials(target: Target, route: Any) -> None:
    answer = target.runner.run(target.harness.client().request(route.method, target.path(route.path), content=b"{}"))
    assert answer.status_code == 401
    check(answer, route.errors)


def test_a_fault_of_the_control_plane_is_a_500_without_its_inside(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any) -> None:
        message = "the secret inside"
        raise RuntimeError(message)

    monkeypatch.setattr("wherry.ledger.sources.find_page", broken)
    answer = target.send("GET", "/v3/sources")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "APIGW.0201")
    assert "secret" not in answer.text
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
