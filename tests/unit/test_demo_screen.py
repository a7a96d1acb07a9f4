"""What the demonstration shows."""

import io
from pathlib import Path

from rich.console import Console

from demo import amounts, screen
from demo.chaos import Kill
from demo.migration import Snapshot
from demo.story import Mark, Story
from demo.summary import Summary
from demo.verification import Verdict
from demo.writer import Tally
from wherry.contract.enumerations import ReplicationPhase
from wherry.contract.wherry import ForecastFigures, PassFigures, ReplicationFigures, WriterFigures

FIGURES = ReplicationFigures(
    phase=ReplicationPhase.SYNCING,
    pass_number=1,
    disk_bytes=512 << 20,
    used_bytes=100 << 20,
    read_bytes=150 << 20,
    sent_bytes=70 << 20,
    resent_bytes=3 << 20,
    frozen_ms=87.4,
    passes=[
        PassFigures(number=0, read_bytes=100 << 20, sent_bytes=60 << 20, resent_bytes=3 << 20, seconds=4.2),
        PassFigures(number=1, read_bytes=50 << 20, sent_bytes=10 << 20, seconds=0.5, consistent=True),
    ],
    remaining_bytes=25 << 20,
    rate_mbit=812.3,
)


def summary(*findings: str) -> Summary:
    verdict = Verdict(compared=99 << 20, ranges=12, checks=["cmp of 12 used ranges"], findings=list(findings))
    kills = [Kill("agent", 0, 20 << 20, 0), Kill("receiver", 1, 5 << 20, 0)]
    return Summary(FIGURES, verdict, Tally(1234, 9 << 20), kills, frozen=True, move_s=12.34, wall_s=75)


def told(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    story = Story()
    with screen.telling(story, console):
        story.begin("The source", "making it")
        story.tell("2.0 GiB [GPT]")
        story.begin("Full copy")
        story.observe(Snapshot("RUNNING", "replicate", FIGURES), Tally())
        story.observe(Snapshot("RUNNING", "replicate", FIGURES), Tally())
        story.happen("kill -9 of the agent")
        story.end(well=True)
    return out.getvalue()


def test_plain_lines_say_everything_once_and_without_control_codes() -> None:
    lines = told(terminal=False).splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "The source: making it",
        "The source: 2.0 GiB [GPT]",
        "Full copy",
        "! kill -9 of the agent",
    ]
    assert sum(line.startswith("  pass 0 committed: read 100.0 MiB") for line in lines) == 1
    assert sum(line.startswith("  pass 1: 75.0 MiB of 100.0 MiB") for line in lines) == 1
    assert "\x1b" not in "".join(lines)


def test_what_is_expected_is_said_in_words() -> None:
    good = ForecastFigures(converges=True, seconds=0.0, frozen_ms=82.4)
    assert screen.outlook_sentence(good) == "expected at the cutover: frozen for 82 ms"
    writer = WriterFigures(pid=7, name="databased", bytes_per_s=3 << 20)
    bad = ForecastFigures(converges=False, needed_mbit=250.0, writers=[writer])
    assert screen.outlook_sentence(bad) == "passes won't get small below 250 Mbit/s; databased 3.0 MiB/s writes most"


def test_a_terminal_gets_a_picture_with_passes_and_progress() -> None:
    text = told(terminal=True)
    assert "\x1b" in text
    for part in ("The source", "75.0 MiB of 100.0 MiB", "812 Mbit/s", "25.0 MiB left", "sent twice", "kill -9"):
        assert part in text


def test_steps_close_when_the_next_begins_and_the_last_as_it_went() -> None:
    story = Story()
    story.begin("one")
    story.begin("two")
    story.end(well=False)
    assert [step.mark for step in story.steps] == [Mark.DONE, Mark.FAILED]


def test_the_closing_table_has_what_the_issue_asks_for() -> None:
    rows = dict(summary().rows())
    assert rows["bytes on the disk"] == "536,870,912 (512.0 MiB)"
    assert rows["sent twice"] == "3,145,728 (3.0 MiB)"
    assert rows["frozen"] == "87 ms"
    assert rows["passes"] == "2"
    assert rows["wall time of the demo"] == "1 min 15 s"
    assert rows["kill -9 of the receiver"] == "in pass 1, 5.0 MiB of it sent"


def test_one_finding_makes_it_unequal() -> None:
    out = io.StringIO()
    screen.print_closing(summary("byte 17 differs"), Console(file=out, force_terminal=False))
    assert "equal: NO" in out.getvalue()
    assert "✘ byte 17 differs" in out.getvalue()
    assert "equal: yes" not in out.getvalue()


def test_nothing_checked_is_not_equal() -> None:
    assert not Verdict().equal


def test_the_picture_is_a_whole_svg_file(tmp_path: Path) -> None:
    story = Story()
    story.begin("The source")
    story.observe(Snapshot("SYNCING", "syncing", FIGURES), Tally())
    screen.save_picture(story, summary(), tmp_path / "images" / "demo.svg")
    text = (tmp_path / "images" / "demo.svg").read_text()
    assert text.startswith("<svg")
    assert "make&#160;demo&#160;CHAOS=1" in text
    assert "@font-face" not in text


def test_amounts() -> None:
    assert amounts.size(1023) == "1023 B"
    assert amounts.size(1536) == "1.5 KiB"
    assert amounts.size(3 << 40) == "3.0 TiB"
    assert amounts.duration(59.94) == "59.9 s"
    assert amounts.duration(125) == "2 min 05 s"
