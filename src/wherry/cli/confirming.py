"""What a command asks the person at the terminal: whether to go on, and secrets."""

import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wherry.cli.errors import ConfirmationMissing, SecretUnread
from wherry.cli.output import printable

Yes = Annotated[bool, Parameter(name="--yes", negative="")]
"""Whether what can't be undone was confirmed on the command line."""

SecretFile = Annotated[Path | None, Parameter(allow_leading_hyphen=True)]
"""A file that holds a secret, or - for standard input."""

SHOWN: Final = 10
"""So many names a question shows."""
_INPUT: Final = Path("-")


def confirm(action: str, names: Sequence[str], *, yes: bool) -> None:
    """Return when the person wants *action* ("Deleting") done to what is called *names*.

    Raises ConfirmationMissing, also where nobody can be asked.
    """
    what = f"{action} {_listed(names)}"
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfirmationMissing(what=what)
    sys.stderr.write(f"{what}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ConfirmationMissing(what=what)


def read_secret(what: str, file: Path | None, *, option: str) -> str:
    """Return a secret: the first line of *file* (``-`` is standard input), or what's typed in without an echo.

    *option* is the option that names the file. Raises SecretUnread.
    """
    try:
        if file is not None:
            text = sys.stdin.readline() if file == _INPUT else file.read_text().partition("\n")[0]
        elif sys.stdin.isatty():
            text = getpass(f"{what}: ")
        else:
            raise SecretUnread(what=what, reason="nobody can be asked for it here", option=option)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise SecretUnread(what=what, reason=str(error) or "it ended early", option=option) from error
    if not text.strip():
        raise SecretUnread(what=what, reason="it is empty", option=option)
    return text.rstrip("\r\n")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:SHOWN])
    if len(names) == 1:
        return shown
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: {shown}{more}"
