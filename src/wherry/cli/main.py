"""The entry point of `wherry`. Each command group is a module of its own, loaded only when it's called.

So the agent never loads the control plane's libraries, and `wherry --help` is quick.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App

from wherry.cli.errors import Interrupted
from wherry.errors import WherryError

app = App(
    name="wherry",
    help="Move live Linux servers, disks and all, to a new home. An open migration service that speaks SMS v3.",
    version=f"wherry {version('wherry')}",
    help_format="markdown",
)
app.command("wherry.cli.serve:serve", name="serve")
app.command("wherry.cli.agent:agent", name="agent")
app.command("wherry.cli.receiver:receiver", name="receiver")
app.command("wherry.cli.verify:verify", name="verify")
app.command("wherry.cli.join_token:app", name="join-token", help="Make the one-time tokens that programs join with.")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; an error is explained on standard error."""
    try:
        status = app(list(arguments), result_action="return_value")
    except WherryError as error:
        sys.stderr.write(error.explain() + "\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write(Interrupted().explain() + "\n")
        return Interrupted.exit_status
    return status if isinstance(status, int) else 0


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
