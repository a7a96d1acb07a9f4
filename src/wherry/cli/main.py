"""The entry point of `wherry`. Each command group is a module of its own, loaded only when it's called.

So the agent never loads the control plane's libraries, and `wherry --help` is quick.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from cyclopts import App, Parameter

from wherry.cli.running import run_command_line


def _worth_telling(default: Any) -> Any:
    """Return how a default is told in help texts; None where it means that the option isn't used."""
    return None if default in (None, False, "", 0, ()) else str(default)


app = App(
    name="wherry",
    help="Move live Linux servers, disks and all, to a new home. An open migration service that speaks SMS v3.",
    version=f"wherry {version('wherry')}",
    help_format="markdown",
    default_parameter=Parameter(show_default=_worth_telling),
)
_HELP = {
    "login": "Sign in to a control plane by name and password, and keep an access key for it as a profile.",
    "profile": "Keep several control planes, and choose which one commands are for.",
    "source": "List, show, rename, group and delete the servers that are to be moved.",
    "task": "Create, start, cut over and follow migrations, one or thousands at a time.",
    "watch": "Follow a task to its end, live.",
    "doctor": "Look at the way to the control plane and to receivers, and name the hop that fails.",
    "template": "Keep templates of the servers that targets are made of.",
    "project": "Group sources, with a label that policies look at.",
    "landing": "See and decide what becomes of a landed system: its machine, its launch, a roll back.",
    "rehearsal": "Boot copies in a machine without network, and see what came of it.",
    "proof": "Show and keep the signed proofs that copies are equal.",
    "event": "See how the states of sources and tasks changed.",
    "user": "Manage the users of the account.",
    "group": "Manage groups of users.",
    "key": "Manage the access keys of users.",
    "policy": "Manage what users may do.",
    "account": "Manage accounts, as the operator of the control plane.",
    "audit": "See who changed what, and check that the log of it is whole.",
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
        "it; what was acknowledged stays, and the agents go on when it's back. `wherry receiver list` shows the "
        "receivers that a control plane knows."
    ),
    "token": "Make the one-time tokens that agents and receivers join with, and see which there are.",
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

_SINGLE = frozenset({"login", "serve", "verify", "watch", "doctor"})
"""Commands without others beneath; the modules of all others have an app."""

for _name, _help in _HELP.items():
    app.command(f"wherry.cli.{_name}:{_name if _name in _SINGLE else 'app'}", name=_name, help=_help)
app.register_install_completion_command(help="Have the shell complete the words of wherry (bash, zsh, fish).")


def run(arguments: Sequence[str]) -> int:
    """Run one command line of `wherry` and return its exit status."""
    return run_command_line(app, arguments)


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
