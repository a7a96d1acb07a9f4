"""Groups of users: made, listed, shown, deleted, and who is in them."""

from uuid import uuid4

from sqlalchemy import Connection

from wherry.contract.accounts import Group, GroupCreation, GroupDetail, GroupList, PageQuery, Reference
from wherry.contract.errors import ApiError
from wherry.ledger import groups, policies
from wherry.ledger.groups import GroupRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.stored_policies import references
from wherry.server.subjects import group_of, member_of, void_tokens

_DEFAULT_LIMIT = 100


async def create_group(call: Call) -> Answer:
    """Make a group."""
    allow(call)
    wanted = call.decode(GroupCreation)
    row = GroupRow(str(uuid4()), call.account_id, wanted.name, wanted.description, call.at)

    def unit(tx: Transaction) -> None:
        if groups.find_by_name(tx.connection, call.account_id, wanted.name) is not None:
            raise ApiError("WHERRY.5805", wanted.name, params=("name",))
        groups.insert(tx.connection, row)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return json_answer(_shown(row))


async def list_groups(call: Call) -> Answer:
    """Return the account's groups, by name."""
    allow(call)
    query = call.query(PageQuery)

    def read(connection: Connection) -> GroupList:
        count, page = groups.find_page(
            connection,
            call.account_id,
            name=query.name or "",
            limit=query.limit or _DEFAULT_LIMIT,
            offset=query.offset or 0,
        )
        return GroupList(count=count, groups=[_shown(row) for row in page])

    return json_answer(await call.services.ledger.read(read))


async def show_group(call: Call) -> Answer:
    """Return a group with its members and the policies attached to it."""

    def read(connection: Connection) -> GroupDetail:
        row = group_of(connection, call)
        return GroupDetail(
            id=row.id,
            name=row.name,
            description=row.description,
            created_at=row.created_at,
            members=[Reference(id=user.id, name=user.name) for user in groups.members_of(connection, row.id)],
            policies=references(connection, call.account_id, policies.of_group(connection, row.id)),
        )

    return json_answer(await call.services.ledger.read(read))


async def delete_group(call: Call) -> Answer:
    """Remove a group. Its members stay users, without what the group gave them; their tokens die."""

    def unit(tx: Transaction) -> None:
        row = group_of(tx.connection, call)
        members = [user.id for user in groups.members_of(tx.connection, row.id)]
        groups.delete(tx.connection, row.id)
        call.record(tx, row.id, row.name)
        void_tokens(tx, call, members)

    await call.services.ledger.write(unit)
    return EMPTY


async def add_group_member(call: Call) -> Answer:
    """Put a user into a group. Repeating it changes nothing; else his tokens die."""

    def unit(tx: Transaction) -> None:
        group, user = group_of(tx.connection, call), member_of(tx.connection, call)
        if not groups.add_member(tx.connection, group.id, user.id):
            return
        call.record(tx, group.id, user.id)
        void_tokens(tx, call, [user.id])

    await call.services.ledger.write(unit)
    return EMPTY


async def remove_group_member(call: Call) -> Answer:
    """Take a user out of a group. Repeating it changes nothing; else his tokens die."""

    def unit(tx: Transaction) -> None:
        group, user = group_of(tx.connection, call), member_of(tx.connection, call)
        if not groups.remove_member(tx.connection, group.id, user.id):
            return
        call.record(tx, group.id, user.id)
        void_tokens(tx, call, [user.id])

    await call.services.ledger.write(unit)
    return EMPTY


def _shown(row: GroupRow) -> Group:
    return Group(id=row.id, name=row.name, description=row.description, created_at=row.created_at)
