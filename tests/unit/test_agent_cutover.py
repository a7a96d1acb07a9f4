"""The cutover against a session, a freeze and a control plane that do as the test says."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.unit.agent_doubles import MIB, ROOT, Freeze, Journal, Tracker
from tests.unit.cutover_stage import Stage
from wherry.agent.decisions import MAX_EXTRA_PASSES
from wherry.agent.errors import HookFailed, ProofRefused, TrackingDoubtful
from wherry.agent.figures import FiguresBook
from wherry.agent.frozen import LATE_ROUNDS
from wherry.agent.hooks import Hooks, HookSettings
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Stopped
from wherry.contract.wherry import ProofHalf
from wherry.disks.tracking.trust import Reason
from wherry.replication.errors import ConnectionLost
from wherry.replication.sending import Dirty


def test_a_quiet_server_is_frozen_for_one_pass_and_proven(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.run() == [
        "map flush=True", "pass 4", "commit 4 consistent=False",
        "freeze", "map flush=False", "pass 5", "commit 5 consistent=True", "thaw", "close freeze",
        "hand in 5",
    ]  # fmt: skip
    assert stage.limits == [(["/srv"], 2.5)]
    assert stage.book.figures.frozen_ms == 42
    assert stage.book.figures.checkpoint == 5
    assert not stage.book.figures.watchdog_fired


def test_the_filesystems_are_written_back_right_before_they_are_frozen(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.run()
    lines = stage.journal.lines
    assert lines[lines.index("freeze") - 1] == "write back"


def test_a_busy_server_gets_extra_passes_before_the_freeze(tmp_path: Path) -> None:
    stage = Stage(tmp_path, changed=[400 * MIB, 100 * MIB, 20 * MIB, MIB])
    assert stage.run().index("freeze") == 4 * 3


def test_a_server_that_never_gets_quiet_is_frozen_all_the_same(tmp_path: Path) -> None:
    stage = Stage(tmp_path, changed=[900 * MIB // 3**number for number in range(20)])
    lines = stage.run()
    assert sum("consistent=False" in line for line in lines) <= MAX_EXTRA_PASSES


def test_an_image_needs_no_freeze(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mounted=False, freezes=[])
    assert "commit 5 consistent=True" in stage.run()
    assert stage.limits == []
    assert stage.book.figures.frozen_ms == 0


def test_a_pass_that_the_watchdog_cut_short_is_kept_but_not_called_consistent(tmp_path: Path) -> None:
    stage = Stage(tmp_path, freezes=[Freeze(Journal(), holds=False), Freeze(Journal())])
    lines = stage.run()
    assert [line for line in lines if line.startswith("commit")] == [
        "commit 4 consistent=False",
        "commit 5 consistent=False",
        "commit 6 consistent=False",
        "commit 7 consistent=True",
    ]
    assert lines[-1] == "hand in 7"
    assert stage.book.figures.watchdog_fired


def test_a_connection_that_breaks_while_frozen_thaws_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    def cut() -> None:
        if "freeze" in stage.journal.lines:
            raise ConnectionLost(reason="cut")

    stage.session.during_pass = cut
    with pytest.raises(ConnectionLost):
        stage.run()
    assert stage.journal.lines[-2:] == ["thaw", "close freeze"]
    assert stage.book.figures.frozen_ms == 42
    assert stage.book.half is None


def test_the_hook_runs_between_commit_and_thaw(tmp_path: Path) -> None:
    log = tmp_path / "hook"
    stage = Stage(tmp_path, hooks=HookSettings(frozen=f"touch '{log}'"))
    stage.session.during_pass = lambda: stage.journal(f"hook ran: {log.exists()}")
    stage.run()
    assert log.exists()
    assert "hook ran: True" not in stage.journal.lines


def test_a_hook_that_fails_thaws_and_fails_the_task(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hooks=HookSettings(frozen="false"))
    with pytest.raises(HookFailed):
        stage.run()
    assert "thaw" in stage.journal.lines
    assert not any(line.startswith("hand in") for line in stage.journal.lines)


def script(folder: Path, name: str, words: str) -> str:
    """Return a command that runs a script of *words*."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    return str(path)


def test_hooks_stand_around_the_freeze_and_what_the_first_one_wrote_goes_over_before(tmp_path: Path) -> None:
    hooks = HookSettings(f"touch '{tmp_path}/before'", f"mv '{tmp_path}/before' '{tmp_path}/frozen'", "")
    stage = Stage(tmp_path, hooks=hooks)
    stage.session.during_pass = lambda: stage.journal(
        f"before: {(tmp_path / 'before').exists()}, frozen: {(tmp_path / 'frozen').exists()}"
    )
    lines = stage.run()
    assert [line for line in lines if line.startswith(("before", "freeze", "thaw"))] == [
        "before: False, frozen: False",
        "before: True, frozen: False",
        "freeze",
        "before: True, frozen: False",
        "thaw",
    ]
    assert (tmp_path / "frozen").exists()


