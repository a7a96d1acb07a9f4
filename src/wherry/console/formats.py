"""Numbers as people read them. The same in all languages but for the words."""

from datetime import UTC, datetime

from markupsafe import Markup

from wherry.console.languages import N_, Language

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SPANS = ((86400, N_("%(n)s d")), (3600, N_("%(n)s h")), (60, N_("%(n)s min")), (1, N_("%(n)s s")))
UNKNOWN = "–"


def size(count: float | None) -> str:
    """Return bytes with three digits and a binary unit: ``1.46 GiB``."""
    if count is None:
        return UNKNOWN
    value, unit = float(count), 0
    while value >= 1023.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{_three_digits(value)} {_UNITS[unit]}"


def rate(mbit: float | None) -> str:
    """Return a rate in Mbit/s, or Gbit/s from 1,000 on."""
    if mbit is None:
        return UNKNOWN
    return f"{_three_digits(mbit / 1000)} Gbit/s" if mbit >= 999.5 else f"{_three_digits(mbit)} Mbit/s"


def percent(part: float, whole: float) -> int:
    """Return how many per cent *part* is of *whole*, 100 only when it's all; 0 of nothing."""
    return 0 if whole <= 0 else max(0, min(100, int(part * 100 // whole)))


def duration(seconds: float | None, language: Language) -> str:
    """Return a duration by its two largest units: ``3 h 20 min``."""
    if seconds is None:
        return UNKNOWN
    left, words = round(max(seconds, 0)), list[str]()
    for length, word in _SPANS:
        count, left = divmod(left, length)
        if count or (words and len(words) < 2):
            words.append(language.say(word, n=count))
        if len(words) == 2:
            break
    shown = [word for place, word in enumerate(words) if place == 0 or not word.startswith("0 ")]
    return " ".join(shown) or language.say(_SPANS[-1][1], n=0)


def moment(at_ms: int | None) -> Markup | str:
    """Return a moment (epoch milliseconds) as a time element; a script shows it in the browser's zone."""
    if not at_ms:
        return UNKNOWN
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{when:%Y-%m-%dT%H:%M:%SZ}", f"{when:%Y-%m-%d %H:%M}")


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
