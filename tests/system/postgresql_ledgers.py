"""Ledgers on a test's own PostgreSQL, and the rows that the tests write into them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from wherry.contract.enumerations import SourceState
from wherry.ledger import accounts, commands, migprojects, sources
from wherry.ledger.ledger import Ledger, open_ledger
from wherry.ledger.transaction import Transaction

NewDatabase = Callable[[], str]
SOURCES = tuple(f"source-{number}" for number in range(4))


@asynccontextmanager
async def opened(*urls: str) -> AsyncIterator[list[Ledger]]:
    """Open a ledger for each URL, as so many processes would."""
    ledgers = [open_ledger(url) for url in urls]
    try:
        yield ledgers
    finally:
        for ledger in ledgers:
            await ledger.close()


def add_sources(tx: Transaction) -> None:
    accounts.insert(tx.connection, accounts.AccountRow("account", "account", "project", 1))
    migprojects.insert(tx.connection, migprojects.MigprojectRow("migproject", "account", "one", True, 1, {}))
    for name in SOURCES:
        row = sources.SourceRow(
            id=name,
            account_id="account",
            name=name,
            ip="192.0.2.1",
            ipv6="",
            mac="",
            os_type="LINUX",
            state=SourceState.WAITING,
            migration_cycle="checking",
            migproject_id="migproject",
            enterprise_project_id="default",
            connected=True,
            last_contact=0,
            last_visit_time=0,
            add_date=0,
            state_action_time=0,
            stage_action_time=0,
            replicatesize=0,
            totalsize=0,
            document={},
            checks=[],
        )
        sources.insert(tx.connection, row, reason="test")


def add_result(detail: bytes) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        report = commands.CommandResult("account", "source", None, "START", "success", detail, 1, "request")
        commands.append_result(tx.connection, report)

    return unit
