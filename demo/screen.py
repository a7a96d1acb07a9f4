"""The demonstration on a terminal: a live picture where there is one, plain lines elsewhere."""

import contextlib
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from demo import amounts
from demo.story import Mark, Step, Story
from demo.summary import Summary
from wherry.contract.wherry import ForecastFigures, PassFigures, ReplicationFigures

TITLE = "Wherry · a live disk moves"
PICTURE_WIDTH = 104
REFRESHES_PER_S = 8
PLAIN_EVERY_S = 2.0
SHOWN_PASSES = 6
BAR_WIDTH = 38
# One for all frames: it turns by the time since its first one.
SPINNER = Spinner("dots", style="bold cyan")
SIGNS: dict[Mark, RenderableType] = {
    Mark.RUNNING: SPINNER,
    Mark.DONE: Text("✔", "bold green"),
    Mark.FAILED: Text("✘", "bold red"),
}


@contextlib.contextmanager
def telling(story: Story, console: Console) -> Iterator[None]:
    """Show *story* on *console* while the block runs."""
    if not console.is_terminal:
        story.changed = PlainTeller(console).show
        yield
        return
    with Live(get_renderable=lambda: picture(story), console=console, refresh_per_second=REFRESHES_PER_S):
        yield


class PlainTeller:
    """Prints one line a change, without control codes: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._details: dict[int, str] = {}
        self._events = 0
        self._passes = 0
        self._next_progress = 0.0

    def show(self, story: Story) -> None:
        """Print what is new in *story*."""
        for number, step in enumerate(story.steps):
            if self._details.get(number) != step.detail or number >= self._steps:
                self._details[number] = step.detail
                self._line(f"{step.title}: {step.detail}" if step.detail else step.title)
        self._steps = len(story.steps)
        for event in story.events[self._events :]:
            self._line(f"! {event}")
        self._events = len(story.events)
        figures = story.snapshot.figures if story.snapshot else None
        if figures is None:
            return
        for done in figures.passes[self._passes :]:
            self._line("  " + pass_sentence(done))
        self._passes = len(figures.passes)
        if time.monotonic() >= self._next_progress and figures.remaining_bytes:
            self._line("  " + progress_sentence(figures))
            self._next_progress = time.monotonic() + PLAIN_EVERY_S

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def pass_sentence(done: PassFigures) -> str:
    """Return what a finished pass did, as one line."""
    again = f", {amounts.size(done.resent_bytes)} twice" if done.resent_bytes else ""
    frozen = ", frozen" if done.consistent else ""
    return (
        f"pass {done.number} committed{frozen}: read {amounts.size(done.read_bytes)}, "
        f"changed {amounts.size(done.changed_bytes)}, sent {amounts.size(done.sent_bytes)}{again}, {done.seconds:.1f} s"
    )


def progress_sentence(figures: ReplicationFigures) -> str:
    """Return how far the running pass is, as one line."""
    remaining = figures.remaining_bytes or 0
    return (
        f"pass {figures.pass_number}: {amounts.size(figures.used_bytes - remaining)} of "
        f"{amounts.size(figures.used_bytes)} looked at, {amounts.size(figures.sent_bytes)} sent, "
        f"{amounts.rate(figures.rate_mbit)}, {amounts.size(remaining)} remaining"
        f"{f', held up by {figures.bottleneck}' if figures.bottleneck else ''}"
    )


def outlook_sentence(forecast: ForecastFigures) -> str:
    """Return what the agent expects of the last pass, as one line."""
    if not forecast.converges or forecast.frozen_ms is None:
        writers = ", ".join(f"{each.name} {amounts.size(each.bytes_per_s)}/s" for each in forecast.writers)
        return f"passes won't get small below {amounts.rate(forecast.needed_mbit)}; {writers or 'nobody'} writes most"
    return f"expected at the cutover: frozen for {forecast.frozen_ms:.0f} ms"


def picture(story: Story) -> RenderableType:
    """Return *story* as it stands, as one frame."""
    parts: list[RenderableType] = [_steps(story.steps)]
    figures = story.snapshot.figures if story.snapshot else None
    if figures is not None:
        parts += ["", _progress(figures)]
        if figures.passes:
            parts += ["", _passes(figures)]
        if figures.forecast is not None and not figures.frozen_ms:
            parts += ["", Text(outlook_sentence(figures.forecast), "dim")]
    if story.tally.operations:
        parts += [
            "",
            Text(
                f"meanwhile the writer made {story.tally.operations:,} changes, {amounts.size(story.tally.written)}",
                "dim",
            ),
        ]
    parts += [Text(f"⚡ {event}", "bold yellow") for event in story.events]
    return Panel(Group(*parts), title=TITLE, title_align="left", border_style="cyan", padding=(0, 1))


def _steps(steps: list[Step]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for step in steps:
        sign = SIGNS[step.mark]
        style = "bold" if step.mark is Mark.RUNNING else ""
        table.add_row(sign, Text(step.title, style), Text(step.detail, "dim"), amounts.duration(step.elapsed))
    return table


def _progress(figures: ReplicationFigures) -> Table:
    """Show the running pass: what it looks at is the bar, what it sent stands beside."""
    remaining = figures.remaining_bytes if figures.remaining_bytes is not None else figures.used_bytes
    seen = max(0, figures.used_bytes - remaining)
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(f"pass {figures.pass_number}", "bold"),
        ProgressBar(total=max(1, figures.used_bytes), completed=seen, width=BAR_WIDTH),
        f"{amounts.size(seen)} of {amounts.size(figures.used_bytes)}",
        Text(amounts.rate(figures.rate_mbit), "cyan"),
        Text(f"{amounts.size(remaining)} left", "dim"),
        Text(figures.bottleneck, "dim"),
    )
    return table


def _passes(figures: ReplicationFigures) -> Padding:
    table = Table(box=None, header_style="dim", padding=(0, 2))
    for name in ("pass", "read", "changed", "sent", "sent twice", "time"):
        table.add_column(name, justify="right")
    table.add_column("")
    left_out = len(figures.passes) - SHOWN_PASSES
    shown = figures.passes if left_out <= 0 else [figures.passes[0], *figures.passes[1 - SHOWN_PASSES :]]
    for done in shown:
        table.add_row(
            str(done.number),
            *(amounts.size(count) for count in (done.read_bytes, done.changed_bytes, done.sent_bytes)),
            amounts.size(done.resent_bytes) if done.resent_bytes else "-",
            f"{done.seconds:.1f} s",
            Text("frozen", "bold cyan") if done.consistent else "",
        )
    return Padding(table, (0, 0, 0, 0))


def closing_table(summary: Summary) -> Table:
    """Return the table that ends the demonstration."""
    table = Table(title="The move", title_style="bold", show_header=False, min_width=58, border_style="cyan")
    table.add_column()
    table.add_column(justify="right")
    for name, value in summary.rows():
        table.add_row(Text(name, "dim"), value)
    table.add_section()
    checks = f"{len(summary.verdict.checks)} checks held, {len(summary.verdict.findings)} did not"
    table.add_row(Text(summary.judgement, "bold green" if summary.equal else "bold red"), checks)
    return table


def print_closing(summary: Summary, console: Console) -> None:
    """Print what was checked and the closing table, or its lines where there is no terminal."""
    for line in summary.remarks():
        console.print(Text(line), soft_wrap=True)
    if console.is_terminal:
        console.print(closing_table(summary))
        return
    for name, value in summary.rows():
        console.print(Text(f"{name}: {value}"), soft_wrap=True)
    console.print(Text(summary.judgement))


def save_picture(story: Story, summary: Summary, path: Path) -> None:
    """Save the last frame and the closing table as an SVG file."""
    console = Console(
        record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(picture(story), closing_table(summary))
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing = console.export_svg(title="make demo CHAOS=1" if summary.kills else "make demo")
    # Without the fonts that rich would have the viewer fetch from elsewhere.
    path.write_text(re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL))
