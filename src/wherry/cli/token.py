"""`wherry token`: the one-time tokens that agents and receivers join with."""

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.choosing import chosen, is_pattern
from wherry.cli.confirming import Yes, confirm
from wherry.cli.errors import CommandForAgentsOnly, FileUnwritable
from wherry.cli.output import Column, moment, show, table
from wherry.cli.paging import every
from wherry.client.control_plane import ControlPlane
from wherry.contract.install_command import install_command
from wherry.contract.wherry import JoinTokenList, JoinTokenSummary
from wherry.durable import write_file

app = App(name="token")


_PAGE: Final = 200
_COLUMNS: Final = (
    Column[JoinTokenSummary]("id", lambda each: each.id),
    Column[JoinTokenSummary]("role", lambda each: each.role.value),
    Column[JoinTokenSummary]("made", lambda each: moment(each.created_at)),
    Column[JoinTokenSummary]("void from", lambda each: moment(each.expires_at)),
    Column[JoinTokenSummary]("used", lambda each: moment(each.used_at)),
    Column[JoinTokenSummary]("by", lambda each: each.used_by),
)


@app.command(name="list")
def list_tokens(*, usable: Annotated[bool, Parameter(negative="")] = False, asking: Asking = USUAL) -> None:
    """List join tokens and who used them, the newest first. The tokens themselves are never shown again.

    Parameters
    ----------
    usable:
        Only those that can still be used.
    """
    with asking.connect() as plane:
        found = _tokens(plane, usable=usable)
    show(JoinTokenList(count=len(found), join_tokens=found), table(_COLUMNS, found), json=asking.json)


@app.command
def delete(token: str, /, *tokens: str, yes: Yes = False, asking: Asking = USUAL) -> int:
    """Withdraw join tokens that nobody has used.

    Parameters
    ----------
    token:
        Its id, not the token itself; or a pattern, which means those that can still be used.
    tokens:
        More of them.
    yes:
        Don't ask.
    """
    words = (token, *tokens)
    with asking.connect() as plane:
        known = _tokens(plane, usable=any(map(is_pattern, words)))
        found = chosen(words, known, lambda each: (each.id,), kind="token")
        confirm("Withdrawing the join token(s)", [each.id for each in found], yes=yes)
        outcomes = do_each(
            found, lambda each: plane.delete_join_token(each.id), lambda each: (each.id, each.role.value)
        )
    return tell(outcomes, json=asking.json)


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


def _tokens(plane: ControlPlane, *, usable: bool) -> list[JoinTokenSummary]:
    wanted = True if usable else None
    return every(lambda at: plane.list_join_tokens(limit=_PAGE, offset=at, usable=wanted).join_tokens, _PAGE)
