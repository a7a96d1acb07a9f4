"""Groups of users: what is attached to a group, all its members may."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from wherry.ledger import schema
from wherry.ledger.accounts import UserRow

_group = schema.user_group
_member = schema.group_member
_user = schema.iam_user


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of users of an account."""

    id: str
    account_id: str
    name: str
    description: str
    created_at: int


def find(connection: Connection, account_id: str, group_id: str) -> GroupRow | None:
    """Return the group, None where the account has no such one."""
    query = select(_group).where(_group.c.id == group_id, _group.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else GroupRow(**row)


def find_by_name(connection: Connection, account_id: str, name: str) -> GroupRow | None:
    """Return the account's group of this name."""
    query = select(_group).where(_group.c.name == name, _group.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else GroupRow(**row)


def find_page(
    connection: Connection, account_id: str, *, name: str = "", limit: int, offset: int
) -> tuple[int, Sequence[GroupRow]]:
    """Return how many groups the account has, of this name if one is given, and one page of them, by name."""
    conditions = [_group.c.account_id == account_id, *([_group.c.name == name] if name else [])]
    count = connection.execute(select(func.count()).select_from(_group).where(*conditions)).scalar_one()
    query = select(_group).where(*conditions).order_by(_group.c.name).limit(limit).offset(offset)
    return count, [GroupRow(**row) for row in connection.execute(query).mappings()]


def insert(connection: Connection, row: GroupRow) -> None:
    """Store a new group."""
    connection.execute(_group.insert().inline(), {name: getattr(row, name) for name in GroupRow.__slots__})


def delete(connection: Connection, group_id: str) -> None:
    """Remove a group with its memberships and attachments; its members stay users."""
    connection.execute(_group.delete().where(_group.c.id == group_id))


def members_of(connection: Connection, group_id: str) -> Sequence[UserRow]:
    """Return the members of a group, by name."""
    query = select(_user).join(_member, _member.c.user_id == _user.c.id).where(_member.c.group_id == group_id)
    return [UserRow(**row) for row in connection.execute(query.order_by(_user.c.name)).mappings()]


def of_user(connection: Connection, user_id: str) -> Sequence[GroupRow]:
    """Return the groups that a user is in, by name."""
    query = select(_group).join(_member, _member.c.group_id == _group.c.id).where(_member.c.user_id == user_id)
    return [GroupRow(**row) for row in connection.execute(query.order_by(_group.c.name)).mappings()]


def add_member(connection: Connection, group_id: str, user_id: str) -> bool:
    """Let the user be in the group. False: he was already."""
    mine = (_member.c.group_id == group_id) & (_member.c.user_id == user_id)
    if connection.execute(select(_member.c.user_id).where(mine)).first() is not None:
        return False
    connection.execute(_member.insert().inline(), {"group_id": group_id, "user_id": user_id})
    return True


def remove_member(connection: Connection, group_id: str, user_id: str) -> bool:
    """Take the user out of the group. False: he wasn't in it."""
    mine = (_member.c.group_id == group_id) & (_member.c.user_id == user_id)
    return connection.execute(_member.delete().where(mine)).rowcount > 0
