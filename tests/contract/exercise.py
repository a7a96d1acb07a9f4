"""Calls of operations that are held to the published definition, field by field.

A call must fill every field of its body; of its answer every field must be expected and is compared, twice: the JSON
on the wire by its types, and what the client makes of it by its value.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract import stored
from tests.contract.callers import OBJECTS_FOR_TEXTS, Caller, Reply
from tests.contract.definitions import MODELS, OPERATIONS, Field, Operation, paths
from tests.contract.filling import Json
from tests.contract.running import Raw


@dataclass(frozen=True)
class Like:
    """An expectation that is no fixed value."""

    meaning: str
    fits: Callable[[Any], bool]

    def __repr__(self) -> str:
        return f"<{self.meaning}>"


RECENT = Like("a moment of the last minute", lambda value: -60_000 < value - time.time() * 1000 < 1000)
ID = Like("an id", lambda value: re.fullmatch(r"[0-9a-f-]{36}", value) is not None)


@dataclass
class Exercise:
    """The calls of one test and what they showed.

    Attributes:
        caller: sends them.
        data: the server's folder.
        called: how often each operation was called.
        asked: the parameters that were used, by operation.
        shown: the places of answers that held something, by operation.
    """

    caller: Caller
    raw: Raw
    data: Path
    called: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    shown: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def call(
        self,
        operation_id: str,
        expected: Mapping[str, Any] | None = None,
        *,
        body: Json | None = None,
        **parameters: Any,
    ) -> Json:
        """Call an operation and return its answer.

        *parameters* are those of path, query and headers, in the SDK's spelling. *expected* tells what each field of
        the answer must hold: a value, a `Like`, or None for a field that must be absent or null.
        """
        operation = OPERATIONS[operation_id]
        reply = self._send(operation, body, parameters)
        wire = json.loads(reply.content)
        assert isinstance(wire, dict), wire
        fields = MODELS[operation.answer]
        if [each.name for each in fields] == ["body"]:  # how the definition writes "nothing but done"
            assert wire == {}
            self.shown[operation_id].add("body")
            return {}
        _check_types(wire, operation.answer, operation.answer)
        self.shown[operation_id].update(_filled(wire, operation.answer, ""))
        if expected is not None:
            compare(reply.seen(operation.answer, wire), expected, operation.answer, operation_id)
        return wire

    def download(self, operation_id: str, *, body: Json, **parameters: Any) -> bytes:
        """Call an operation that answers a file and return its content."""
        return self._send(OPERATIONS[operation_id], body, parameters).content

    def stored_results(self, source_id: str) -> Sequence[stored.Result]:
        """Return the results that are in the database for a source, since no operation shows them."""
        return stored.command_results(self.data)[source_id]

    def check_complete(self, operation_id: str, never: Mapping[str, str]) -> None:
        """Hold the test to its word: the operation was called, with all parameters, and every field held something.

        *never* names the fields that this service leaves empty, and why; one that held something is out of date.
        """
        operation = OPERATIONS[operation_id]
        assert self.called[operation_id], f"{operation_id} was not called"
        assert _parameters(operation) == self.asked[operation_id], "parameters that were never used"
        all_places = set(paths(operation.answer))
        assert never.keys() <= all_places, sorted(never.keys() - all_places)
        silent = {place for place in all_places - self.shown[operation_id] if not _under(place, never)}
        assert not silent, f"fields that never held anything: {sorted(silent)}"
        assert not (never.keys() & self.shown[operation_id]), "fields that hold something after all"

    def _send(self, operation: Operation, body: Json | None, parameters: Mapping[str, Any]) -> Reply:
        assert (body is None) is (operation.body is None), f"{operation.id} takes {operation.body}"
        if body is not None and operation.body is not None:
            assert not (empty := list(_unfilled(body, operation.body, ""))), f"not filled: {empty}"
        assert parameters.keys() <= _parameters(operation), parameters
        self.called[operation.id] += 1
        self.asked[operation.id].update(parameters)
        reply = self.caller.send(operation, body, parameters)
        assert reply.status == 200
        return reply


def compare(shown: Any, expected: Any, model: str, place: str) -> None:
    """Assert that every field of *model* in *shown* is what *expected* says of it."""
    assert isinstance(expected, Mapping), f"{place}: expected {expected!r}, not {shown!r}"
    for each in MODELS[model]:
        here = f"{place}.{each.name}"
        assert each.name in expected, f"{here} is expected to be nothing, not even absent"
        value, wanted = shown.get(each.name), expected[each.name]
        if isinstance(wanted, Like):
            assert value is not None, f"{here} is absent, not {wanted}"
            assert wanted.fits(value), f"{here} is {value!r}, not {wanted}"
        elif each.model is None or value is None or wanted is None:
            assert value == wanted, f"{here} is {value!r}, not {wanted!r}"
        elif each.many:
            assert len(value) == len(wanted), f"{here} has {len(value)} items, not {len(wanted)}"
            for index, (item, item_wanted) in enumerate(zip(value, wanted, strict=True)):
                compare(item, item_wanted, each.model, f"{here}[{index}]")
        else:
            compare(value, wanted, each.model, here)


def _check_types(wire: Any, model: str, place: str) -> None:
    """Assert that the JSON has the published types exactly: clients in Go turn none into another."""
    assert isinstance(wire, dict), f"{place} is {wire!r}"
    for each in MODELS[model]:
        value = wire.get(each.name)
        if value is None:
            continue
        here = f"{place}.{each.name}"
        if each.many:
            assert isinstance(value, list), f"{here} is {value!r}"
            for item in value:
                _check_type(item, each, here)
        else:
            _check_type(value, each, here)


def _check_type(value: Any, each: Field, place: str) -> None:
    if each.model is not None:
        _check_types(value, each.model, place)
        return
    if each.name in OBJECTS_FOR_TEXTS:
        assert isinstance(value, dict), f"{place} is {value!r}"
        return
    fits = {
        "str": isinstance(value, str),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "dict(str, str)": isinstance(value, dict) and all(isinstance(text, str) for text in value.values()),
    }[each.type]
    assert fits, f"{place} is {value!r}, not {each.type}"


def _filled(value: Mapping[str, Any], model: str, prefix: str) -> Iterator[str]:
    for each in MODELS[model]:
        held = value.get(each.name)
        place = f"{prefix}{each.name}{'[]' if each.many else ''}"
        if held is None or (each.many and not held):
            continue
        yield place
        if each.model is not None:
            for item in held if each.many else [held]:
                yield from _filled(item, each.model, f"{place}.")


def _unfilled(document: Mapping[str, Any], model: str, prefix: str) -> Iterator[str]:
    for each in MODELS[model]:
        place = f"{prefix}{each.name}"
        held = document.get(each.name)
        if held is None:
            yield place
        elif each.model is not None:
            for item in held if each.many else [held]:
                yield from _unfilled(item, each.model, f"{place}.")


def _under(place: str, names: Mapping[str, str]) -> bool:
    return any(place == name or place.startswith(f"{name}.") for name in names)


def _parameters(operation: Operation) -> set[str]:
    """Return the names of an operation's parameters in the SDK's spelling."""
    headers = {name.lower().replace("-", "_") for name in operation.header_parameters}
    return {*operation.path_parameters, *operation.query_parameters, *headers}
