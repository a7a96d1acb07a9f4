"""The figures go on counting, whatever restarts."""

from pathlib import Path

import pytest

from wherry.agent.figures import KEPT_PASSES, FiguresBook, forget_figures
from wherry.client.errors import StateUnreadable
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import DiskRoot, ProofHalf
from wherry.replication.sending import Commit, PassFigures, PassReport


def running(number: int, amount: int, *, used: int = 1000) -> PassFigures:
    return PassFigures(
        number=number,
        used_bytes=used,
        read_bytes=amount,
        changed_bytes=amount,
        sent_bytes=amount // 2,
        wire_bytes=amount // 2 + 8,
        resent_bytes=0,
        durable_bytes=0,
        remaining_bytes=used - amount,
        rate_mbit=12.5,
        seconds=1.5,
    )


def report(number: int, amount: int) -> PassReport:
    return PassReport(complete=True, figures=running(number, amount), covered={0: [(0, 1)]})


def test_a_pass_is_counted_once_however_often_it_is_observed(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.count(running(0, 100))
    book.count(running(0, 400))
    assert book.figures.read_bytes == 400
    assert book.figures.remaining_bytes == 600
    book.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    figures = book.figures
    assert (figures.read_bytes, figures.sent_bytes, figures.wire_bytes) == (1000, 500, 508)
    assert [done.number for done in figures.passes] == [0]
    assert figures.remaining_bytes == 0


def test_passes_add_up(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    for number in (0, 1):
        book.begin_pass(number)
        book.end_pass(report(number, 1000), Commit(number, 1000, 0), consistent=number == 1)
    assert book.figures.read_bytes == 2000
    assert book.figures.checkpoint == 1
    assert [done.consistent for done in book.figures.passes] == [False, True]


def test_a_restarted_agent_goes_on_counting_the_pass_that_was_interrupted(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.count(running(0, 400))
    book.save()
    again = FiguresBook(tmp_path, "task-1")
    again.begin_pass(0)
    again.count(running(0, 100))
    assert again.figures.read_bytes == 500
    again.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    assert again.figures.read_bytes == 1400
    assert again.figures.passes[0].read_bytes == 1400
    assert again.figures.passes[0].seconds == pytest.approx(3.0)


def test_a_killed_agent_goes_on_from_what_it_jotted_down(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.count(running(0, 400))
    book.jot()
    assert FiguresBook(tmp_path, "task-1").figures.read_bytes == 400
    book.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    again = FiguresBook(tmp_path, "task-1")
    assert again.figures.read_bytes == 1000
    assert [done.number for done in again.figures.passes] == [0]


@pytest.mark.parametrize("content", [b"", b"{", b'{"figures": 3}'])
def test_notes_that_were_lost_with_the_machine_are_done_without(tmp_path: Path, content: bytes) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    (tmp_path / "tasks" / "task-1.running.json").write_bytes(content)
    assert FiguresBook(tmp_path, "task-1").figures.read_bytes == 1000


def test_old_jottings_never_win_over_what_was_kept_later(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.count(running(0, 400))
    book.jot()
    old = (tmp_path / "tasks" / "task-1.running.json").read_bytes()
    book.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    (tmp_path / "tasks" / "task-1.running.json").write_bytes(old)
    assert FiguresBook(tmp_path, "task-1").figures.read_bytes == 1000


def test_what_the_receiver_got_twice_counts_even_when_the_agent_forgot_that_it_sent_it(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.end_pass(report(0, 1000), Commit(0, 1300, 300), consistent=False)
    assert book.figures.resent_bytes == 300
    assert book.figures.passes[0].resent_bytes == 300


def test_a_pass_that_was_committed_without_the_agent_knowing_does_not_count_into_the_next(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    book.count(running(0, 1000))
    book.begin_pass(1)
    book.end_pass(report(1, 10), Commit(1, 10, 0), consistent=False)
    assert book.figures.passes[-1].read_bytes == 10
    assert book.figures.read_bytes == 1010


def test_weeks_of_passes_stay_a_short_list_with_the_first_copy_in_it(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    for number in range(KEPT_PASSES + 20):
        book.begin_pass(number)
        book.end_pass(report(number, 1), Commit(number, 1, 0), consistent=False)
    numbers = [done.number for done in book.figures.passes]
    assert len(numbers) == KEPT_PASSES
    assert numbers[0] == 0
    assert numbers[-1] == KEPT_PASSES + 19
    assert book.figures.read_bytes == KEPT_PASSES + 20


def test_the_longest_freeze_and_a_fired_watchdog_are_remembered(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.thawed(5000, expired=True)
    book.thawed(120, expired=False)
    assert book.figures.frozen_ms == 5000
    assert book.figures.watchdog_fired


def test_a_half_survives_the_agent_until_it_is_dropped(tmp_path: Path) -> None:
    half = ProofHalf(
        checkpoint=3,
        taken_at=1,
        disks=[DiskRoot(index=0, name="a", size=1, granule_size=65536, covered=[[0, 1]], root="ab" * 32)],
    )
    FiguresBook(tmp_path, "task-1").hold(half)
    again = FiguresBook(tmp_path, "task-1")
    assert again.half == half
    again.give_up()
    assert FiguresBook(tmp_path, "task-1").half is None
    again.give_up()


def test_tasks_do_not_mix_and_a_forgotten_one_begins_anew(tmp_path: Path) -> None:
    first, second = FiguresBook(tmp_path, "task-1"), FiguresBook(tmp_path, "task-2")
    first.enter(ReplicationPhase.DONE)
    first.save()
    second.save()
    assert FiguresBook(tmp_path, "task-2").figures.phase is ReplicationPhase.CONNECTING
    forget_figures(tmp_path, "task-1")
    forget_figures(tmp_path, "task-1")
    assert FiguresBook(tmp_path, "task-1").figures.phase is ReplicationPhase.CONNECTING


def test_damaged_notes_of_a_task_that_is_gone_are_removed_all_the_same(tmp_path: Path) -> None:
    FiguresBook(tmp_path, "task-1").save()
    (tmp_path / "tasks" / "task-1.json").write_text("damaged")
    (tmp_path / "tasks" / "task-1.running.json").mkdir()
    forget_figures(tmp_path, "task-1")
    assert not (tmp_path / "tasks" / "task-1.json").exists()


def test_a_disk_that_refuses_the_notes_does_not_stop_the_work(tmp_path: Path) -> None:
    book = FiguresBook(tmp_path, "task-1")
    book.begin_pass(0)
    (tmp_path / "tasks").rmdir()
    book.jot()
    book.end_pass(report(0, 1000), Commit(0, 1000, 0), consistent=False)
    assert book.figures.read_bytes == 1000


def test_a_damaged_book_is_named(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "task-1.json").write_text("{")
    with pytest.raises(StateUnreadable, match=r"task-1\.json"):
        FiguresBook(tmp_path, "task-1")
