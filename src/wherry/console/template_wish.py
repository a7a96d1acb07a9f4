"""A server template as it stands in a form, and as the API takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from wherry.console.forms import Answers
from wherry.contract.templates import TemplateDetail

TEXTS = ("name", "target_server_name", "region", "availability_zone", "flavor", "volumetype", "image_id")
PARTS: Mapping[str, Sequence[str]] = {
    "vpc": ("id", "name", "cidr"),
    "publicip": ("type", "bandwidth_size", "bandwidth_share_type"),
}
LISTS: Mapping[str, Sequence[str]] = {
    "disk": ("size", "name", "disktype", "device_use", "id"),
    "nics": ("id", "name", "cidr", "ip"),
    "security_groups": ("id", "name"),
}
"""What a template has several of. A row counts when one of its first two fields is filled."""

FIELDS = (
    *TEXTS,
    *(f"{part}_{name}" for part, names in (*PARTS.items(), *LISTS.items()) for name in names),
    *LISTS,
    "target_password",
)

_NEEDED: Mapping[str, Sequence[str]] = {
    "disk": ("size", "name", "disktype"),
    "nics": ("id", "name", "cidr"),
    "security_groups": ("id", "name"),
}
"""What goes out even where it's empty: the contract says then what is missing."""


def answers_of(template: TemplateDetail) -> Answers:
    """Return the form's fields as they are kept. The password isn't among them."""
    kept = to_builtins(template)
    fields = {name: [str(kept.get(name) or "")] for name in TEXTS}
    for part, names in PARTS.items():
        fields |= {f"{part}_{name}": [_shown(kept.get(part) or {}, name)] for name in names}
    for part, names in LISTS.items():
        fields |= {f"{part}_{name}": [_shown(each, name) for each in kept.get(part) or ()] for name in names}
    return Answers(fields)


def rows_of(answers: Answers, part: str) -> list[dict[str, str]]:
    """Return the filled rows of one of `LISTS`."""
    names = LISTS[part]
    return [dict(zip(names, row, strict=True)) for row in answers.rows(*(f"{part}_{name}" for name in names))]


def body_of(answers: Answers, kept: TemplateDetail | None = None) -> dict[str, Any]:
    """Return the body for the API. What the form doesn't ask for stays as it's *kept*."""
    stays = {} if kept is None else to_builtins(kept)
    shown = {"id", "target_password", *TEXTS, *PARTS, *LISTS}
    template: dict[str, Any] = {"is_template": True}
    template |= {name: value for name, value in stays.items() if name not in shown}
    template |= {name: answers.text(name) for name in (*TEXTS, "target_password") if answers.text(name)}
    for part, names in PARTS.items():
        if entered := {name: answers.text(f"{part}_{name}") for name in names if answers.text(f"{part}_{name}")}:
            template[part] = entered
    for part in LISTS:
        if rows := rows_of(answers, part):
            template[part] = [_entered(part, number, row) for number, row in enumerate(rows)]
    return {"template": template}


def _entered(part: str, number: int, row: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: value for name, value in row.items() if value or name in _NEEDED[part]}
    if part == "disk":
        values |= {"index": number, "name": row["name"] or f"disk {number}"}
    return values


def _shown(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)