def test_a_first_hook_that_fails_cancels_the_freeze_and_the_last_one_runs_all_the_same(tmp_path: Path) -> None:
    hooks = HookSettings(script(tmp_path, "no", "echo the database is away >&2; exit 3"), "", f"touch '{tmp_path}/on'")
    stage = Stage(tmp_path, hooks=hooks)
    with pytest.raises(HookFailed, match=r"--before-freeze failed: .* status 3: the database is away") as caught:
        stage.run()
    assert caught.value.code == "WHERRY.4005"
    assert "freeze" not in stage.journal.lines
    assert (tmp_path / "on").exists()


def test_a_hook_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hooks=HookSettings("sleep 60", limit_s=0.2))
    with pytest.raises(HookFailed, match="did not end within"):
        stage.run()


def test_a_last_hook_that_fails_is_told_but_the_checkpoint_stands(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hooks=HookSettings(after_thaw="false"))
    assert stage.run()[-1] == "hand in 5"
    assert any("--after-thaw failed" in line for line in stage.journal.lines if line.startswith("trace"))


def test_the_last_hook_runs_after_every_freeze_once_thawed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hooks = HookSettings(after_thaw=script(tmp_path, "on", f"echo on >> {log}"))
    stage = Stage(tmp_path, hooks=hooks, freezes=[Freeze(Journal(), holds=False), Freeze(Journal())])
    stage.run()
    assert log.read_text().split() == ["on", "on"]


def test_an_agent_that_was_killed_while_the_server_stood_still_lets_it_go_on_when_it_starts(tmp_path: Path) -> None:
    settings = HookSettings(after_thaw=f"touch '{tmp_path}/on'")
    Hooks(settings, tmp_path).before_freeze()
    Hooks(settings, tmp_path).make_good()
    assert (tmp_path / "on").exists()
    (tmp_path / "on").unlink()
    Hooks(settings, tmp_path).make_good()
    assert not (tmp_path / "on").exists()


def test_a_snapshot_that_may_have_been_taken_after_the_thaw_is_taken_again(tmp_path: Path) -> None:
    freezes = [Freeze(Journal(), expires_late=True), Freeze(Journal())]
    stage = Stage(tmp_path, hooks=HookSettings(frozen="true"), freezes=freezes)
    assert stage.run()[-1] == "hand in 7"


def test_without_a_hook_a_late_thaw_spoils_nothing_that_was_read_before(tmp_path: Path) -> None:
    stage = Stage(tmp_path, freezes=[Freeze(Journal(), expires_late=True)])
    assert stage.run()[-1] == "hand in 5"
    assert stage.book.figures.watchdog_fired


