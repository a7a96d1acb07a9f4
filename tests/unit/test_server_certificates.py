"""Certificates of a task's data channel: kept while they are good, by the control plane's clock."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.ledger import tasks
from wherry.server.certificates import channel_secrets

DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("days", "kept"),
    [(0, True), (1, True), (-1, True), (350, True), (360, False), (4000, False), (-30, False), (-4000, False)],
)
def test_certificates_are_renewed_before_their_end_and_when_the_clock_was_ahead_as_they_were_made(
    tmp_path: Path, days: int, *, kept: bool
) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source_id = await created(admin, "/v3/sources", registration())
        await created(admin, "/v3/tasks", task(source_id))
        row = await harness.services.ledger.read(lambda connection: tasks.of_source(connection, source_id))
        assert row is not None
        first = await channel_secrets(harness.services, row)
        later = replace(harness.services, clock=lambda: harness.services.clock() + days * DAY_MS)
        assert (await channel_secrets(later, row) == first) is kept

    run(tmp_path / "data", check)
