"""Waiting for something that nobody announces."""

import time
from collections.abc import Callable


def until(happened: Callable[[], bool], limit_s: float = 120.0, every_s: float = 0.05) -> None:
    """Return as soon as *happened*, asked every *every_s* seconds, says so. Raises TimeoutError after *limit_s* s."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s} s")
        time.sleep(every_s)
