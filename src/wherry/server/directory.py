"""iam's look-ups, answered from the ledger."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wherry.iam.directory import AccessKey, Project, User, UserName
from wherry.iam.principals import Kind, Principal
from wherry.ledger import accounts, credentials
from wherry.ledger.ledger import Ledger
from wherry.server.stored_policies import policies_of_user


class LedgerDirectory:
    """The built-in `wherry.iam.directory.Directory`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def access_key(self, access_key: str) -> AccessKey | None:
        """Return the key of this id, enabled or not."""
        return await self._ledger.read(lambda connection: _access_key(connection, access_key))

    async def user(self, name: UserName) -> User | None:
        """Return the user, enabled or not."""
        return await self._ledger.read(lambda connection: _user(connection, name))

    async def project(self, domain_id: str, *, project_id: str = "", name: str = "") -> Project | None:
        """Return the account's project, under the name it was asked for: any region name resolves to it.

        None where the id is another one: that would be a project of somebody else.
        """
        account = await self._ledger.read(lambda connection: accounts.find(connection, domain_id))
        if account is None or (project_id and project_id != account.project_id):
            return None
        return Project(account.project_id, name or account.name, domain_id)

    async def projects(self, domain_id: str) -> Sequence[Project]:
        """Return the account's one project."""
        project = await self.project(domain_id)
        return [] if project is None else [project]

    async def token_revoked(self, revocation_id: str) -> bool:
        """Tell whether the token was revoked by itself."""
        return await self._ledger.read(lambda connection: credentials.is_revoked(connection, revocation_id))


def _access_key(connection: Connection, access_key: str) -> AccessKey | None:
    row = credentials.find_key(connection, access_key)
    if row is None:
        return None
    account = accounts.find(connection, row.account_id)
    if account is None:
        return None
    if row.user_id is None:
        principal = Principal(
            kind=Kind(row.kind),
            domain_id=account.id,
            domain_name=account.name,
            user_id=row.receiver_id or row.access_key,
            user_name=row.name,
            project_id=account.project_id,
            source_id=row.source_id or "",
            receiver_id=row.receiver_id or "",
            access_key=row.access_key,
        )
        return AccessKey(row.access_key, row.sealed_secret, principal, row.enabled)
    user = accounts.find_user(connection, row.user_id)
    if user is None:
        return None
    principal = Principal(
        kind=Kind.USER,
        domain_id=account.id,
        domain_name=account.name,
        user_id=user.id,
        user_name=user.name,
        project_id=account.project_id,
        account_owner=user.account_owner,
        operator=account.operator and user.account_owner,
        policies=policies_of_user(connection, user.id),
        access_key=row.access_key,
    )
    return AccessKey(row.access_key, row.sealed_secret, principal, row.enabled and user.enabled)


def _user(connection: Connection, name: UserName) -> User | None:
    row = _user_row(connection, name)
    account = None if row is None else accounts.find(connection, row.account_id)
    if row is None or account is None:
        return None
    if name.domain_id and name.domain_id != account.id:
        return None
    if name.domain_name and name.domain_name != account.name:
        return None
    return User(
        id=row.id,
        name=row.name,
        domain_id=account.id,
        domain_name=account.name,
        password_hash=row.password_hash,
        enabled=row.enabled,
        account_owner=row.account_owner,
        operator=account.operator and row.account_owner,
        policies=policies_of_user(connection, row.id),
        token_era=row.token_era,
    )


def _user_row(connection: Connection, name: UserName) -> accounts.UserRow | None:
    if name.id:
        return accounts.find_user(connection, name.id)
    if name.domain_id:
        return accounts.find_user_by_name(connection, name.domain_id, name.name)
    account = accounts.find_by_name(connection, name.domain_name)
    return None if account is None else accounts.find_user_by_name(connection, account.id, name.name)
