"""JSON schemas of the wire structs, as the OpenAPI document has them.

msgspec derives them; here they are made fit for a reader: texts lose the indentation of the source, and the null that
only says "may be left out" goes where a parameter can't be null.
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from wherry.contract.values import Wire

Schema = dict[str, Any]

_PREFIX = "#/components/schemas/"


class Schemas:
    """The schemas of a set of structs, each under one name, and references to them."""

    def __init__(self, kinds: Iterable[type[Wire]]) -> None:
        self._kinds = tuple(dict.fromkeys(kinds))
        references, components = msgspec.json.schema_components(self._kinds, ref_template=_PREFIX + "{name}")
        self._references = dict(zip(self._kinds, references, strict=True))
        self._components = {name: _tidy(schema) for name, schema in sorted(components.items())}
        self._describe_raw_values()

    def reference(self, kind: type[Wire]) -> Schema:
        """Return a reference to the schema of *kind*, which must be one of the set."""
        return dict(self._references[kind])

    def properties(self, kind: type[Wire]) -> list[tuple[str, Schema, bool]]:
        """Return name, schema without null, and "required" of each field of *kind*, for parameters."""
        schema = self._components[self._references[kind]["$ref"].removeprefix(_PREFIX)]
        required = set(schema.get("required", ()))
        return [(name, _without_null(found), name in required) for name, found in schema.get("properties", {}).items()]

    def _describe_raw_values(self) -> None:
        """Say of values that are kept unread that they can't be null, which counts as "not sent"."""
        for schema in self._components.values():
            for name in schema.get("required", ()):
                if not schema["properties"][name]:
                    schema["properties"][name] = {"description": "Any JSON value but null.", "not": {"type": "null"}}

    def components(self, *, without: Iterable[type[Wire]] = ()) -> dict[str, Schema]:
        """Return the schemas by name, those of *without* left out."""
        dropped = {self._references[kind]["$ref"].removeprefix(_PREFIX) for kind in without}
        return {name: schema for name, schema in self._components.items() if name not in dropped}


def _tidy(schema: Any) -> Any:
    """Return *schema* with clean texts, and without defaults that only say that a field may be left out."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    tidied: Schema = {}
    for name, value in schema.items():
        if name == "default" and value is None:
            continue
        tidied[name] = inspect.cleandoc(value) if name == "description" and isinstance(value, str) else _tidy(value)
    return tidied


def _without_null(schema: Schema) -> Schema:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**{name: value for name, value in schema.items() if name != "anyOf"}, **choices[0]}
    if None in schema.get("enum", ()):
        return {**schema, "enum": [value for value in schema["enum"] if value is not None]}
    return schema
