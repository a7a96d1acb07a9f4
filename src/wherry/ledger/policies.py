"""Policies of accounts, and to whom policies are attached. System policies have no row: iam knows them by their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select, union, update

from wherry.ledger import schema

_policy = schema.policy
_of_user = schema.user_policy
_of_group = schema.group_policy
_member = schema.group_member


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy that an account has written. Times in epoch milliseconds."""

    id: str
    account_id: str
    name: str
    description: str
    document: Mapping[str, Any]
    created_at: int
    updated_at: int


def find(connection: Connection, account_id: str, policy_id: str) -> PolicyRow | None:
    """Return the policy, None where the account has no such one."""
    query = select(_policy).where(_policy.c.id == policy_id, _policy.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else PolicyRow(**row)


def find_by_name(connection: Connection, account_id: str, name: str) -> PolicyRow | None:
    """Return the account's policy of this name."""
    query = select(_policy).where(_policy.c.name == name, _policy.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else PolicyRow(**row)


def every(connection: Connection, account_id: str) -> Sequence[PolicyRow]:
    """Return all policies that the account has written, by name."""
    query = select(_policy).where(_policy.c.account_id == account_id).order_by(_policy.c.name)
    return [PolicyRow(**row) for row in connection.execute(query).mappings()]


def insert(connection: Connection, row: PolicyRow) -> None:
    """Store a new policy."""
    connection.execute(_policy.insert().inline(), {name: getattr(row, name) for name in PolicyRow.__slots__})


def change(connection: Connection, policy_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a policy."""
    connection.execute(update(_policy).where(_policy.c.id == policy_id).values(values))


def delete(connection: Connection, policy_id: str) -> None:
    """Remove a policy. Nothing may be attached to it any more."""
    connection.execute(_policy.delete().where(_policy.c.id == policy_id))


def of_user(connection: Connection, user_id: str) -> Sequence[str]:
    """Return the ids of the policies that are attached to the user himself."""
    query = select(_of_user.c.policy_id).where(_of_user.c.user_id == user_id).order_by(_of_user.c.policy_id)
    return list(connection.execute(query).scalars())


def of_group(connection: Connection, group_id: str) -> Sequence[str]:
    """Return the ids of the policies that are attached to the group."""
    query = select(_of_group.c.policy_id).where(_of_group.c.group_id == group_id).order_by(_of_group.c.policy_id)
    return list(connection.execute(query).scalars())


def effective(connection: Connection, user_id: str) -> Mapping[str, PolicyRow | None]:
    """Return the policies that count for the user, his groups' included, by id; None for a system policy."""
    through_groups = (
        select(_of_group.c.policy_id)
        .join(_member, _member.c.group_id == _of_group.c.group_id)
        .where(_member.c.user_id == user_id)
    )
    ids = union(select(_of_user.c.policy_id).where(_of_user.c.user_id == user_id), through_groups).subquery()
    query = select(ids.c.policy_id, _policy).outerjoin(_policy, _policy.c.id == ids.c.policy_id)
    found: dict[str, PolicyRow | None] = {}
    for row in connection.execute(query.order_by(ids.c.policy_id)).mappings():
        values = dict(row)
        policy_id = values.pop("policy_id")
        found[policy_id] = None if values["id"] is None else PolicyRow(**values)
    return found


def users_with(connection: Connection, policy_id: str) -> frozenset[str]:
    """Return the ids of the users for whom the policy counts, by themselves or through a group."""
    direct = select(_of_user.c.user_id).where(_of_user.c.policy_id == policy_id)
    through_groups = (
        select(_member.c.user_id)
        .join(_of_group, _of_group.c.group_id == _member.c.group_id)
        .where(_of_group.c.policy_id == policy_id)
    )
    return frozenset(connection.execute(union(direct, through_groups)).scalars())


def attachments_of(connection: Connection, policy_id: str) -> int:
    """Return to how many users and groups the policy is attached."""
    users = connection.execute(select(_of_user.c.user_id).where(_of_user.c.policy_id == policy_id)).all()
    groups = connection.execute(select(_of_group.c.group_id).where(_of_group.c.policy_id == policy_id)).all()
    return len(users) + len(groups)


def attach_to_user(connection: Connection, user_id: str, policy_id: str) -> bool:
    """Attach a policy to a user. False: it was already."""
    return _attach(connection, _of_user, {"user_id": user_id, "policy_id": policy_id})


def detach_from_user(connection: Connection, user_id: str, policy_id: str) -> bool:
    """Detach a policy from a user. False: it wasn't attached to him."""
    return _detach(connection, _of_user, {"user_id": user_id, "policy_id": policy_id})


def attach_to_group(connection: Connection, group_id: str, policy_id: str) -> bool:
    """Attach a policy to a group. False: it was already."""
    return _attach(connection, _of_group, {"group_id": group_id, "policy_id": policy_id})


def detach_from_group(connection: Connection, group_id: str, policy_id: str) -> bool:
    """Detach a policy from a group. False: it wasn't attached to it."""
    return _detach(connection, _of_group, {"group_id": group_id, "policy_id": policy_id})


def _attach(connection: Connection, table: Table, pair: Mapping[str, str]) -> bool:
    conditions = [table.c[name] == value for name, value in pair.items()]
    if connection.execute(select(table.c.policy_id).where(*conditions)).first() is not None:
        return False
    connection.execute(table.insert().inline(), dict(pair))
    return True


def _detach(connection: Connection, table: Table, pair: Mapping[str, str]) -> bool:
    conditions = [table.c[name] == value for name, value in pair.items()]
    return connection.execute(table.delete().where(*conditions)).rowcount > 0
