"""Access keys of users: made, listed, switched on and off, deleted. A secret is shown once, when it's made."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wherry.contract.accounts import (
    MAX_KEYS,
    AccessKey,
    AccessKeyCreated,
    AccessKeyCreation,
    AccessKeyList,
    AccessKeyUpdate,
)
from wherry.contract.errors import ApiError
from wherry.iam.keys import generate_key_pair
from wherry.iam.principals import Kind
from wherry.ledger import credentials
from wherry.ledger.credentials import AccessKeyRow
from wherry.ledger.transaction import Transaction
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.subjects import user_of, void_tokens


async def create_access_key(call: Call) -> Answer:
    """Make an access key for a user. His tokens stay good: nothing that was is changed."""
    wanted = call.decode(AccessKeyCreation)
    pair = generate_key_pair()

    def unit(tx: Transaction) -> AccessKeyRow:
        user = user_of(tx.connection, call, changes=True)
        if len(credentials.keys_of_user(tx.connection, user.id)) >= MAX_KEYS:
            raise ApiError("WHERRY.5809", f"{MAX_KEYS} access keys")
        row = AccessKeyRow(
            access_key=pair.access_key,
            account_id=call.account_id,
            kind=Kind.USER,
            user_id=user.id,
            name=user.name,
            sealed_secret=call.services.key_box.seal(pair.secret_key),
            enabled=True,
            source_id=None,
            receiver_id=None,
            created_at=call.at,
            description=wanted.description,
        )
        credentials.insert_key(tx.connection, row)
        call.record(tx, user.id, row.access_key)
        return row

    shown = _shown(await call.services.ledger.write(unit))
    values = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return json_answer(AccessKeyCreated(**values, secret_key=pair.secret_key))


async def list_access_keys(call: Call) -> Answer:
    """Return the access keys of a user, without their secrets."""

    def read(connection: Connection) -> Sequence[AccessKeyRow]:
        return credentials.keys_of_user(connection, user_of(connection, call).id)

    rows = await call.services.ledger.read(read)
    return json_answer(AccessKeyList(count=len(rows), access_keys=[_shown(row) for row in rows]))


async def update_access_key(call: Call) -> Answer:
    """Switch an access key on or off, or describe it anew. Switching lets the user's tokens die."""
    update = call.decode(AccessKeyUpdate)

    def unit(tx: Transaction) -> AccessKeyRow:
        row = _key_of(tx.connection, call)
        values = {
            name: value
            for name, value in (("enabled", update.enabled), ("description", update.description))
            if value is not None
        }
        if values:
            credentials.change_key(tx.connection, row.access_key, values)
            tx.key_changed(row.access_key)
        if update.enabled is not None and update.enabled != row.enabled:
            void_tokens(tx, call, [call.parameters["user_id"]])
        call.record(tx, call.parameters["user_id"], f"{row.access_key} {'+'.join(sorted(values))}".strip())
        return _key_of(tx.connection, call)

    return json_answer(_shown(await call.services.ledger.write(unit)))


async def delete_access_key(call: Call) -> Answer:
    """Delete an access key, and let the user's tokens die."""

    def unit(tx: Transaction) -> None:
        row = _key_of(tx.connection, call)
        credentials.delete_key(tx.connection, row.access_key)
        tx.key_changed(row.access_key)
        void_tokens(tx, call, [call.parameters["user_id"]])
        call.record(tx, call.parameters["user_id"], row.access_key)

    await call.services.ledger.write(unit)
    return EMPTY


def _key_of(connection: Connection, call: Call) -> AccessKeyRow:
    """Return the key of the path. Raises ApiError WHERRY.5801, WHERRY.5804 or PermissionMissing."""
    user = user_of(connection, call, changes=True)
    row = credentials.find_key(connection, call.parameters["access_key"])
    if row is None or row.user_id != user.id:
        raise ApiError("WHERRY.5804")
    return row


def _shown(row: AccessKeyRow) -> AccessKey:
    return AccessKey(
        access_key=row.access_key,
        user_id=row.user_id or "",
        enabled=row.enabled,
        description=row.description,
        created_at=row.created_at,
    )
