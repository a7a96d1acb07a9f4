"""Which disks, partitions and volumes of a source are migrated and how large they become: ids, choices, what stays.

Source: the protocol reference, "api" 4.3 and 4.5. The protocol doesn't say where the ids come from. Here the id of a
disk follows from its source and its name, so that a disk which is registered again keeps its id and what was chosen
for it; a choice for what isn't there any more is dropped. The documents are those of the ledger: registrations as
they came, in plain dicts.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wherry.contract.errors import ApiError

Choices = Mapping[str, Mapping[str, Any]]
"""What was chosen, by the text of the object's id: the fields of `CHOICE` that were written."""

CHOICE: Final = ("need_migration", "adjust_size")

_PARTS: Final = {"disks": "physical_volumes", "volume_groups": "logical_volumes"}
_ID_BITS: Final = 52  # what every client's JSON numbers hold


def shown(source_id: str, document: Mapping[str, Any], choices: Choices) -> dict[str, list[dict[str, Any]]]:
    """Return the registered disks and volume groups with their ids and choices; a list that's absent stays absent."""

    def marked(item: Mapping[str, Any], item_id: int) -> dict[str, Any]:
        return {**item, "id": item_id, **choices.get(str(item_id), {})}

    found: dict[str, list[dict[str, Any]]] = {}
    for kind, parts in _PARTS.items():
        if document.get(kind) is None:
            continue
        found[kind] = []
        for item, item_id in _identified(f"{source_id}/{kind}", document[kind]):
            outer = marked(item, item_id)
            if item.get(parts) is not None:
                outer[parts] = [marked(part, part_id) for part, part_id in _identified(str(item_id), item[parts])]
            found[kind].append(outer)
    return found


def choose(source_id: str, document: Mapping[str, Any], choices: Choices, wanted: Mapping[str, Any]) -> Choices:
    """Return *choices* with those of *wanted*, a SourceUpdate as plain dicts: what it doesn't name stays as it was.

    Raises ApiError SMS.9001 for an id that the source doesn't have at that place.
    """
    chosen = {name: dict(choice) for name, choice in choices.items()}
    for kind, parts in _PARTS.items():
        outer_ids = {
            str(item_id): item for item, item_id in _identified(f"{source_id}/{kind}", document.get(kind) or ())
        }
        for index, item in enumerate(wanted.get(kind) or ()):
            place = f"{kind}[{index}]"
            name = _known(item, outer_ids, place)
            _note(chosen, name, item)
            inner_ids = {str(part_id): part for part, part_id in _identified(name, outer_ids[name].get(parts) or ())}
            for part_index, part in enumerate(item.get(parts) or ()):
                _note(chosen, _known(part, inner_ids, f"{place}.{parts}[{part_index}]"), part)
    return chosen


def remaining(source_id: str, document: Mapping[str, Any], choices: Choices) -> Choices:
    """Return those of *choices* whose object is in *document*, the source as it's registered now."""
    if not choices:
        return {}
    there = set()
    for kind, parts in _PARTS.items():
        for item, item_id in _identified(f"{source_id}/{kind}", document.get(kind) or ()):
            there.add(str(item_id))
            there.update(str(part_id) for _, part_id in _identified(str(item_id), item.get(parts) or ()))
    return {name: choice for name, choice in choices.items() if name in there}


def _identified(place: str, items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield each item of a list with its id, which follows from its name, or whatever else tells it from the others."""
    seen: Counter[str] = Counter()
    for item in items:
        name = str(item.get("name") or item.get("uuid") or item.get("index", ""))
        digest = hashlib.sha256(f"{place}/{name}/{seen[name]}".encode("utf-8", "surrogatepass")).digest()
        seen[name] += 1
        yield item, int.from_bytes(digest[:8], "big") >> (64 - _ID_BITS)


def _known(item: Mapping[str, Any], ids: Mapping[str, Any], place: str) -> str:
    name = str(item.get("id", ""))
    if name not in ids:
        raise ApiError("SMS.9001", f"{place}.id: the source has no {name!r} there", params=(f"{place}.id",))
    return name


def _note(chosen: dict[str, dict[str, Any]], name: str, item: Mapping[str, Any]) -> None:
    written = {field: item[field] for field in CHOICE if field in item}
    if written:
        chosen[name] = {**chosen.get(name, {}), **written}
