"""Files of sections and keys: systemd's units, .network and .link files, keyfiles of NetworkManager.

Sections and keys may stand several times. What isn't changed keeps its place, its blanks and its comments.
Sources: systemd.syntax(7), nm-settings-keyfile(5).
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

_SECTION: Final = re.compile(r"\s*\[([^\]\r\n]+)\]\s*")
_KEY: Final = re.compile(r"\s*([^#;=\[\s][^=\r\n]*?)\s*=[ \t]*(.*)", re.DOTALL)


def values(text: str, section: str, key: str) -> list[str]:
    """Return the values of *key* in all sections of this name, in their order."""
    found = (_KEY.fullmatch(line.rstrip("\r\n")) for name, line in _lines(text) if name == section)
    return [match[2].strip() for match in found if match and match[1] == key]


def value(text: str, section: str, key: str) -> str:
    """Return the last value of *key*; "" where it isn't there."""
    found = values(text, section, key)
    return found[-1] if found else ""


def remove(text: str, section: str, unwanted: Callable[[str, str], bool]) -> str:
    """Return *text* without the keys of *section* for which *unwanted* says so, called with key and value."""
    kept = []
    for name, line in _lines(text):
        match = _KEY.fullmatch(line.rstrip("\r\n")) if name == section else None
        if match is None or not unwanted(match[1], match[2].strip()):
            kept.append(line)
    return "".join(kept)


def put(text: str, section: str, key: str, content: str) -> str:
    """Return *text* with one *key* in *section*: in the place of the first, or at the section's head, or at the end."""
    without = remove(text, section, lambda name, _: name == key)
    place = _place_of_key(text, section, key)
    lines = [line for _, line in _lines(without)]
    if place is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}\n[{section}]\n{key}={content}\n"
    if place and not lines[place - 1].endswith("\n"):
        lines[place - 1] += "\n"
    lines.insert(place, f"{key}={content}\n")
    return "".join(lines)


def _place_of_key(text: str, section: str, key: str) -> int | None:
    """Return before which line the key's line belongs once the old ones are gone; None without the section."""
    head = None
    for number, (name, line) in enumerate(_lines(text)):
        if name != section:
            continue
        match = _KEY.fullmatch(line.rstrip("\r\n"))
        if match and match[1] == key:
            return number
        if head is None and _SECTION.fullmatch(line):
            head = number + 1
    return head


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the name of the section that it stands in; a heading belongs to its own."""
    section = ""
    for line in text.splitlines(keepends=True):
        match = _SECTION.fullmatch(line)
        section = match[1] if match else section
        yield section, line
