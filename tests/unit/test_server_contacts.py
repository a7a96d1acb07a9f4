"""Who is connected: contacts are kept in memory, turns are written, silence is noticed."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server_harness import Harness, created, registration, run
from wherry.ledger import sources
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.sources import SourceRow
from wherry.server.contacts import RECEIVER_WINDOW_S, Contacts, ReceiverContacts

WINDOW_MS = 1000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


class Clock:
    """A clock that goes by hand, and that may be set without any time going by."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.set_by = 0

    def __call__(self) -> int:
        return self.now + self.set_by

    def steady(self) -> float:
        return self.now / 1000


async def row(harness: Harness, source_id: str) -> SourceRow:
    def read(connection: Any) -> SourceRow:
        account = connection.exec_driver_sql("SELECT account_id FROM source").scalar()
        found = sources.find(connection, account, source_id)
        assert found is not None
        return found

    return await harness.services.ledger.read(read)


def with_source(data: Path, check: Callable[[Harness, str, Clock, Contacts], Any]) -> None:
    async def inside(harness: Harness) -> None:
        source_id = await created(await harness.admin(), "/v3/sources", registration())
        clock = Clock((await row(harness, source_id)).last_contact)
        contacts = Contacts(harness.services.ledger, clock, clock.steady, window_ms=WINDOW_MS)
        await contacts.load()
        await check(harness, source_id, clock, contacts)

    run(data, inside)


