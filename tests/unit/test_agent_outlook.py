"""What the agent expects of the passes to come, and whom it names."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from wherry.agent.outlook import Outlook
from wherry.contract.wherry import ForecastFigures
from wherry.disks.writers import Charged
from wherry.replication.sending import PassFigures

MIB = 1 << 20
PASS = PassFigures(1, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)


class Server:
    """A server that changes so many bytes a second, and a line that moves so many; time passes by passes only."""

    def __init__(self, change: float, move: float, max_freeze_s: float = 5.0) -> None:
        self.now = 0.0
        self.change = change
        self.move = move
        self.written = 0
        self.since = 0.0
        self.outlook = Outlook(max_freeze_s, clock=lambda: self.now, look=self.processes)

    def processes(self) -> Mapping[int, Charged]:
        return {7: Charged("databased", self.written, 100), 8: Charged("idle", 5, 100)}

    def run_pass(self, changed: int, rate_mbit: float = 0.0) -> ForecastFigures | None:
        self.outlook.begin()
        self.now += changed / self.move
        self.written += changed
        return self.outlook.end(replace(PASS, changed_bytes=changed, sent_bytes=changed), rate_mbit)

    def next_pass(self, rate_mbit: float = 0.0) -> ForecastFigures | None:
        changed = round(self.change * (self.now - self.since))
        self.since = self.now
        return self.run_pass(max(1, changed), rate_mbit)


def test_the_first_copy_tells_nothing_of_what_changes() -> None:
    assert Server(1e6, 1e8).run_pass(10 << 30) is None


def test_a_calm_server_will_be_frozen_for_a_moment() -> None:
    server = Server(1e6, 1e8)
    server.next_pass()
    server.run_pass(1 << 30)
    found = server.next_pass()
    assert found is not None
    assert found.converges
    assert found.frozen_ms is not None
    assert 0 < found.frozen_ms < 1000
    assert found.writers == []
    assert server.outlook.busiest == ""


def test_a_server_that_changes_faster_than_the_line_names_who_writes() -> None:
    server = Server(2e7, 1e7)
    server.run_pass(1 << 30)
    server.since = 0.0
    server.next_pass()
    found = server.next_pass()
    assert found is not None
    assert not found.converges
    assert found.seconds is None
    assert found.frozen_ms is None
    assert found.needed_mbit == pytest.approx(2e7 * 1.25 * 8 / 1e6, rel=0.1)
    assert [(writer.pid, writer.name) for writer in found.writers] == [(7, "databased")]
    assert found.writers[0].bytes_per_s == pytest.approx(1e7, rel=0.1)
    assert server.outlook.busiest == "databased (7) 10.0 MB/s"


def test_a_freeze_that_would_be_too_long_names_who_writes_although_passes_get_small() -> None:
    server = Server(1e6, 1e6, max_freeze_s=1.0)
    server.run_pass(4 * MIB)
    found = server.run_pass(4 * MIB)
    assert found is not None
    assert found.converges
    assert found.frozen_ms is not None
    assert found.frozen_ms > 1000
    assert [writer.name for writer in found.writers] == ["databased"]


def test_a_limit_that_is_too_low_is_told_and_lifting_it_helps() -> None:
    server = Server(2e6, 1e8)
    server.run_pass(1 << 30)
    server.since = 0.0
    limited = server.next_pass(rate_mbit=8)
    assert limited is not None
    assert not limited.converges
    free = server.next_pass()
    assert free is not None
    assert free.converges