def test_a_restarted_agent_hands_the_same_half_in_again_instead_of_freezing_anew(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    first.control.on_look = first.stop.set
    with pytest.raises(Stopped):
        first.run()
    again = Stage(tmp_path, freezes=[])
    again.session.checkpoint = 5
    assert again.run() == ["hand in 5"]


def test_a_half_of_another_checkpoint_is_of_no_use(tmp_path: Path) -> None:
    FiguresBook(tmp_path, "task-1").hold(ProofHalf(checkpoint=9, taken_at=1, disks=[ROOT]))
    assert Stage(tmp_path).run()[-1] == "hand in 5"


def test_sides_that_differ_fail_the_task_and_the_half_is_dropped(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.control.refusal = ControlPlaneError("WHERRY.5010", "disk 0 differs", status=409)
    with pytest.raises(ProofRefused, match="disk 0 differs"):
        stage.run()
    assert FiguresBook(tmp_path, "task-1").half is None


def test_a_stop_in_a_pass_ends_the_cutover(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.session.during_pass = stage.stop.set
    with pytest.raises(Stopped):
        stage.run()
    assert not any(line.startswith("commit") for line in stage.journal.lines)


def granules(dirty: Mapping[int, Dirty]) -> list[int]:
    """Return what a pass was told to look at on the first disk."""
    written = dirty[0]
    assert isinstance(written, np.ndarray)
    return [int(number) for number in np.flatnonzero(written)]


def test_of_a_tracked_disk_the_frozen_pass_looks_at_what_was_written(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tracker=Tracker(Journal(), [Reason.BEGINNING, [3], [6], [4, 5]]))
    stage.session.during_pass = lambda: stage.journal(f"held: {stage.session.held}")
    lines = stage.run()
    assert [sorted(dirty) for dirty in stage.session.dirty] == [[], [0], [0], [0]]
    # The last one before the freeze begins when everything is ready for the freeze, so that hardly any time passes.
    assert [granules(dirty) for dirty in stage.session.dirty[1:]] == [[3], [6], [4, 5]]
    assert stage.session.blocks == [[], [0], [0], [0]], "blocks are told where the tracker is trusted"
    assert [line for line in lines if line.startswith("held")] == ["held: False"] * 3 + ["held: True"]
    assert not stage.session.held
    assert [line.split()[0] for line in stage.tracker.journal.lines] == [
        "begin", "cut", "forget", "cut", "forget", "cut", "forget", "drain", "drain", "forget",
    ]  # fmt: skip
    scans = [(done.scan, done.scan_reason) for done in stage.book.figures.passes]
    assert scans == [(True, Reason.BEGINNING.value), (False, ""), (False, ""), (False, "")]
    assert stage.book.figures.tracking == "ftrace+ebpf"


def test_what_comes_in_late_while_frozen_is_sent_before_the_commit(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tracker=Tracker(Journal(), [[1], [8], [2], [9]]))
    lines = stage.run()
    assert lines[lines.index("freeze") :] == [
        "freeze", "pass 6", "pass 6", "commit 6 consistent=True", "thaw", "close freeze",
        "hand in 6",
    ]  # fmt: skip
    assert granules(stage.session.dirty[-1]) == [9]
    assert stage.tracker.committed == stage.tracker.epoch


def test_a_disk_that_is_written_past_its_filesystems_does_not_stay_frozen_for_ever(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tracker=Tracker(Journal(), [[1]] * 50))
    assert stage.run().count("pass 6") == 1 + LATE_ROUNDS


@pytest.mark.parametrize("late", [False, True])
def test_a_disk_is_never_frozen_for_a_digest_scan(tmp_path: Path, late: bool) -> None:
    cuts: list[Reason | list[int]] = [[], [], *([[]] if late else []), Reason.DROPPED, Reason.DROPPED]
    stage = Stage(tmp_path, freezes=[Freeze(Journal()), Freeze(Journal())], tracker=Tracker(Journal(), cuts))
    lines = stage.run()
    given_up = lines[lines.index("freeze") : lines.index("thaw")]
    assert not any(line.startswith("commit") for line in given_up)
    scanned = lines[lines.index("thaw") :]
    assert scanned[2:5] == ["map flush=True", "pass 6", "commit 6 consistent=False"]
    assert lines[-1] == "hand in 9"
    assert [done.scan for done in stage.book.figures.passes] == [False, False, True, False, False, False]
    assert stage.book.figures.passes[2].scan_reason == Reason.DROPPED.value


def test_tracking_that_is_never_trusted_when_frozen_fails_the_task_with_the_reason(tmp_path: Path) -> None:
    cuts: list[Reason | list[int]] = [[]]
    for _ in range(3):
        cuts += [[], Reason.DROPPED, Reason.DROPPED, []]
    stage = Stage(tmp_path, freezes=[Freeze(Journal()) for _ in range(3)], tracker=Tracker(Journal(), cuts))
    with pytest.raises(TrackingDoubtful, match="dropped events"):
        stage.run()
    assert not any("consistent=True" in line for line in stage.journal.lines)


def test_tracking_that_is_never_trusted_before_the_freeze_fails_the_task_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tracker=Tracker(Journal(), [Reason.MISSING] * 50))
    with pytest.raises(TrackingDoubtful):
        stage.run()
    assert "freeze" not in stage.journal.lines


def test_a_scan_before_the_freeze_says_nothing_of_how_long_the_frozen_pass_takes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tracker=Tracker(Journal(), [Reason.BEGINNING]))
    stage.session.seconds = 100.0
    stage.session.during_pass = lambda: setattr(stage.session, "seconds", 100.0 if stage.session.checkpoint == 3 else 0)
    assert stage.run()[-1] == "hand in 7"


def test_a_disk_that_cannot_be_tracked_is_scanned_while_frozen_as_ever(tmp_path: Path) -> None:
    tracker = Tracker(Journal())
    tracker.begins = OSError("no tracefs")
    stage = Stage(tmp_path, tracker=tracker)
    assert stage.run()[-1] == "hand in 5"
    assert [dict(dirty) for dirty in stage.session.dirty] == [{}, {}]
    assert [done.scan_reason for done in stage.book.figures.passes] == ["no tracefs"] * 2
    assert stage.book.figures.tracking == "none: no tracefs"
