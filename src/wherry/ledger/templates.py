"""Templates of the target servers that tasks create."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from wherry.ledger import schema

_template = schema.template


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template. `document` is what the client sent without the target's password, which is sealed beside it."""

    id: str
    account_id: str
    name: str
    availability_zone: str
    region: str
    created_at: int
    sealed_password: str | None
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """What a list of templates is narrowed by; empty means: not at all. Names match by substring."""

    id: str = ""
    name: str = ""
    availability_zone: str = ""
    region: str = ""


def find(connection: Connection, account_id: str, template_id: str) -> TemplateRow | None:
    """Return the template, None where the account has no such one."""
    query = select(_template).where(_template.c.id == template_id, _template.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else TemplateRow(**row)


def find_page(
    connection: Connection, account_id: str, wanted: TemplateFilter, *, limit: int, offset: int
) -> tuple[int, Sequence[TemplateRow]]:
    """Return how many templates match, and one page of them, the oldest first."""
    conditions = [_template.c.account_id == account_id, *_conditions(wanted)]
    count = connection.execute(select(func.count()).select_from(_template).where(*conditions)).scalar_one()
    order = (_template.c.created_at, _template.c.id)
    query = select(_template).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return count, [TemplateRow(**row) for row in connection.execute(query).mappings()]


def insert(connection: Connection, row: TemplateRow) -> None:
    """Store a new template."""
    connection.execute(_template.insert().inline(), {name: getattr(row, name) for name in TemplateRow.__slots__})


def change(connection: Connection, template_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a template."""
    connection.execute(update(_template).where(_template.c.id == template_id).values(values))


def delete(connection: Connection, template_id: str) -> None:
    """Remove the template."""
    connection.execute(_template.delete().where(_template.c.id == template_id))


def _conditions(wanted: TemplateFilter) -> list[ColumnElement[bool]]:
    equal = {
        _template.c.id: wanted.id,
        _template.c.availability_zone: wanted.availability_zone,
        _template.c.region: wanted.region,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if wanted.name:
        conditions.append(_template.c.name.icontains(wanted.name, autoescape=True))
    return conditions
