"""What callers prove themselves with: access keys, join tokens, and the tokens that died early."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared

_key = schema.access_key
_join = schema.join_token
_revocation = schema.token_revocation

_KEPT_MS = 30 * 24 * 3600 * 1000
"""How long a revocation is kept after its token has expired."""


@dataclass(frozen=True, slots=True)
class AccessKeyRow:
    """An access key. `kind` is user, agent or receiver; the secret is sealed by the master key.

    `source_id` binds an agent's key from its first registration on, `receiver_id` a receiver's from its joining.
    """

    access_key: str
    account_id: str
    kind: str
    user_id: str | None
    name: str
    sealed_secret: str
    enabled: bool
    source_id: str | None
    receiver_id: str | None
    created_at: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class JoinTokenRow:
    """A join token: its hash only. `used_at` None: not used yet."""

    id: str
    account_id: str
    token_hash: str
    role: str
    created_at: int
    expires_at: int
    used_at: int | None = None
    used_by: str | None = None
    access_key: str | None = None


_FIND_KEY = Prepared(
    select(*(_key.c[name] for name in AccessKeyRow.__slots__)).where(_key.c.access_key == bindparam("key"))
)


def find_key(connection: Connection, access_key: str) -> AccessKeyRow | None:
    """Return the key of this id, enabled or not."""
    row = _FIND_KEY.first(connection, key=access_key)
    return None if row is None else AccessKeyRow(*row)


def keys_bound_to(connection: Connection, source_id: str) -> list[str]:
    """Return the ids of the keys that are bound to a source."""
    return list(connection.execute(select(_key.c.access_key).where(_key.c.source_id == source_id)).scalars())


def any_sealed_secret(connection: Connection) -> str | None:
    """Return the sealed secret of some access key, None while there is no key."""
    return connection.execute(select(_key.c.sealed_secret).limit(1)).scalar()


def keys_of_user(connection: Connection, user_id: str) -> Sequence[AccessKeyRow]:
    """Return the access keys of a user, oldest first."""
    query = select(_key).where(_key.c.user_id == user_id).order_by(_key.c.created_at, _key.c.access_key)
    return [AccessKeyRow(**row) for row in connection.execute(query).mappings()]


def change_key(connection: Connection, access_key: str, values: Mapping[str, object]) -> None:
    """Set columns of a key."""
    connection.execute(update(_key).where(_key.c.access_key == access_key).values(values))


def delete_key(connection: Connection, access_key: str) -> None:
    """Remove a key."""
    connection.execute(_key.delete().where(_key.c.access_key == access_key))


def insert_key(connection: Connection, row: AccessKeyRow) -> None:
    """Store a new key."""
    connection.execute(_key.insert().inline(), {name: getattr(row, name) for name in AccessKeyRow.__slots__})


def bind_key(connection: Connection, access_key: str, source_id: str | None) -> None:
    """Let the agent's key act for this source from now on; None: for no source, until it registers again."""
    connection.execute(update(_key).where(_key.c.access_key == access_key).values(source_id=source_id))


def find_join_token(connection: Connection, token_hash: str) -> JoinTokenRow | None:
    """Return the join token with this hash, used or not."""
    row = connection.execute(select(_join).where(_join.c.token_hash == token_hash)).mappings().first()
    return None if row is None else JoinTokenRow(**row)


def insert_join_token(connection: Connection, row: JoinTokenRow) -> None:
    """Store a new join token."""
    connection.execute(_join.insert().inline(), {name: getattr(row, name) for name in JoinTokenRow.__slots__})


def join_tokens(
    connection: Connection, account_id: str, *, usable_at: int | None, limit: int, offset: int
) -> tuple[int, Sequence[JoinTokenRow]]:
    """Return how many join tokens the account has, and one page of them, the newest first.

    *usable_at*: count and return only those that could be used at this moment.
    """
    conditions = [_join.c.account_id == account_id]
    if usable_at is not None:
        conditions += [_join.c.used_at.is_(None), _join.c.expires_at > usable_at]
    count = connection.execute(select(func.count()).select_from(_join).where(*conditions)).scalar_one()
    order = (_join.c.created_at.desc(), _join.c.id)
    page = select(_join).where(*conditions).order_by(*order).limit(limit).offset(offset)
    return count, [JoinTokenRow(**row) for row in connection.execute(page).mappings()]


def join_token_of(connection: Connection, account_id: str, token_id: str) -> JoinTokenRow | None:
    """Return the account's join token of this id, used or not."""
    query = select(_join).where(_join.c.id == token_id, _join.c.account_id == account_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else JoinTokenRow(**row)


def delete_join_token(connection: Connection, token_id: str) -> None:
    """Remove a join token."""
    connection.execute(_join.delete().where(_join.c.id == token_id))


def use_join_token(connection: Connection, token_id: str, *, name: str, access_key: str, at: int) -> None:
    """Note by whom the token was used, and the key that it gave."""
    values = {"used_at": at, "used_by": name, "access_key": access_key}
    connection.execute(update(_join).where(_join.c.id == token_id).values(values))


def is_revoked(connection: Connection, revocation_id: str) -> bool:
    """Tell whether this very token was revoked."""
    query = select(_revocation.c.revocation_id).where(_revocation.c.revocation_id == revocation_id)
    return connection.execute(query).first() is not None


def revoke(connection: Connection, revocation_id: str, *, at: int, expires_at: int) -> None:
    """Let this token die early, and forget the revocations of tokens that have expired long ago.

    Long ago, since a clock that is ahead for a while must not bring tokens back.
    """
    connection.execute(_revocation.delete().where(_revocation.c.expires_at < at - _KEPT_MS))
    if not is_revoked(connection, revocation_id):
        values = {"revocation_id": revocation_id, "revoked_at": at, "expires_at": expires_at}
        connection.execute(_revocation.insert().inline(), values)
