"""The entry point of `wherry`. Each command group is a module of its own, loaded only when it's called.

So the agent never loads the control plane's libraries, and `wherry --help` is quick.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App

from wherry.cli.running import run_command_line

app = App(
    name="wherry",
    help="Move live Linux servers, disks and all, to a new home. An open migration service that speaks SMS v3.",
    version=f"wherry {version('wherry')}",
    help_format="markdown",
)
_HELP = {
    "serve": (
        "Run the control plane: the SMS v3 API, the identity service and Wherry's own API.\n\n"
        "The first start makes an account, a user and a private CA, and writes how to reach them to "
        "DATA/admin.json. The server is ready when GET /readyz answers 200; SIGTERM lets it finish what it "
        "has begun."
    ),
    "agent": (
        "Run the agent on the server that is to be moved.\n\n"
        "It registers the server, asks the control plane for commands and sends the disks to a receiver when "
        "it's told to. It needs root for real disks; an image file can be moved by anybody. SIGTERM ends it; "
        "the next start goes on where it was. `wherry agent doctor` tells how changes can be tracked here."
    ),
    "receiver": (
        "Run a receiver: it takes the disks of migrating servers and keeps them as raw images.\n\n"
        "It announces itself to the control plane and serves the tasks that are assigned to it. SIGTERM ends "
        "it; what was acknowledged stays, and the agents go on when it's back."
    ),
    "replica": (
        "Prepare a task's replica on the receiver's host.\n\n"
        "`adopt` takes disks that are there already, those of the old server or a copy that came another way, so that "
        "only what differs is sent."
    ),
    "boot": (
        "Make a copy of a server boot on another machine.\n\n"
        "`inspect` tells what the copy is, `plan` what has to be changed and why, `apply` changes it in an overlay "
        "over the disks, and `undo` puts it back."
    ),
    "verify": (
        "Check that disks or images hold exactly what a signed proof says.\n\n"
        "Exit status 0: the signature is right and every disk is equal. 1: it isn't. Every covered byte is "
        "read."
    ),
}
"""What each command says of itself; it stands here because the modules of the commands aren't loaded for `--help`."""

_GROUPS = frozenset({"agent", "boot", "replica"})
"""Commands with commands of their own beneath; their modules have an app."""

for _name, _help in _HELP.items():
    app.command(f"wherry.cli.{_name}:{'app' if _name in _GROUPS else _name}", name=_name, help=_help)
app.command("wherry.cli.join_token:app", name="join-token", help="Make the one-time tokens that programs join with.")


def run(arguments: Sequence[str]) -> int:
    """Run one command line of `wherry` and return its exit status."""
    return run_command_line(app, arguments)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
