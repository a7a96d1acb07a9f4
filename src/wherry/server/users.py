"""Users of an account: made, listed, shown, changed, deleted."""

from uuid import uuid4

from sqlalchemy import Connection

from wherry.contract.accounts import PageQuery, Reference, User, UserCreation, UserDetail, UserList, UserUpdate
from wherry.contract.errors import ApiError
from wherry.ledger import accounts, groups, policies
from wherry.ledger.accounts import UserRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.hashing import hashed
from wherry.server.passwords import check_new_password
from wherry.server.stored_policies import references
from wherry.server.subjects import user_of, void_tokens

_DEFAULT_LIMIT = 100


async def create_user(call: Call) -> Answer:
    """Make a user. He may nothing until a policy is attached to him or he is put into a group."""
    allow(call)
    wanted = call.decode(UserCreation)
    if wanted.password is not None:
        check_new_password(wanted.password, wanted.name)
    row = UserRow(
        id=str(uuid4()),
        account_id=call.account_id,
        name=wanted.name,
        password_hash="" if wanted.password is None else await hashed(wanted.password),
        enabled=wanted.enabled,
        account_owner=False,
        created_at=call.at,
        description=wanted.description,
    )

    def unit(tx: Transaction) -> None:
        _check_name(tx, call, wanted.name)
        accounts.insert_user(tx.connection, row)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return json_answer(_shown(row))


async def list_users(call: Call) -> Answer:
    """Return the account's users, by name."""
    allow(call)
    query = call.query(PageQuery)

    def read(connection: Connection) -> UserList:
        count, page = accounts.find_users(
            connection,
            call.account_id,
            name=query.name or "",
            limit=query.limit or _DEFAULT_LIMIT,
            offset=query.offset or 0,
        )
        return UserList(count=count, users=[_shown(row) for row in page])

    return json_answer(await call.services.ledger.read(read))


async def show_user(call: Call) -> Answer:
    """Return a user with his groups and the policies attached to him. Everybody may look at himself."""

    def read(connection: Connection) -> UserDetail:
        row = user_of(connection, call)
        shown = _shown(row)
        return UserDetail(
            **{name: getattr(shown, name) for name in shown.__struct_fields__},
            groups=[Reference(id=group.id, name=group.name) for group in groups.of_user(connection, row.id)],
            policies=references(connection, call.account_id, policies.of_user(connection, row.id)),
        )

    return json_answer(await call.services.ledger.read(read))


async def update_user(call: Call) -> Answer:
    """Rename, enable or disable a user, or give him another password. The last two let his tokens die."""
    update = call.decode(UserUpdate)
    await call.services.ledger.read(lambda connection: user_of(connection, call, changes=True))
    password_hash = None if update.password is None else await hashed(update.password)

    def unit(tx: Transaction) -> UserRow:
        row = user_of(tx.connection, call, changes=True)
        if row.account_owner and update.enabled is False:
            raise ApiError("WHERRY.5808", params=("enabled",))
        values: dict[str, object] = {
            name: value
            for name, value in (("enabled", update.enabled), ("description", update.description))
            if value is not None
        }
        if update.name is not None and update.name != row.name:
            _check_name(tx, call, update.name)
            values["name"] = update.name
        if update.password is not None:
            check_new_password(update.password, update.name or row.name)
            values["password_hash"] = password_hash
        if values:
            accounts.change_user(tx.connection, row.id, values)
        if "password_hash" in values or update.enabled is False:
            void_tokens(tx, call, [row.id])
        tx.user_changed(row.id)
        call.record(tx, row.id, "+".join(sorted(values)))
        changed = accounts.find_user(tx.connection, row.id)
        return row if changed is None else changed

    return json_answer(_shown(await call.services.ledger.write(unit)))


async def delete_user(call: Call) -> Answer:
    """Remove a user with his access keys, memberships and attachments; his tokens and temporary keys die."""

    def unit(tx: Transaction) -> None:
        row = user_of(tx.connection, call, changes=True)
        if row.account_owner:
            raise ApiError("WHERRY.5808")
        accounts.delete_user(tx.connection, row.id)
        tx.user_changed(row.id)
        call.record(tx, row.id, row.name)

    await call.services.ledger.write(unit)
    return EMPTY


def _check_name(tx: Transaction, call: Call, name: str) -> None:
    if accounts.find_user_by_name(tx.connection, call.account_id, name) is not None:
        raise ApiError("WHERRY.5805", name, params=("name",))


def _shown(row: UserRow) -> User:
    return User(
        id=row.id,
        name=row.name,
        enabled=row.enabled,
        account_owner=row.account_owner,
        has_password=bool(row.password_hash),
        description=row.description,
        created_at=row.created_at,
    )
