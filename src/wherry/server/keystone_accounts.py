"""Accounts whose users an OpenStack Keystone knows: made in the ledger when somebody with a role in them comes."""

from collections.abc import Callable

import structlog

from wherry.iam.keystone_tokens import Account
from wherry.ledger import accounts, migprojects
from wherry.ledger.ledger import Ledger
from wherry.ledger.transaction import Transaction
from wherry.server.installation import system_project

log = structlog.get_logger(__name__)


class LedgerAccounts:
    """The `wherry.iam.keystone_tokens.Accounts` over the ledger.

    Args:
        clock: the time in epoch milliseconds.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._clock = clock

    async def admit(self, account: Account) -> None:
        """Make the account with its default migration project unless it's there. Its name may have been taken."""
        if await self._ledger.read(lambda connection: accounts.find(connection, account.id)) is not None:
            return
        now = self._clock()

        def unit(tx: Transaction) -> bool:
            if accounts.find(tx.connection, account.id) is not None:
                return False
            taken = accounts.find_by_name(tx.connection, account.name) is not None
            name = f"{account.name} ({account.id})" if taken else account.name
            accounts.insert(tx.connection, accounts.AccountRow(account.id, name, account.project_id, now))
            migprojects.insert(tx.connection, system_project(account.id, now))
            return True

        if await self._ledger.write(unit):
            log.info("account made", account=account.id, name=account.name)
