"""The two ways in which tests call operations: by the vendor's SDK, and by plain HTTP with a body of any shape."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract.definitions import MODELS, Field, Operation
from tests.contract.filling import Json
from tests.contract.running import Raw
from tests.contract.vendor import build

OBJECTS_FOR_TEXTS = {"result_list"}
"""Lists whose items the newest definition calls texts and that are objects for all clients but one (`clients.md`)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its bytes, and what a client of some language makes of the JSON in it."""

    status: int
    content: bytes
    seen: Callable[[str, Json], Json]


class Caller(Protocol):
    """Calls operations."""

    def send(self, operation: Operation, body: Json | None, parameters: Mapping[str, Any]) -> Reply:
        """Call an operation; *parameters* are those of path, query and headers, in the SDK's spelling."""


@dataclass(frozen=True, slots=True)
class SdkCaller:
    """Calls by the vendor's SDK for Python."""

    client: SmsClient

    def send(self, operation: Operation, body: Json | None, parameters: Mapping[str, Any]) -> Reply:
        arguments = dict(parameters)
        if body is not None and operation.body is not None:
            arguments["body"] = build(getattr(v3, operation.body), body)
        request = getattr(v3, operation.request)(**arguments)
        answer = getattr(self.client, _snake(operation.id))(request)
        if hasattr(answer, "consume_download_stream"):
            chunks: list[bytes] = []
            answer.consume_download_stream(chunks.extend)
            return Reply(200, b"".join(chunks), lambda _model, wire: wire)
        return Reply(answer.status_code, answer.raw_content, lambda model, wire: _as_sdk_sees_it(answer, model, wire))


@dataclass(frozen=True, slots=True)
class PlainCaller:
    """Calls by plain HTTP, with the body as `twist` makes it."""

    raw: Raw
    twist: Callable[[Json, str], Json]

    def send(self, operation: Operation, body: Json | None, parameters: Mapping[str, Any]) -> Reply:
        path = operation.path
        for name in operation.path_parameters:
            path = path.replace(f"{{{name}}}", quote(str(parameters[name]), safe=""))
        query = {name: _query_text(parameters[name]) for name in operation.query_parameters if name in parameters}
        headers = {
            name.lower(): str(parameters[_snake_of_header(name)])
            for name in operation.header_parameters
            if _snake_of_header(name) in parameters
        }
        sent = None if body is None or operation.body is None else self.twist(body, operation.body)
        answer = self.raw.signed(
            operation.method, path, body=sent, query=urlencode(query, quote_via=quote), headers=headers
        )
        assert answer.status_code == 200, answer.text
        return Reply(answer.status_code, answer.content, lambda _model, wire: wire)


def numbers_as_texts(body: Json, model: str) -> Json:
    """Return *body* as clients of the first version write it: numbers and booleans as texts."""

    def text(value: Any, field: Field) -> Any:
        if field.type in {"int", "float"}:
            return str(value)
        return str(value).lower() if field.type == "bool" else value

    return _mapped(body, model, text)


def with_strangers(body: Json, model: str) -> Json:
    """Return *body* with fields that no version knows, in every object."""
    strangers = {"who_knows": {"what": [1, None]}, "state_of_the_art": "ü"}
    return {**_mapped(body, model, lambda value, _field: value, strangers), **strangers}


def _mapped(
    body: Json, model: str, change: Callable[[Any, Field], Any], added: Mapping[str, Any] | None = None
) -> Json:
    changed: Json = {}
    for field in MODELS[model]:
        value = body[field.name]
        below = field.model
        if below is None:
            changed[field.name] = [change(item, field) for item in value] if field.many else change(value, field)
        elif field.many:
            changed[field.name] = [{**_mapped(item, below, change, added), **(added or {})} for item in value]
        else:
            changed[field.name] = {**_mapped(value, below, change, added), **(added or {})}
    return changed


def _as_sdk_sees_it(seen: Any, model: str, wire: Mapping[str, Any]) -> Json:
    """Return what an object of the SDK holds under the names of the wire."""
    names = {name: python for python, name in getattr(v3, model).attribute_map.items()}
    found: Json = {}
    for each in MODELS[model]:
        value, sent = getattr(seen, names[each.name]), wire.get(each.name)
        if value is None or each.name in OBJECTS_FOR_TEXTS:
            found[each.name] = sent
        elif each.model is None:
            found[each.name] = value
        elif each.many:
            assert sent is not None
            found[each.name] = [
                _as_sdk_sees_it(item, each.model, below) for item, below in zip(value, sent, strict=True)
            ]
        else:
            assert sent is not None
            found[each.name] = _as_sdk_sees_it(value, each.model, sent)
    return found


def _query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _snake_of_header(name: str) -> str:
    return name.lower().replace("-", "_")


def _snake(operation_id: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation_id).lower()
