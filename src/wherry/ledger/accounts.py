"""Accounts (domains) and their users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, func, select, update

from wherry.ledger import schema
from wherry.ledger.prepared import Prepared

_account = schema.account
_user = schema.iam_user


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account. `project_id` is its one project, by whatever region name clients ask for it.

    `operator`: its administrator runs the control plane and may make further accounts.
    """

    id: str
    name: str
    project_id: str
    created_at: int
    privacy_agreed_at: int | None = None
    operator: bool = False


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of an account.

    Attributes:
        password_hash: empty for a user who can't log in by a password.
        account_owner: the account's administrator, who may do everything in it.
        token_era: tokens of any other era are dead. A new one begins when password, key or permissions change.
    """

    id: str
    account_id: str
    name: str
    password_hash: str
    enabled: bool
    account_owner: bool
    created_at: int
    token_era: int = 0
    description: str = ""


_FIND = Prepared(
    select(*(_account.c[name] for name in AccountRow.__slots__)).where(_account.c.id == bindparam("account"))
)
_FIND_USER = Prepared(select(*(_user.c[name] for name in UserRow.__slots__)).where(_user.c.id == bindparam("user")))


def find(connection: Connection, account_id: str) -> AccountRow | None:
    """Return the account of this id."""
    row = _FIND.first(connection, account=account_id)
    return None if row is None else AccountRow(*row)


def find_by_name(connection: Connection, name: str) -> AccountRow | None:
    """Return the account of this name."""
    row = connection.execute(select(_account).where(_account.c.name == name)).mappings().first()
    return None if row is None else AccountRow(**row)


def every(connection: Connection) -> Sequence[AccountRow]:
    """Return all accounts, oldest first."""
    return [
        AccountRow(**row) for row in connection.execute(select(_account).order_by(_account.c.created_at)).mappings()
    ]


def find_page(connection: Connection, *, name: str = "", limit: int, offset: int) -> tuple[int, Sequence[AccountRow]]:
    """Return how many accounts there are, of this name if one is given, and one page of them, oldest first."""
    conditions = [_account.c.name == name] if name else []
    count = connection.execute(select(func.count()).select_from(_account).where(*conditions)).scalar_one()
    query = select(_account).where(*conditions).order_by(_account.c.created_at, _account.c.id)
    rows = connection.execute(query.limit(limit).offset(offset)).mappings()
    return count, [AccountRow(**row) for row in rows]


def insert(connection: Connection, row: AccountRow) -> None:
    """Store a new account."""
    connection.execute(_account.insert().inline(), {name: getattr(row, name) for name in AccountRow.__slots__})


def agree_to_privacy(connection: Connection, account_id: str, *, at: int) -> None:
    """Note that the account has agreed; the first agreement counts."""
    not_yet = (_account.c.id == account_id) & _account.c.privacy_agreed_at.is_(None)
    connection.execute(update(_account).where(not_yet).values(privacy_agreed_at=at))


def administrator_of(connection: Connection, account_id: str) -> UserRow | None:
    """Return the oldest administrator of the account; None where its users are another service's."""
    query = select(_user).where(_user.c.account_id == account_id, _user.c.account_owner).order_by(_user.c.created_at)
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else UserRow(**row)


def find_users(
    connection: Connection, account_id: str, *, name: str = "", limit: int, offset: int
) -> tuple[int, Sequence[UserRow]]:
    """Return how many users the account has, of this name if one is given, and one page of them, by name."""
    conditions = [_user.c.account_id == account_id, *([_user.c.name == name] if name else [])]
    count = connection.execute(select(func.count()).select_from(_user).where(*conditions)).scalar_one()
    query = select(_user).where(*conditions).order_by(_user.c.name).limit(limit).offset(offset)
    return count, [UserRow(**row) for row in connection.execute(query).mappings()]


def find_user(connection: Connection, user_id: str) -> UserRow | None:
    """Return the user of this id."""
    row = _FIND_USER.first(connection, user=user_id)
    return None if row is None else UserRow(*row)


def find_user_by_name(connection: Connection, account_id: str, name: str) -> UserRow | None:
    """Return the account's user of this name."""
    query = select(_user).where(_user.c.account_id == account_id, _user.c.name == name)
    row = connection.execute(query).mappings().first()
    return None if row is None else UserRow(**row)


def insert_user(connection: Connection, row: UserRow) -> None:
    """Store a new user."""
    connection.execute(_user.insert().inline(), {name: getattr(row, name) for name in UserRow.__slots__})


def change_user(connection: Connection, user_id: str, values: Mapping[str, object]) -> None:
    """Set columns of a user."""
    connection.execute(update(_user).where(_user.c.id == user_id).values(values))


def delete_user(connection: Connection, user_id: str) -> None:
    """Remove a user with his access keys, memberships and policies."""
    connection.execute(_user.delete().where(_user.c.id == user_id))


def void_tokens(connection: Connection, user_ids: Iterable[str], *, at: int) -> None:
    """Let every token die that was issued to these users until now, and their temporary keys with them.

    *at*: the moment, which becomes the new era's name. A clock that was set back must not bring a former one back.
    """
    era = case((_user.c.token_era < at, at), else_=_user.c.token_era + 1)
    connection.execute(update(_user).where(_user.c.id.in_(list(user_ids))).values(token_era=era))
