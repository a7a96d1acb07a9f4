"""`wherry join-token`: the one-time tokens that agents and receivers join with."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.errors import CommandForAgentsOnly, FileUnreadable, FileUnwritable
from wherry.cli.install_command import install_command
from wherry.client.control_plane import ControlPlane
from wherry.contract.installation import read_admin_file
from wherry.durable import write_file

app = App(name="join-token")


@app.command
def create(
    *,
    admin_file: Path,
    role: Literal["agent", "receiver"],
    output: Path | None = None,
    expires: Annotated[int, Parameter(validator=Number(gte=1, lte=30 * 86400))] = 3600,
    command: Annotated[bool, Parameter(negative="")] = False,
    server: str = "",
) -> None:
    """Make a token that one agent or one receiver can join with, once.

    Parameters
    ----------
    admin_file:
        The admin.json in the data folder of the control plane.
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
        URL under which that server reaches the control plane; by default the one in the admin file.
    """
    if command and role != "agent":
        raise CommandForAgentsOnly(role=role)
    try:
        admin = read_admin_file(admin_file)
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=admin_file, what="an admin file", reason=str(error)) from error
    ca_file = Path(admin.ca_file) if admin.ca_file else None
    with ControlPlane(admin.endpoint, admin.access_key, admin.secret_key, ca_file) as control_plane:
        script = control_plane.join_script() if command else b""
        token = control_plane.create_join_token(role, expires_s=expires).token
    text = install_command(server or admin.endpoint, script, token) if command else token
    if output is None:
        print(text)
        return
    try:
        write_file(output, text.encode() + b"\n", mode=0o600)
    except OSError as error:
        raise FileUnwritable(path=output, reason=error.strerror or str(error)) from error
