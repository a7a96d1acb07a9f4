"""`wherry token`: the one-time tokens that agents and receivers join with."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.asking import USUAL, Asking
from wherry.cli.errors import CommandForAgentsOnly, FileUnwritable
from wherry.cli.install_command import install_command
from wherry.cli.output import show
from wherry.durable import write_file

app = App(name="token")


@app.command
def create(
    *,
    role: Literal["agent", "receiver"],
    output: Path | None = None,
    expires: Annotated[int, Parameter(validator=Number(gte=1, lte=30 * 86400))] = 3600,
    command: Annotated[bool, Parameter(negative="")] = False,
    server: str = "",
    asking: Asking = USUAL,
) -> None:
    """Make a token that one agent or one receiver can join with, once.

    Parameters
    ----------
    role:
        What the bearer of the token becomes.
    output:
        File to write the token to, readable by you alone. Without it the token is printed.
    expires:
        Seconds until the token is void.
    command:
        Instead of the token, give the command that installs an agent with it: paste it into a root shell of the server
        that is to be moved.
    server:
        URL under which that server reaches the control plane; by default the one by which you reach it.
    """
    if command and role != "agent":
        raise CommandForAgentsOnly(role=role)
    with asking.connect() as plane:
        script = plane.join_script() if command else b""
        made = plane.create_join_token(role, expires_s=expires)
        text = install_command(server or plane.endpoint, script, made.token) if command else made.token
    if output is None:
        show(made, text, json=asking.json)
        return
    try:
        write_file(output, text.encode() + b"\n", mode=0o600)
    except OSError as error:
        raise FileUnwritable(path=output, reason=error.strerror or str(error)) from error
