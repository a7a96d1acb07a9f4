"""Running one command line: what it returns or raises becomes an exit status, and words on standard error."""

import sys
from collections.abc import Sequence

from cyclopts import App

from wherry.cli.errors import Interrupted
from wherry.errors import WherryError


def run_command_line(app: App, arguments: Sequence[str]) -> int:
    """Run *app* with *arguments* and return its exit status; an error is explained on standard error."""
    try:
        status = app(list(arguments), result_action="return_value")
    except WherryError as error:
        sys.stderr.write(_shown(error))
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write(_shown(Interrupted()))
        return Interrupted.exit_status
    return status if isinstance(status, int) else 0


def _shown(error: WherryError) -> str:
    """Return the explanation as a terminal may have it: names in it may come from anybody."""
    lines = error.explain().split("\n")
    return "".join("".join(sign if sign.isprintable() else "\ufffd" for sign in line) + "\n" for line in lines)
