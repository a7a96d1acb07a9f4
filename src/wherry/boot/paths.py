"""Paths in a landed system, resolved inside of its own root only.

The system's own links are followed as its kernel would follow them with this root: ".." stops at the root, and an
absolute link begins there again. So no link, however hostile, leads to a file of this machine.
"""

from collections.abc import Callable, Iterator
from typing import Final

from wherry.boot.errors import LinkLoop

ReadLink = Callable[[str], str | None]
"""Called with an absolute path without links above its last name; the link's target, None for anything else."""

_MOST_LINKS: Final = 40


def resolve(path: str, read_link: ReadLink, *, follow_last: bool = True) -> str:
    """Return the absolute path without links, "." and ".." that *path* names.

    With *follow_last* False the last name stays a link if it is one. Names that don't exist are kept as they are.

    Raises:
        LinkLoop: more links than any kernel would follow.
    """
    done: list[str] = []
    ahead = _names(path)[::-1]
    links = 0
    while ahead:
        name = ahead.pop()
        if name == "..":
            del done[-1:]
            continue
        target = read_link(_join([*done, name])) if ahead or follow_last else None
        if target is None:
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise LinkLoop(path=path)
        if target.startswith("/"):
            done.clear()
        ahead.extend(_names(target)[::-1])
    return _join(done)


def parents(path: str) -> Iterator[str]:
    """Yield the directories above the resolved *path*, the highest first, without the root."""
    names = _names(path)[:-1]
    for count in range(1, len(names) + 1):
        yield _join(names[:count])


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in {"", "."}]


def _join(names: list[str]) -> str:
    return "/" + "/".join(names)
