"""What the words of a command line mean: ids, names, or patterns like ``web-*``."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from wherry.cli.errors import NameAmbiguous, NothingNamed

T = TypeVar("T")

_SIGNS = frozenset("*?[")


def is_pattern(word: str) -> bool:
    """Tell whether *word* may mean several things."""
    return not _SIGNS.isdisjoint(word)


def chosen(words: Sequence[str], items: Iterable[T], names: Callable[[T], Sequence[str]], *, kind: str) -> list[T]:
    """Return those of *items* that the *words* mean, each once, in the order of the items; all without a word.

    Args:
        words: ids, names, or patterns.
        items: what there is.
        names: gives what an item may be called by, its id first.
        kind: what an item is called, for messages: the name of its command group.

    Raises NothingNamed for a word that means nothing, NameAmbiguous for a name that several items have.
    """
    known = list(items)
    if not words:
        return known
    picked: set[int] = set()
    for word in words:
        picked.update(_meant(word, known, names, kind))
    return [item for number, item in enumerate(known) if number in picked]


def the_one(word: str, items: Iterable[T], names: Callable[[T], Sequence[str]], *, kind: str) -> T:
    """Return the item that *word* means. Raises NothingNamed, NameAmbiguous."""
    found = chosen([word], items, names, kind=kind)
    if len(found) > 1:
        raise NameAmbiguous(kind=kind, word=word, count=len(found))
    return found[0]


def _meant(word: str, items: Sequence[T], names: Callable[[T], Sequence[str]], kind: str) -> Sequence[int]:
    if is_pattern(word):
        found = [n for n, item in enumerate(items) if any(fnmatchcase(name, word) for name in names(item))]
    else:
        found = [n for n, item in enumerate(items) if names(item)[0] == word]
        found = found or [n for n, item in enumerate(items) if word in names(item)]
        if len(found) > 1:
            raise NameAmbiguous(kind=kind, word=word, count=len(found))
    if not found:
        raise NothingNamed(kind=kind, word=word)
    return found
