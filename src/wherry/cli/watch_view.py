"""How a task that is followed is shown: a picture that moves on a terminal, a line a change elsewhere."""

from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wherry.cli.output import cell, facts, printable, size
from wherry.cli.watching import Watched
from wherry.contract.landing import Landing
from wherry.contract.wherry import PassFigures, ReplicationFigures

BAR_WIDTH: Final = 30
SHOWN_PASSES: Final = 5
_COARSE: Final = 10
"""A line is printed for each so many per cent."""


def picture(seen: Watched) -> RenderableType:
    """Return the whole of what was seen."""
    parts: list[RenderableType] = [_title(seen), Text(), _steps(seen)]
    if seen.replication is not None:
        parts += [Text(), _figures(seen.replication)]
        if seen.replication.passes:
            parts += [Text(), _passes(seen.replication)]
    if seen.landing is not None:
        parts += [Text(), _landing(seen.landing)]
    return Group(*parts)


def line(seen: Watched) -> str:
    """Return what was seen as one line."""
    words = [
        datetime.fromtimestamp(seen.at / 1000, UTC).astimezone().strftime("%H:%M:%S"),
        seen.task.state.value,
        f"{seen.step} {seen.progress} %" if seen.step else "",
    ]
    figures, landing = seen.replication, seen.landing
    if figures is not None:
        remaining = "" if figures.remaining_bytes is None else f"{size(figures.remaining_bytes)} remaining"
        words += [f"pass {figures.pass_number}", f"{size(figures.sent_bytes)} sent", remaining]
        words.append(f"{figures.rate_mbit:.1f} Mbit/s")
    if landing is not None and landing.order_id:
        words.append(f"landing {landing.state.value} {landing.progress} %")
    return "  ".join(printable(word) for word in words if word)


def stage(seen: Watched) -> tuple[object, ...]:
    """Return what makes a new line worth printing when it has changed."""
    figures, landing = seen.replication, seen.landing
    return (
        seen.task.state,
        seen.step,
        seen.progress // _COARSE,
        None if figures is None else (figures.pass_number, figures.phase),
        None if landing is None else (landing.state, landing.progress // _COARSE),
    )


def _title(seen: Watched) -> Text:
    source = seen.task.source_server
    title = Text(printable(seen.task.name), "bold")
    if source is not None:
        title.append(f" of {printable(source.name)}", "not bold")
    title.append(f"  {seen.task.state.value}", "bold cyan")
    if seen.source_state is not None:
        title.append(f" ({seen.source_state.value})", "not bold")
    return title


def _steps(seen: Watched) -> Table:
    made = Table.grid(padding=(0, 2))
    for step in seen.task.sub_tasks or ():
        bar = ProgressBar(total=100, completed=step.progress, width=BAR_WIDTH)
        made.add_row(cell(step.name), bar, Text(f"{step.progress:3} %"))
    return made


def _figures(figures: ReplicationFigures) -> Table:
    forecast = figures.forecast
    return facts(
        ("phase", figures.phase.value),
        ("rate", f"{figures.rate_mbit:.1f} Mbit/s"),
        ("sent", f"{size(figures.sent_bytes)} of {size(figures.used_bytes)} in use"),
        ("remaining", size(figures.remaining_bytes)),
        ("held up by", figures.bottleneck),
        ("frozen for", f"{figures.frozen_ms:.0f} ms" if figures.frozen_ms else None),
        ("ready in", None if forecast is None or forecast.seconds is None else f"{forecast.seconds:.0f} s"),
        ("will converge", None if forecast is None or forecast.converges else "not at this rate"),
    )


def _passes(figures: ReplicationFigures) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pass", "changed", "sent", "took", ""):
        made.add_column(heading, justify="right" if heading else "left")
    for each in figures.passes[-SHOWN_PASSES:]:
        made.add_row(
            str(each.number), size(each.changed_bytes), size(each.sent_bytes), f"{each.seconds:.1f} s", _remark(each)
        )
    return made


def _remark(each: PassFigures) -> str:
    remarks = ("consistent" if each.consistent else "", "by a scan" if each.scan else "")
    return ", ".join(remark for remark in remarks if remark)


def _landing(landing: Landing) -> Table:
    return facts(
        ("landing", landing.state.value),
        ("landed", f"{landing.progress} %" if landing.order_id else None),
        ("note", landing.note),
    )
