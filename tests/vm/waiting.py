"""Waiting for something that nobody announces."""

import time
from collections.abc import Callable


def until(happened: Callable[[], bool], limit_s: float = 120.0) -> None:
    """Return as soon as *happened* says so. Raises TimeoutError after *limit_s* seconds."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s} s")
        time.sleep(0.05)
