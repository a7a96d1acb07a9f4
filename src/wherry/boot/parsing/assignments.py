"""Files of shell assignments: os-release, /etc/default/grub, ifcfg files, SELinux's config, initramfs-tools.

Sources: os-release(5), POSIX shell quoting. No shell reads them here: what a shell would compute stays as it's written.
"""

import re
import shlex
from collections.abc import Collection
from typing import Final

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")


def read_assignments(text: str) -> dict[str, str]:
    """Return the variables that *text* sets, without their quotes; the last assignment of a name holds."""
    found = (_ASSIGNMENT.fullmatch(line) for line in text.splitlines())
    return {match[1]: unquote(match[2]) for match in found if match}


def set_variable(text: str, name: str, value: str) -> str:
    """Return *text* with *name* set to *value*: in its last assignment's line, or in a new one at the end."""
    lines = text.splitlines(keepends=True)
    for number in range(len(lines) - 1, -1, -1):
        match = _ASSIGNMENT.fullmatch(lines[number].rstrip("\r\n"))
        if match and match[1] == name:
            word = quote(value, double=match[2].startswith('"'))
            lines[number] = f"{lines[number][: match.start(2)]}{word}{_ending(lines[number])}"
            return "".join(lines)
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{name}={quote(value)}\n"


def remove_variables(text: str, names: Collection[str]) -> str:
    """Return *text* without the lines that set one of *names*."""
    lines = text.splitlines(keepends=True)
    matches = ((line, _ASSIGNMENT.fullmatch(line.rstrip("\r\n"))) for line in lines)
    return "".join(line for line, match in matches if match is None or match[1] not in names)


def unquote(word: str) -> str:
    """Return what a shell would take *word* for, if it's a plain or quoted word; else the word itself."""
    try:
        parts = shlex.split(word, comments=True)
    except ValueError:
        return word.strip()
    return " ".join(parts)


def quote(value: str, *, double: bool = False) -> str:
    """Return *value* so that a shell reads it back: plain if it can be and *double* quotes aren't asked for."""
    if _PLAIN.fullmatch(value) and not double:
        return value
    return shlex.quote(value) if set(value) & set('"\\$`') else f'"{value}"'


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
