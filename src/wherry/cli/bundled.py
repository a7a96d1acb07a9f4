"""`wherry-agent`, the program in the agent's bundle: `wherry agent` without anything else.

What this module imports is what the bundle holds (`tools/agent_bundle`): nothing of the control plane or the receiver.
"""

import atexit
import os
import shutil
import sys
from importlib.metadata import version

from cyclopts import App

from wherry.cli.agent import agent, doctor
from wherry.cli.running import run_command_line

UNPACKED = "WHERRY_UNPACKED"
"""Names the folder that the bundle was unpacked to where no filesystem in memory could be mounted for it."""

app = App(
    name="wherry-agent",
    help=(
        "Move this server, disks and all, to a new home. It registers the server with the control plane, polls for "
        "commands, and sends the disks to a receiver when it's told to."
    ),
    version=f"wherry-agent {version('wherry')}",
    # Markdown would need libraries that only help texts need.
    help_format="plaintext",
)
app.default(agent)
app.command(doctor)


def main() -> None:
    """Run the command line of this process."""
    unpacked = os.environ.pop(UNPACKED, "")
    if unpacked:
        atexit.register(shutil.rmtree, unpacked, ignore_errors=True)
    sys.exit(run_command_line(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
