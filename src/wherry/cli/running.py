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
        sys.stderr.write(error.explain() + "\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write(Interrupted().explain() + "\n")
        return Interrupted.exit_status
    return status if isinstance(status, int) else 0
