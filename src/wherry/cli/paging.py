"""Lists that come in pages."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def every(fetch: Callable[[int], Sequence[T]], page: int) -> list[T]:
    """Return all items of a list that comes in pages of *page*; *fetch* gives those behind an offset."""
    found: list[T] = []
    while True:
        more = fetch(len(found))
        found += more
        if len(more) < page:
            return found
