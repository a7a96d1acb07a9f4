"""Tables of words: fstab and crypttab. A change of one word leaves blanks, comments and every other line alone.

Sources: fstab(5), crypttab(5).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_WORDS: Final = re.compile(r"[^ \t]+")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class FstabEntry:
    """A line of fstab."""

    spec: str
    """What is mounted: a device, UUID=, LABEL=."""
    mount_point: str
    type: str
    options: tuple[str, ...]

    @property
    def may_be_missing(self) -> bool:
        """Whether the system starts without it."""
        return bool({"nofail", "noauto"} & set(self.options))


@dataclass(frozen=True, slots=True)
class CrypttabEntry:
    """A line of crypttab."""

    name: str
    device: str
    key: str = "none"
    """Path of the file with the key; none or - for a passphrase that is asked for."""
    options: tuple[str, ...] = ()


def read_fstab(text: str) -> list[FstabEntry]:
    """Return the lines of an fstab that name a filesystem and its place."""
    return [_fstab_entry(words) for words in _rows(text) if len(words) >= 2]


def read_crypttab(text: str) -> list[CrypttabEntry]:
    """Return the lines of a crypttab that name a volume and its device."""
    return [_crypttab_entry(words) for words in _rows(text) if len(words) >= 2]


def replace_specs(text: str, wanted: Callable[[FstabEntry], str | None]) -> str:
    """Return an fstab with the first word of those lines replaced for which *wanted* returns another."""
    return _replace(text, 0, lambda words: wanted(_fstab_entry(words)))


def replace_devices(text: str, wanted: Callable[[CrypttabEntry], str | None]) -> str:
    """Return a crypttab with the device of those lines replaced for which *wanted* returns another."""
    return _replace(text, 1, lambda words: wanted(_crypttab_entry(words)))


def _crypttab_entry(words: list[str]) -> CrypttabEntry:
    key = words[2] if len(words) > 2 else "none"
    options = tuple(words[3].split(",")) if len(words) > 3 else ()
    return CrypttabEntry(words[0], words[1].strip('"'), key, options)


def _fstab_entry(words: list[str]) -> FstabEntry:
    kind = words[2] if len(words) > 2 else "auto"
    options = tuple(words[3].split(",")) if len(words) > 3 else ("defaults",)
    return FstabEntry(_unescape(words[0].strip('"')), _unescape(words[1]), kind, options)


def _rows(text: str) -> list[list[str]]:
    return [words for words in (_words(line) for line in text.split("\n")) if words]


def _words(line: str) -> list[str]:
    return [] if line.lstrip(" \t").startswith("#") else _WORDS.findall(line.rstrip("\r"))


def _replace(text: str, column: int, wanted: Callable[[list[str]], str | None]) -> str:
    lines = text.split("\n")
    for number, line in enumerate(lines):
        words = _words(line)
        word = wanted(words) if len(words) >= 2 else None
        if word is not None:
            place = list(_WORDS.finditer(line))[column]
            lines[number] = line[: place.start()] + word + line[place.end() :]
    return "\n".join(lines)


def _unescape(word: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
