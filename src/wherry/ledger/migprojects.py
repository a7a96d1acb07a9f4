"""Migration projects: the drawers that sources lie in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from wherry.ledger import schema

_project = schema.migproject


@dataclass(frozen=True, slots=True)
class MigprojectRow:
    """A migration project. `document` is what the client sent, its name and default flag aside."""

    id: str
    account_id: str
    name: str
    is_default: bool
    created_at: int
    document: Mapping[str, Any]


def find(connection: Connection, account_id: str, project_id: str) -> MigprojectRow | None:
    """Return the project, None where the account has no such one."""
    query = select(_project).where(_project.c.id == project_id, _project.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else MigprojectRow(**row)


def find_by_name(connection: Connection, account_id: str, name: str) -> MigprojectRow | None:
    """Return the account's project of this name."""
    query = select(_project).where(_project.c.account_id == account_id, _project.c.name == name)
    row = connection.execute(query).mappings().first()
    return None if row is None else MigprojectRow(**row)


def default_of(connection: Connection, account_id: str) -> MigprojectRow:
    """Return the account's default project, where new sources register. Every account has one."""
    query = select(_project).where(_project.c.account_id == account_id, _project.c.is_default.is_(True))
    return MigprojectRow(**connection.execute(query).mappings().one())


def find_page(
    connection: Connection, account_id: str, *, limit: int, offset: int
) -> tuple[int, Sequence[MigprojectRow]]:
    """Return how many projects the account has, and one page of them, the oldest first."""
    order = (_project.c.created_at, _project.c.id)
    query = select(_project).where(_project.c.account_id == account_id).order_by(*order).limit(limit).offset(offset)
    page = [MigprojectRow(**row) for row in connection.execute(query).mappings()]
    return count_of(connection, account_id), page


def count_of(connection: Connection, account_id: str) -> int:
    """Return how many projects the account has."""
    query = select(func.count()).select_from(_project).where(_project.c.account_id == account_id)
    return connection.execute(query).scalar_one()


def insert(connection: Connection, row: MigprojectRow) -> None:
    """Store a new project."""
    connection.execute(_project.insert().inline(), {name: getattr(row, name) for name in MigprojectRow.__slots__})


def change(connection: Connection, project_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a project."""
    connection.execute(update(_project).where(_project.c.id == project_id).values(values))


def make_default(connection: Connection, account_id: str, project_id: str) -> None:
    """Make a project the default one, and no other."""
    mine = _project.c.account_id == account_id
    connection.execute(update(_project).where(mine).values(is_default=_project.c.id == project_id))


def delete(connection: Connection, project_id: str) -> None:
    """Remove the project. No source may belong to it."""
    connection.execute(_project.delete().where(_project.c.id == project_id))
