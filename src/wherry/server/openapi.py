"""The OpenAPI 3.1 document, generated from the route table and the structs of the contract.

Nothing in it is written by hand but the words that no struct can tell: examples, headers, and how to authenticate. A
route without an entry among the shapes of the contract appears with its parameters only; a test finds it.
Source: OpenAPI 3.1.1.
"""

import importlib.metadata
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wherry.contract.access_operations import ACCESS_OPERATIONS
from wherry.contract.envelope import ErrorEnvelope, KeystoneError
from wherry.contract.notification_operations import NOTIFICATION_OPERATIONS
from wherry.contract.operations import OPERATIONS, OperationShape
from wherry.contract.own_operations import ABOUT_OPERATIONS, IAM_OPERATIONS, WHERRY_OPERATIONS
from wherry.contract.values import Wire
from wherry.server.openapi_examples import BODIES, PARAMETERS
from wherry.server.openapi_refusals import refusals, shared_refusals
from wherry.server.openapi_schemas import Schema, Schemas
from wherry.server.openapi_sdk import BODY_MODELS
from wherry.server.openapi_texts import DESCRIPTION, FILES, HEADERS, RESPONSE_HEADERS, SECURITY, TAGS, tag_of
from wherry.server.route import Route

SHAPES: Mapping[str, OperationShape] = {
    **OPERATIONS,
    **IAM_OPERATIONS,
    **WHERRY_OPERATIONS,
    **ACCESS_OPERATIONS,
    **NOTIFICATION_OPERATIONS,
    **ABOUT_OPERATIONS,
}
"""Every operation that has a shape, by its id in the document."""

_CREATED = frozenset({"CreateToken", "CreateTemporaryKey"})
_SILENT = frozenset({"RevokeToken"})
"""Operations that answer 204 and no body."""

_MADE_IDS: Mapping[str, Sequence[str]] = {
    "RegisterServer": ("source_id", "server_id"),
    "CreateTask": ("task_id",),
    "CreateTemplate": ("id",),
    "CreateMigproject": ("mig_project_id",),
    "CreateUser": ("user_id",),
    "CreateGroup": ("group_id",),
    "CreatePolicy": ("policy_id",),
    "CreateSubscription": ("subscription_id",),
    "TestSubscription": ("delivery_id",),
}
"""Operations whose answer's id is what these parameters of paths take."""

