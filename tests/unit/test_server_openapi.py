"""The OpenAPI document is valid, complete, and says of every operation what the published definition says."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wherry.contract.operations import OPERATIONS
from wherry.server.openapi import SHAPES, build_document, undescribed
from wherry.server.openapi_examples import BODIES, PARAMETERS
from wherry.server.openapi_sdk import BODY_MODELS
from wherry.server.openapi_texts import FILES, HEADERS, TAGS
from wherry.server.routes import ROUTES

PUBLISHED = json.loads((Path(__file__).parent.parent / "contract" / "operations.json").read_text())
MODELS: Mapping[str, Mapping[str, Any]] = PUBLISHED["models"]
PAGES = frozenset({"ShowExplorer", "ShowExplorerFile"})
ANSWERED_OTHERWISE = {"ShowConsistencyResultResponse": {"result_list"}}  # objects here, texts in the newest definition
DOCUMENTED = [route for route in ROUTES if route.operation not in PAGES]
DOCUMENT = build_document(DOCUMENTED)
CALLS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SERVED = [operation for operation in PUBLISHED["operations"] if operation["id"] in CALLS]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and "or null"."""
    if "$ref" in schema:
        found: Any = DOCUMENT
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return resolved(found)
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return resolved(choices[0]) if len(choices) == 1 else schema


def missing(model: str, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield the published fields of *model* that *schema* lacks."""
    properties = resolved(schema).get("properties", {})
    for name, published in MODELS[model].items():
        if name not in properties:
            yield f"{place}{name}"
            continue
        kind, found = published["type"], resolved(properties[name])
        while kind.startswith("list["):
            kind = kind[5:-1]
            found = resolved(found.get("items", {}))
        if kind in MODELS and name not in ANSWERED_OTHERWISE.get(model, ()):
            yield from missing(kind, found, f"{place}{name}.")


def lost(example: Any, decoded: Any, place: str = "") -> Iterator[str]:
    """Yield what an example holds that the struct doesn't know, or knows otherwise."""
    if isinstance(example, dict):
        for name, value in example.items():
            yield from lost(value, decoded.get(name), f"{place}.{name}")
    elif isinstance(example, list):
        for index, value in enumerate(example):
            yield from lost(value, decoded[index], f"{place}[{index}]")
    elif example != decoded:
        yield place


def content_of(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    (success,) = (operation["responses"][status] for status in operation["responses"] if status.startswith("2"))
    content: Mapping[str, Any] = success["content"]
    return content


def test_the_document_is_valid() -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.validate(DOCUMENT)


def test_every_route_is_in_the_document_once() -> None:
    assert undescribed(DOCUMENTED) == []
    assert {(method, path) for method, path, _ in CALLS.values()} == {(r.method, r.path) for r in DOCUMENTED}
    assert len(CALLS) == len(DOCUMENTED)


def test_every_described_operation_is_served() -> None:
    # That all of SMS v3 is served is for the tests of the route table to say.
    assert set(SHAPES) - set(OPERATIONS) <= set(CALLS)


@pytest.mark.parametrize("published", SERVED, ids=lambda published: published["id"])
def test_an_operation_has_every_published_parameter_and_field(published: Mapping[str, Any]) -> None:
    method, path, operation = CALLS[published["id"]]
    assert (method, path) == (published["method"], published["path"])
    given = {(parameter["in"], parameter["name"]) for parameter in operation["parameters"]}
    for kind in ("path", "query", "header"):
        assert {(kind, parameter["name"]) for parameter in published[f"{kind}_params"]} <= given
    if published["body_model"]:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert list(missing(published["body_model"], body)) == []
    if set(MODELS[published["response_model"]]) - {"body"}:
        answer = content_of(operation)["application/json"]["schema"]
        assert list(missing(published["response_model"], answer)) == []


@pytest.mark.parametrize("published", PUBLISHED["operations"], ids=lambda published: published["id"])
def test_sample_code_names_the_models_of_the_sdk(published: Mapping[str, Any]) -> None:
    assert BODY_MODELS.get(published["id"]) == published["body_model"]


@pytest.mark.parametrize("name", CALLS)
def test_an_operation_tells_everything_that_a_client_needs(name: str) -> None:
    _, path, operation = CALLS[name]
    assert operation["summary"]
    assert not operation["summary"].endswith(".") or operation["summary"].endswith("...")
    assert operation["tags"][0] in {tag for tag, _ in TAGS} - {"Other"}
    in_path = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", path))
    statuses = set(operation["responses"])
    assert {"500", "503"} <= statuses
    assert operation["security"] in ([], [{"token": []}, {"signature": []}])
    if operation["security"]:
        assert {"401", "403"} <= statuses
    shape = SHAPES[name]
    assert ("requestBody" in operation) == (shape.body is not None)
    if shape.answer is None:
        assert set(content_of(operation)) == set(FILES[name])
    for status in statuses - {"200", "201", "204"}:
        refusal = resolved(resolved(operation["responses"][status])["content"]["application/json"]["schema"])
        keystone = path.startswith(("/v3/auth", "/v3.0/")) or path == "/v3/projects"
        assert refusal["title"] == ("KeystoneError" if keystone else "ErrorEnvelope")


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.body is not None])
def test_every_body_has_an_example_that_is_one(name: str) -> None:
    shape = SHAPES[name]
    decoded = msgspec.json.decode(msgspec.json.encode(BODIES[name]), type=shape.body)
    assert list(lost(BODIES[name], json.loads(msgspec.json.encode(decoded)))) == []


def test_examples_and_headers_belong_to_operations_that_exist() -> None:
    assert set(BODIES) == {name for name, shape in SHAPES.items() if shape.body is not None}
    assert set(HEADERS) <= set(SHAPES)
    assert set(BODY_MODELS) <= set(OPERATIONS)
    assert {name for route in DOCUMENTED for name in route.parameter_names} == set(PARAMETERS)


def test_what_is_created_links_to_what_can_be_done_with_it() -> None:
    _, _, created = CALLS["CreateTask"]
    links = created["responses"]["200"]["links"]
    assert {"ShowTask", "UpdateTaskStatus", "DeleteTask", "ShowRoute", "ShowProof"} <= set(links)
    for name, (_, _, operation) in CALLS.items():
        in_path = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert (name in links) == ("task_id" in in_path)
        for link in operation["responses"].get("200", {}).get("links", {}).values():
            (parameter,) = link["parameters"]
            _, path, _ = CALLS[link["operationId"]]
            assert f"{{{parameter}}}" in path


def test_schemas_have_plain_names_and_clean_texts() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z]\w*", name)
        assert "\n    " not in schema.get("description", "")
    assert b'"default":null' not in msgspec.json.encode(DOCUMENT)


def test_nothing_is_described_that_no_operation_uses() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    for kind in ("schemas", "responses", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_parameters_of_the_query_are_never_null() -> None:
    _, _, operation = CALLS["ListServers"]
    by_name = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert by_name["limit"]["schema"] == {"type": "integer", "minimum": 0, "maximum": 200}
    assert by_name["connected"]["schema"] == {"type": "boolean"}
    assert by_name["state"]["schema"] == {"$ref": "#/components/schemas/SourceState"}
    assert all(not parameter["required"] for parameter in by_name.values())


def test_a_result_detail_is_anything_but_null() -> None:
    detail = DOCUMENT["components"]["schemas"]["CommandReport"]["properties"]["result_detail"]
    assert detail["not"] == {"type": "null"}
    assert "anyOf" not in detail
