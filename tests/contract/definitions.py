"""The published definition of the wire as tests use it: operations, models and limits.

Source: `operations.json` and `constraints.json`, which hold the machine facts of the vendor's SDK and of its reference.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a model.

    Attributes:
        type: in the SDK's own words: str, int, float, bool, object, dict(str, str), the name of a model; of a list the
            type of its items.
        many: whether it's a list of that type.
        limits: minLength, maxLength, minimum, maximum, minItems, maxItems, enum, pattern, where the reference has them.
    """

    name: str
    type: str
    many: bool
    limits: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """The name of its model; None for plain values."""
        return self.type if self.type in MODELS else None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: how it's called and the models of what it takes and answers."""

    id: str
    method: str
    path: str
    path_parameters: tuple[str, ...]
    query_parameters: tuple[str, ...]
    header_parameters: tuple[str, ...]
    request: str
    body: str | None
    answer: str


def paths(model: str, prefix: str = "") -> Iterator[str]:
    """Yield the place of every field of *model* and of the models in it: ``tasks[].sub_tasks[].name``."""
    for field in MODELS[model]:
        place = f"{prefix}{field.name}{'[]' if field.many else ''}"
        yield place
        if field.model is not None:
            yield from paths(field.model, f"{place}.")


def _fields(name: str, described: Mapping[str, Any], limits: Mapping[str, Any]) -> tuple[Field, ...]:
    fields = []
    for field, facts in described.items():
        kind = facts["type"]
        many = kind.startswith("list[")
        fields.append(
            Field(field, kind[5:-1] if many else kind, many, limits.get(name, {}).get(field, {})),
        )
    return tuple(fields)


def _names(parameters: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(parameter["name"] for parameter in parameters)


_published = json.loads((_HERE / "operations.json").read_text())
_limits = json.loads((_HERE / "constraints.json").read_text())

MODELS: Final[Mapping[str, tuple[Field, ...]]] = {
    name: _fields(name, described, _limits) for name, described in _published["models"].items()
}
"""The fields of every model."""

OPERATIONS: Final[Mapping[str, Operation]] = {
    facts["id"]: Operation(
        facts["id"],
        facts["method"],
        facts["path"],
        _names(facts["path_params"]),
        _names(facts["query_params"]),
        _names(facts["header_params"]),
        facts["request_model"],
        facts["body_model"],
        facts["response_model"],
    )
    for facts in _published["operations"]
}
"""The 49 operations by their ids."""