_ID_SCHEMA: Schema = {"type": "string", "minLength": 1, "maxLength": 36}
_PATH_SCHEMAS: Mapping[str, Schema] = {
    "checkpoint": {"type": "integer", "minimum": 0},
    "version": {"type": "string", "minLength": 1, "maxLength": 10, "pattern": "^v[.0-9a-zA-Z]*$"},
    "code": {"type": "string", "minLength": 1, "maxLength": 32},
}
_BY_CALL = {(shape.method, shape.path): (name, shape) for name, shape in SHAPES.items()}


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of *routes*."""
    described = [(route, *_described(route)) for route in routes]
    shapes = [shape for _, _, shape in described if shape is not None]
    queries = [shape.query for shape in shapes if shape.query is not None]
    schemas = Schemas(_structs(shapes))
    paths: dict[str, dict[str, Any]] = {}
    for route, name, shape in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, name, shape, schemas)
    for route, name, _ in described:
        if name in _MADE_IDS:
            links = _links(_MADE_IDS[name], ((other, called) for other, called, _ in described))
            paths[route.path][route.method.lower()]["responses"]["200"]["links"] = links
    used = {tag_of(route.path) for route in routes}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Wherry",
            "version": importlib.metadata.version("wherry"),
            "summary": "Server migration with the SMS v3 protocol",
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This control plane"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS if name in used],
        "paths": paths,
        "components": {
            "schemas": schemas.components(without=queries),
            "responses": shared_refusals(),
            "headers": RESPONSE_HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def undescribed(routes: Iterable[Route]) -> list[str]:
    """Return the calls of *routes* that no shape of the contract describes."""
    return [f"{route.method} {route.path}" for route in routes if (route.method, route.path) not in _BY_CALL]


def _described(route: Route) -> tuple[str, OperationShape | None]:
    return _BY_CALL.get((route.method, route.path), (route.operation, None))


def _structs(shapes: Iterable[OperationShape]) -> Iterable[type[Wire]]:
    for shape in shapes:
        yield from (kind for kind in (shape.answer, shape.body, shape.query) if kind is not None)
    yield from (ErrorEnvelope, KeystoneError)


def _operation(route: Route, name: str, shape: OperationShape | None, schemas: Schemas) -> dict[str, Any]:
    summary, description = _texts(route)
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [tag_of(route.path)],
        "summary": summary,
        "description": "\n\n".join(filter(None, (description, _permission(route)))),
        "parameters": [*_path_parameters(route), *_query_parameters(shape, schemas), *HEADERS.get(name, ())],
        "responses": {
            **_success(name, shape, schemas),
            **refusals(route, has_body=shape is not None and shape.body is not None),
        },
    }
    if shape is not None and shape.body is not None:
        operation["requestBody"] = _body(name, schemas.reference(shape.body))
    if route.anonymous:
        operation["security"] = []
    else:
        operation["security"] = [{"token": []}, {"signature": []}]
        operation["x-callers"] = sorted(route.callers)
        operation["x-iam-action"] = route.action
    if name in OPERATIONS:
        operation["x-sms"] = {"bodyModel": BODY_MODELS.get(name, "")}
    return operation


def _texts(route: Route) -> tuple[str, str]:
    """Return the first line of the handler's docstring without its full stop, and the rest."""
    text = (inspect.getdoc(route.handler) or route.operation).replace("``", "`")
    first, _, rest = text.partition("\n\n")
    return re.sub(r"(?<!\.)\.$", "", re.sub(r"\s+", " ", first)), rest


def _permission(route: Route) -> str:
    if route.anonymous:
        return "No authentication."
    *others, last = (f"{kind}s" for kind in sorted(route.callers, reverse=True))
    callers = f"{', '.join(others)} and {last}" if others else last
    needs = f"Users need the action `{route.action}`. " if route.action else ""
    return f"{needs}May be called by {callers}."


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in route.parameter_names:
        schema = _PATH_SCHEMAS.get(name, _ID_SCHEMA)
        yield {"name": name, "in": "path", "required": True, "schema": schema, "example": PARAMETERS[name]}


def _query_parameters(shape: OperationShape | None, schemas: Schemas) -> Iterable[dict[str, Any]]:
    if shape is None or shape.query is None:
        return
    for name, schema, required in schemas.properties(shape.query):
        yield {"name": name, "in": "query", "required": required, "schema": schema}


def _body(name: str, reference: Schema) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reference}
    if name in BODIES:
        content["example"] = BODIES[name]
    return {"required": True, "content": {"application/json": content}}


def _links(names: Sequence[str], operations: Iterable[tuple[Route, str]]) -> dict[str, Any]:
    """Return links to the operations whose path takes the id that was answered, under one of *names*."""
    return {
        called: {"operationId": called, "parameters": {parameter: "$response.body#/id"}}
        for route, called in operations
        for parameter in route.parameter_names
        if parameter in names
    }


def _success(name: str, shape: OperationShape | None, schemas: Schemas) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if name in _SILENT:
        return {"204": {"description": "Done.", "headers": headers}}
    if name in FILES:
        content: dict[str, Any] = {kind: {"schema": schema} for kind, schema in FILES[name].items()}
    elif shape is None or shape.answer is None:
        content = {"application/json": {"schema": {"type": "object"}}}
    else:
        content = {"application/json": {"schema": schemas.reference(shape.answer)}}
    if name in {"CreateToken", "ShowToken"}:
        headers["X-Subject-Token"] = {"$ref": "#/components/headers/X-Subject-Token"}
    status = "201" if name in _CREATED else "200"
    return {status: {"description": "Done.", "headers": headers, "content": content}}
