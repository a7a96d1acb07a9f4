"""Lists in pages: which page the address names, and how many there are."""

from collections.abc import Mapping
from typing import Final

_MOST: Final = 1000


def page_number(query: Mapping[str, str]) -> int:
    """Return the page that a query string names, from 1 to 1,000; the first where it names none."""
    text = query.get("page", "")
    return min(max(int(text), 1), _MOST) if text.isdecimal() and len(text) < 5 else 1


def pages_of(count: int, size: int) -> int:
    """Return how many pages of *size* items *count* of them fill, at least one."""
    return max(1, -(-count // size))
