"""Documents with every field filled, made from the published definition: always the same for the same arguments."""

from collections.abc import Mapping
from enum import Enum
from typing import Any
from zlib import crc32

from tests.contract.definitions import MODELS, Field, paths

Json = dict[str, Any]

INT64_MAX = 2**63 - 1
"""The reference says 2^63; what an int64 holds at most is what any client can mean by it."""

_INT_MAX = 2**31 - 1
_TEXT_MAX = 255


class Filling(Enum):
    """How fields are filled: with unremarkable values, with others (each flag the other way), or up to the limits."""

    USUAL = "usual"
    OTHER = "other"
    LARGEST = "largest"
    SMALLEST = "smallest"


_ITEMS = {Filling.USUAL: 2, Filling.OTHER: 1, Filling.LARGEST: 3, Filling.SMALLEST: 0}


def fill(model: str, filling: Filling, given: Mapping[str, Any] | None = None) -> Json:
    """Return a document of *model* with all its fields.

    *given* says what fields shall hold instead, by their place without indices: ``target_server.disks.size`` sets the
    size of every disk. Raises KeyError for a place that isn't there, so that no test goes on with a field that's gone.
    """
    wanted = given or {}
    known = {place.replace("[]", "") for place in paths(model)}
    if unknown := wanted.keys() - known:
        message = f"{model} has no {sorted(unknown)}"
        raise KeyError(message)
    return _fill(model, filling, wanted, "")


def without(document: Json, *names: str) -> Json:
    """Return *document* without some fields."""
    return {name: value for name, value in document.items() if name not in names}


def _fill(model: str, filling: Filling, given: Mapping[str, Any], prefix: str) -> Json:
    document: Json = {}
    for field in MODELS[model]:
        place = f"{prefix}{field.name}"
        if place in given:
            document[field.name] = given[place]
        elif field.many:
            count = max(_ITEMS[filling], field.limits.get("minItems", 0))
            document[field.name] = [_value(field, filling, given, place, index) for index in range(count)]
        else:
            document[field.name] = _value(field, filling, given, place, 0)
    return document


def _value(field: Field, filling: Filling, given: Mapping[str, Any], place: str, index: int) -> Any:
    if field.model is not None:
        return _fill(field.model, filling, given, f"{place}.")
    seed = crc32(f"{place}[{index}]".encode())
    match field.type:
        case "str":
            return _text(field, filling, seed)
        case "int":
            return _integer(field, filling, seed)
        case "float":
            return _fraction(field, filling, seed)
        case "bool":
            return _flag(filling, seed)
        case "object":
            return {"text": f"{field.name} ü", "list": [1, 2.5, None, True], "nested": {"number": seed}}
    message = f"no value for {place}: {field.type}"
    raise ValueError(message)


def _text(field: Field, filling: Filling, seed: int) -> str:
    limits = field.limits
    if words := limits.get("enum"):
        return str(words[(seed + (filling is not Filling.USUAL)) % len(words)])
    most, least = int(limits.get("maxLength", _TEXT_MAX)), int(limits.get("minLength", 0))
    if filling is Filling.SMALLEST:
        return "x" * least
    # Names have patterns, or rules that stand in the reference's text only; the rest takes any character.
    plain = "pattern" in limits or field.name == "name"
    text = f"{field.name}-{seed:08x}" if plain else f"{field.name} {seed:08x} ü\\"
    if filling is Filling.OTHER:
        text = text[::-1]
    if filling is Filling.LARGEST:
        text += ("x" if plain else "漢") * most
    return text[:most]


def _integer(field: Field, filling: Filling, seed: int) -> int:
    least = int(field.limits.get("minimum", 0))
    most = min(int(field.limits.get("maximum", _INT_MAX)), INT64_MAX)
    if filling is Filling.SMALLEST:
        return least
    if filling is Filling.LARGEST:
        return most
    return least + (seed + (filling is Filling.OTHER)) % (most - least + 1)


def _fraction(field: Field, filling: Filling, seed: int) -> float:
    least, most = float(field.limits.get("minimum", 0)), float(field.limits.get("maximum", _INT_MAX))
    if filling is Filling.SMALLEST:
        return least
    if filling is Filling.LARGEST:
        return most
    quarters = int((most - least) * 4)
    return least + (seed + (filling is Filling.OTHER)) % quarters / 4


def _flag(filling: Filling, seed: int) -> bool:
    if filling in {Filling.LARGEST, Filling.SMALLEST}:
        return filling is Filling.LARGEST
    return bool(seed & 1) is (filling is Filling.USUAL)
