"""`wherry key`: the access keys of users."""

from pathlib import Path
from typing import Final

from cyclopts import App

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.directory import find_keys, find_user
from wherry.cli.errors import FileUnwritable
from wherry.cli.output import Column, as_json, facts, moment, show, table
from wherry.contract.accounts import AccessKey, AccessKeyList, AccessKeyUpdate
from wherry.durable import write_file

app = App(name="key")

_COLUMNS: Final = (
    Column[AccessKey]("access key", lambda each: each.access_key),
    Column[AccessKey]("enabled", lambda each: each.enabled),
    Column[AccessKey]("created", lambda each: moment(each.created_at)),
    Column[AccessKey]("description", lambda each: each.description),
)


@app.command(name="list")
def list_keys(user: str, /, *, asking: Asking = USUAL) -> None:
    """List the access keys of a user, without their secrets.

    Parameters
    ----------
    user:
        The user's id or name.
    """
    with asking.connect() as plane:
        found = find_keys(plane, find_user(plane, user).id)
    show(AccessKeyList(count=len(found), access_keys=found), table(_COLUMNS, found), json=asking.json)


@app.command
def create(user: str, /, *, description: str = "", output: Path | None = None, asking: Asking = USUAL) -> None:
    """Make an access key for a user. Its secret is shown this once.

    Parameters
    ----------
    user:
        The user's id or name.
    description:
        What the key is for.
    output:
        File to write key and secret to as JSON, readable by you alone, instead of showing them.
    """
    with asking.connect() as plane:
        made = plane.create_access_key(find_user(plane, user).id, description)
    if output is None:
        show(made, facts(("access key", made.access_key), ("secret key", made.secret_key)), json=asking.json)
        return
    try:
        write_file(output, as_json(made).encode(), mode=0o600)
    except OSError as error:
        raise FileUnwritable(path=output, reason=error.strerror or str(error)) from error


def _switch(user: str, words: tuple[str, ...], asking: Asking, *, enabled: bool) -> int:
    with asking.connect() as plane:
        user_id = find_user(plane, user).id

        def switch(key: AccessKey) -> None:
            plane.update_access_key(user_id, key.access_key, AccessKeyUpdate(enabled=enabled))

        outcomes = do_each(find_keys(plane, user_id, words), switch, _name)
    return tell(outcomes, json=asking.json)


@app.command
def enable(user: str, key: str, /, *keys: str, asking: Asking = USUAL) -> int:
    """Let access keys work again.

    Parameters
    ----------
    user:
        The user's id or name.
    key:
        Id of a key, or a pattern.
    keys:
        More of them.
    """
    return _switch(user, (key, *keys), asking, enabled=True)


@app.command
def disable(user: str, key: str, /, *keys: str, asking: Asking = USUAL) -> int:
    """Let access keys work no more, until they are enabled. The user's tokens end.

    Parameters
    ----------
    user:
        The user's id or name.
    key:
        Id of a key, or a pattern.
    keys:
        More of them.
    """
    return _switch(user, (key, *keys), asking, enabled=False)


@app.command
def delete(user: str, key: str, /, *keys: str, yes: Yes = False, asking: Asking = USUAL) -> int:
    """Delete access keys. The user's tokens end.

    Parameters
    ----------
    user:
        The user's id or name.
    key:
        Id of a key, or a pattern.
    keys:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        user_id = find_user(plane, user).id
        found = find_keys(plane, user_id, (key, *keys))
        confirm("Deleting the access key(s)", [each.access_key for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.delete_access_key(user_id, each.access_key), _name)
    return tell(outcomes, json=asking.json)


def _name(key: AccessKey) -> tuple[str, str]:
    return key.access_key, key.description
