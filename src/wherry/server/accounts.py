"""Accounts, made and listed by the operator."""

from uuid import uuid4

from sqlalchemy import Connection

from wherry.contract.accounts import Account, AccountCreated, AccountCreation, AccountList, PageQuery, Reference
from wherry.contract.errors import ApiError
from wherry.ledger import accounts
from wherry.ledger.accounts import AccountRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call
from wherry.server.hashing import hashed
from wherry.server.installation import generate_admin, new_account
from wherry.server.passwords import check_new_password

_DEFAULT_LIMIT = 100


async def create_account(call: Call) -> Answer:
    """Make an account with its administrator, his access key, and the project where its sources register."""
    allow(call)
    wanted = call.decode(AccountCreation)
    if wanted.password is not None:
        check_new_password(wanted.password, wanted.administrator)
    admin = generate_admin("", "", account=wanted.name, user=wanted.administrator, password=wanted.password or "")
    user_id = str(uuid4())
    insert = new_account(
        admin,
        user_id=user_id,
        password_hash=await hashed(admin.password),
        sealed_secret=call.services.key_box.seal(admin.secret_key),
        now=call.at,
    )

    def unit(tx: Transaction) -> None:
        if accounts.find_by_name(tx.connection, wanted.name) is not None:
            raise ApiError("WHERRY.5805", wanted.name, params=("name",))
        insert(tx)
        call.record(tx, admin.domain_id, wanted.name)

    await call.services.ledger.write(unit)
    return json_answer(
        AccountCreated(
            id=admin.domain_id,
            name=admin.domain_name,
            project_id=admin.project_id,
            created_at=call.at,
            user_id=user_id,
            user_name=admin.user_name,
            access_key=admin.access_key,
            secret_key=admin.secret_key,
            password=admin.password if wanted.password is None else None,
        )
    )


async def list_accounts(call: Call) -> Answer:
    """Return the accounts, oldest first."""
    allow(call)
    query = call.query(PageQuery)

    def read(connection: Connection) -> AccountList:
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = accounts.find_page(connection, name=query.name or "", limit=limit, offset=offset)
        return AccountList(count=count, accounts=[_shown(connection, row) for row in page])

    return json_answer(await call.services.ledger.read(read))


def _shown(connection: Connection, row: AccountRow) -> Account:
    administrator = accounts.administrator_of(connection, row.id)
    return Account(
        id=row.id,
        name=row.name,
        project_id=row.project_id,
        operator=row.operator,
        created_at=row.created_at,
        administrator=None if administrator is None else Reference(id=administrator.id, name=administrator.name),
    )
