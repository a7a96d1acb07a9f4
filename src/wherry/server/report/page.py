"""The report as a page that stands alone: one file, no scripts, nothing loaded, made to be printed and filed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from wherry.contract.report import Report

HTML: Final = "text/html; charset=utf-8"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": f"{_POLICY}; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "vary": "accept",
}
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def render(report: Report) -> str:
    """Return the page of *report*. Names and words of servers are text in it, whatever they hold."""
    return _ENVIRONMENT.get_template("report.html").render(report=report, policy=_POLICY)


def size(count: int) -> str:
    """Return bytes as people read them."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def moment(at: int | None) -> str:
    """Return a moment (epoch milliseconds) in UTC, to the second."""
    if at is None:
        return "–"
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):  # a peer's clock may say anything
        return str(at)


def duration(ms: float | None) -> str:
    """Return a duration in milliseconds as people read it."""
    if ms is None:
        return "–"
    if ms < 10_000:
        return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else ""]
    return " ".join(part for part in parts if part)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wherry.server", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"size": size, "moment": moment, "duration": duration}
    return environment


_ENVIRONMENT: Final = _environment()