def test_a_silent_agent_is_not_connected_after_the_window(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        clock.now += WINDOW_MS
        await contacts.flush()
        assert (await row(harness, source_id)).connected
        clock.now += 1
        await contacts.flush()
        silent = await row(harness, source_id)
        assert not silent.connected
        assert silent.last_visit_time == clock.now
        assert silent.state == "waiting", "a silent source keeps its state"

    with_source(data, check)


def test_a_contact_keeps_it_connected_and_is_written_at_the_flush(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        before = await row(harness, source_id)
        clock.now += WINDOW_MS
        await contacts.touch(source_id)
        assert (await row(harness, source_id)).last_contact == before.last_contact
        clock.now += WINDOW_MS
        await contacts.flush()
        after = await row(harness, source_id)
        assert after.connected
        assert after.last_contact == before.last_contact + WINDOW_MS
        assert after.last_visit_time == before.last_visit_time, "it changes with the connection only"

    with_source(data, check)


def test_who_speaks_again_is_connected_at_once(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        clock.now += 10 * WINDOW_MS
        await contacts.flush()
        assert not (await row(harness, source_id)).connected
        clock.now += 5
        await contacts.touch(source_id)
        again = await row(harness, source_id)
        assert (again.connected, again.last_visit_time) == (True, clock.now)

    with_source(data, check)


def test_the_time_while_the_control_plane_was_down_is_not_held_against_an_agent(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, _contacts: Contacts) -> None:
        clock.now += 100 * WINDOW_MS
        restarted = Contacts(harness.services.ledger, clock, clock.steady, window_ms=WINDOW_MS)
        await restarted.load()
        clock.now += WINDOW_MS
        await restarted.flush()
        assert (await row(harness, source_id)).connected
        clock.now += 1
        await restarted.flush()
        assert not (await row(harness, source_id)).connected

    with_source(data, check)


def test_a_deleted_source_is_forgotten(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        await contacts.touch(source_id)
        contacts.forget(source_id)
        assert (await (await harness.admin()).delete(f"/v3/sources/{source_id}")).status_code == 200
        clock.now += 10 * WINDOW_MS
        await contacts.flush()
        sources_left = await harness.services.ledger.read(partial(sources.all_connected, connected=True))
        assert sources_left == frozenset()

    with_source(data, check)


def test_what_another_process_hears_counts(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        other = Contacts(harness.services.ledger, clock, clock.steady, window_ms=WINDOW_MS)
        await other.load()
        for _ in range(3):
            clock.now += WINDOW_MS
            await other.touch(source_id)
            await other.flush()
            await contacts.flush()
            assert (await row(harness, source_id)).connected

    with_source(data, check)


def test_an_agent_that_another_process_found_silent_is_connected_again_at_its_next_word(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        other = Contacts(harness.services.ledger, clock, clock.steady, window_ms=WINDOW_MS)
        await other.load()
        harness.services.ledger.listen(contacts.changed)
        clock.now += 2 * WINDOW_MS
        await other.flush()
        assert not (await row(harness, source_id)).connected
        await contacts.touch(source_id)
        assert (await row(harness, source_id)).connected

    with_source(data, check)


def test_an_agent_that_was_found_silent_because_its_contacts_were_not_written_yet_comes_back(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        other = Contacts(harness.services.ledger, clock, clock.steady, window_ms=WINDOW_MS)
        await other.load()
        clock.now += 2 * WINDOW_MS
        await contacts.touch(source_id)
        await other.flush()
        assert not (await row(harness, source_id)).connected
        await contacts.flush()
        back = await row(harness, source_id)
        assert (back.connected, back.last_contact) == (True, clock.now)

    with_source(data, check)


@pytest.mark.parametrize("set_by", [-3_600_000, -(10**11), 3_600_000, 10**11])
def test_nobody_is_gone_or_stays_because_the_clock_was_set(data: Path, set_by: int) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        await contacts.touch(source_id)
        await contacts.flush()
        clock.set_by = set_by
        for _ in range(5):  # it isn't gone, whether it speaks just now or not
            await contacts.flush()
            assert (await row(harness, source_id)).connected
            clock.now += WINDOW_MS // 2
            await contacts.touch(source_id)
        await contacts.flush()
        assert (await row(harness, source_id)).last_contact == clock()
        clock.now += WINDOW_MS + 1  # and from now on it's silent
        await contacts.flush()
        assert not (await row(harness, source_id)).connected

    with_source(data, check)


@pytest.mark.parametrize("set_by", [-3_600_000, 3_600_000])
def test_who_never_speaks_again_after_the_clock_was_set_is_found_silent(data: Path, set_by: int) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        clock.set_by = set_by
        await contacts.flush()
        assert (await row(harness, source_id)).connected
        clock.now += WINDOW_MS + 1
        await contacts.flush()
        assert not (await row(harness, source_id)).connected

    with_source(data, check)


def test_a_clock_that_is_adjusted_smoothly_was_not_set(data: Path) -> None:
    async def check(harness: Harness, source_id: str, clock: Clock, contacts: Contacts) -> None:
        for _ in range(WINDOW_MS // 100):
            clock.now += 100
            clock.set_by += 1
            await contacts.flush()
        clock.now += 1
        await contacts.flush()
        assert not (await row(harness, source_id)).connected

    with_source(data, check)


@pytest.mark.parametrize("set_by", [-3_600_000, 0, 3_600_000])
def test_a_receiver_is_there_for_as_long_after_its_last_word_whatever_the_clock_says(set_by: int) -> None:
    clock = Clock(10**12)
    heard = ReceiverContacts(clock.steady)
    receiver = ReceiverRow("r", "a", "hall", "h", 1, [], 0, "1", clock(), clock(), 1)
    heard.heard_of("r")
    clock.set_by = set_by
    assert heard.connected(receiver, clock())
    clock.now += RECEIVER_WINDOW_S * 1000
    assert heard.connected(receiver, clock()) is (set_by == 0), "by the ledger: to the end of the window"
    clock.now += 1
    assert not heard.connected(receiver, clock())


def test_polls_of_the_vendors_agents_count_though_they_sign_with_a_users_key(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source_id = await created(admin, "/v3/sources", registration())

        def silence(tx: Any) -> None:
            sources.set_connected(tx.connection, source_id, connected=False, at=1)

        await harness.services.ledger.write(silence)
        harness.services.contacts.forget(source_id)
        assert (await admin.get(f"/v3/sources/{source_id}")).json()["connected"] is False
        assert (await admin.get(f"/v3/sources/{source_id}/command")).status_code == 200
        assert (await admin.get(f"/v3/sources/{source_id}")).json()["connected"] is True
        await asyncio.sleep(0)

    run(data, check)
