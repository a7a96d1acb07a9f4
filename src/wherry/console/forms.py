"""Forms: what was entered, and what the contract says against it at the field that it's about."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wherry.contract.errors import ApiError

YES = "yes"
"""The value of a box that is ticked."""

_NOT_FOR_A_FIELD = frozenset({401, 403, 404})
_INDEX = re.compile(r"\[\d+\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What the contract says against what was entered. *field*: of which; empty where it's of none."""

    field: str
    error: ApiError


class Answers:
    """What was entered, by the fields' names."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._entered = fields
        self._fields = {name: [value.strip() for value in values] for name, values in fields.items()}

    def text(self, name: str) -> str:
        """Return a field; empty where it wasn't entered."""
        return next(iter(self._fields.get(name, ())), "")

    def secret(self, name: str) -> str:
        """Return a field as it was entered, blanks around it and all: a password."""
        return next(iter(self._entered.get(name, ())), "")

    def texts(self, name: str) -> Sequence[str]:
        """Return all values of a field."""
        return self._fields.get(name, ())

    def on(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return self.text(name) == YES

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field that aren't empty."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def rows(self, *names: str) -> list[tuple[str, ...]]:
        """Return the rows that fields of several values make; those with nothing in them are left out."""
        columns = [self.texts(name) for name in names]
        count = max((len(column) for column in columns), default=0)
        rows = [tuple(column[row] if row < len(column) else "" for column in columns) for row in range(count)]
        return [row for row in rows if any(row[:2])]

    def replaced(self, **fields: str) -> "Answers":
        """Return the answers with other values of some fields."""
        return Answers({**self._fields, **{name: [value] for name, value in fields.items()}})


def problem_of(error: ApiError, fields: Collection[str]) -> Problem:
    """Return *error* at the one of *fields* that it names.

    Raises *error* itself where another entry wouldn't help: the visitor may not, or there's nothing to change.
    """
    if error.status in _NOT_FOR_A_FIELD or error.status >= 500:
        raise error
    words = _WORD.findall(_INDEX.sub("", error.params[0])) if error.params else []
    names = ("_".join(words[start:]) for start in range(len(words)))
    return Problem(next((name for name in names if name in fields), ""), error)
