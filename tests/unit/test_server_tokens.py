"""Tokens die when what their user may has changed, whatever the clock says."""

import time
from pathlib import Path

import pytest

from tests.unit.server_harness import Harness, run
from wherry.iam.directory import UserName
from wherry.ledger import accounts

YEAR_MS = 365 * 24 * 3600 * 1000


@pytest.mark.parametrize("ahead_ms", [-YEAR_MS, 0, YEAR_MS], ids=["clock behind", "clock right", "clock ahead"])
def test_a_change_ends_what_was_issued_before_and_nothing_that_is_issued_after(tmp_path: Path, ahead_ms: int) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.services.directory.user(UserName(name="admin", domain_name="default"))
        assert admin is not None

        async def change() -> None:
            at = time.time_ns() // 1_000_000 + ahead_ms
            await harness.services.ledger.write(lambda tx: accounts.void_tokens(tx.connection, [admin.id], at=at))
            harness.services.authenticator.forget_everything()

        clients = [await harness.admin()]
        for _ in range(3):
            assert (await clients[-1].get("/v3/sources")).status_code == 200
            await change()
            assert [(await client.get("/v3/sources")).status_code for client in clients] == [401] * len(clients)
            clients.append(await harness.admin())

    run(tmp_path / "data", check)
