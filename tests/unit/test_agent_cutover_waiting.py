"""Freezes that don't fit, are refused or cut short: the task goes on, and tries again."""

import itertools
from pathlib import Path

import pytest

from tests.unit.agent_doubles import Freeze, Journal
from tests.unit.cutover_stage import Stage
from wherry.agent.errors import FreezeExpired, FreezeForecast
from wherry.client.patience import Patience
from wherry.disks.freezing import FreezeRefused
from wherry.replication.errors import ConnectionLost


def test_a_freeze_that_never_suffices_fails_the_task_with_a_code(tmp_path: Path) -> None:
    stage = Stage(tmp_path, freezes=[Freeze(Journal(), holds=False) for _ in range(3)])
    with pytest.raises(FreezeExpired) as caught:
        stage.run()
    assert caught.value.code == FreezeExpired.code
    assert "2.5 s" in caught.value.message
    assert stage.freezes == []


def test_a_freeze_that_is_refused_is_tried_again_and_then_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, freezes=[Freeze(Journal(), refuses=True) for _ in range(3)])
    with pytest.raises(FreezeRefused):
        stage.run()
    assert stage.journal.lines.count("thaw") == 3


def test_a_link_that_breaks_in_every_frozen_pass_does_not_freeze_for_ever(tmp_path: Path) -> None:
    stage = Stage(tmp_path, freezes=[Freeze(Journal()) for _ in range(4)])

    def cut() -> None:
        if stage.journal.lines.count("freeze") > stage.journal.lines.count("thaw"):
            raise ConnectionLost(reason="cut")

    stage.session.during_pass = cut
    for _ in range(3):
        with pytest.raises(ConnectionLost):
            stage.run()
    with pytest.raises(FreezeExpired):
        stage.run()
    assert len(stage.freezes) == 1


def test_after_a_link_that_broke_while_frozen_the_task_says_what_it_waits_for(tmp_path: Path) -> None:
    pauses = Patience(first_s=10.0, ceiling_s=10.0, uniform=lambda _least, most: most)
    stage = Stage(tmp_path, freezes=[Freeze(Journal()), Freeze(Journal())], attempts=0, pauses=pauses)

    def cut() -> None:
        if stage.journal.lines.count("freeze") > stage.journal.lines.count("thaw"):
            raise ConnectionLost(reason="cut")

    stage.session.during_pass = cut
    with pytest.raises(ConnectionLost):
        stage.run()
    stage.session.during_pass = lambda: None
    assert stage.run()[-1].startswith("hand in")
    assert any("connection was lost while the server was frozen" in line for line in stage.journal.lines)


def test_a_server_whose_passes_take_too_long_is_not_even_frozen(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.session.seconds = 2.61
    with pytest.raises(FreezeForecast, match=r"2\.7 s"):
        stage.run()
    assert "freeze" not in stage.journal.lines


def test_a_freeze_that_does_not_fit_is_tried_until_it_does(tmp_path: Path) -> None:
    freezes = [*(Freeze(Journal(), holds=False) for _ in range(5)), Freeze(Journal(), refuses=True), Freeze(Journal())]
    stage = Stage(tmp_path, freezes=freezes, attempts=0)
    assert stage.run()[-1].startswith("hand in")
    assert stage.freezes == []
    told = [line for line in stage.journal.lines if line.startswith("trace") and "tried again" in line]
    for part in (FreezeExpired.code, "2.5 s", "cause:", "fix:", "--max-freeze"):
        assert part in told[0]


def test_a_server_that_writes_too_much_is_not_frozen_until_it_writes_less(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=0)
    stage.session.seconds = 9.0
    passes = 0

    def quieten() -> None:
        nonlocal passes
        passes += 1
        stage.session.seconds = 9.0 if passes < 30 else 0.1

    stage.session.during_pass = quieten
    lines = stage.run()
    assert lines.index("freeze") > lines.index("pass 33")
    assert lines.count("freeze") == 1
    words = next(line for line in stage.journal.lines if FreezeForecast.code in line)
    assert "it may be for 2.5 s only" in words


def test_one_freeze_that_was_dear_does_not_forbid_all_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=0)
    stage.outlook.freeze_ms = 60_000.0
    lines = stage.run()
    assert lines.count("freeze") == 1
    assert lines[-1].startswith("hand in")
    assert any(FreezeForecast.code in line for line in stage.journal.lines)


def test_between_two_freezes_there_is_time_for_the_server_and_more_each_time(tmp_path: Path) -> None:
    freezes = [Freeze(Journal(), holds=False) for _ in range(4)] + [Freeze(Journal())]
    pauses = Patience(first_s=10.0, ceiling_s=25.0, uniform=lambda _least, most: most)
    stage = Stage(tmp_path, freezes=freezes, attempts=0, pauses=pauses)
    stage.run()
    between = [later - earlier for earlier, later in itertools.pairwise(stage.tried_at)]
    for least, seconds in zip((10, 20, 25, 25), between, strict=True):
        assert least <= seconds < least + 5


@pytest.mark.parametrize("freeze", [Freeze(Journal(), holds=False), Freeze(Journal(), refuses=True)])
def test_a_checkpoint_that_somebody_wishes_for_is_tried_once(tmp_path: Path, freeze: Freeze) -> None:
    stage = Stage(tmp_path, freezes=[freeze, Freeze(Journal())], attempts=0)
    with pytest.raises((FreezeExpired, FreezeRefused)):
        stage.cutover.take_checkpoint(stage.session)
    assert len(stage.tried_at) == 1
    assert stage.cutover.take_checkpoint(stage.session) == stage.session.checkpoint


def test_a_checkpoint_that_somebody_wishes_for_is_not_waited_for_on_a_busy_server(tmp_path: Path) -> None:
    stage = Stage(tmp_path, attempts=0)
    stage.session.seconds = 9.0
    with pytest.raises(FreezeForecast):
        stage.cutover.take_checkpoint(stage.session)
    assert stage.tried_at == []
