"""Clocks that are wrong, and that are set while a program runs: for each program its own, by libfaketime.

Only the time of day is another one. CLOCK_MONOTONIC goes on as it does when a real clock is set.
"""

from collections.abc import Mapping
from pathlib import Path

PROGRAMS = ("agent", "receiver", "serve")
HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY

# libfaketime 0.9.10 spoils the way in which Python sleeps on the monotonic clock that it is to leave alone.
_SLEEP = """\
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def _library() -> Path | None:
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def no_odd_clock() -> str:
    """Return why no clock can be faked here, "" when it can."""
    return "" if _library() else "libfaketime is missing"


class OddClock:
    """The clock of one program, which begins *ahead_s* seconds ahead of the machine's."""

    def __init__(self, folder: Path, name: str, ahead_s: int = 0) -> None:
        self._path = folder / f"{name}.clock"
        self._site = folder / "site"
        self._site.mkdir(exist_ok=True)
        (self._site / "sitecustomize.py").write_text(_SLEEP)
        self.set(ahead_s)

    def set(self, ahead_s: int) -> None:
        """Set the clock to be *ahead_s* seconds ahead of the machine's, which holds from the program's next look on."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{ahead_s:+d}")
        fresh.replace(self._path)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program that is to go by this clock is started with."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(self._site),
        }
