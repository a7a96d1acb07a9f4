"""`wherry user`: the users of the account."""

from typing import Annotated, Final

from cyclopts import App, Parameter

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import SecretFile, Yes, confirm, read_secret
from wherry.cli.directory import find_user, find_users
from wherry.cli.output import Column, facts, moment, show, table
from wherry.contract.accounts import User, UserCreation, UserList, UserUpdate

app = App(name="user")

_COLUMNS: Final = (
    Column[User]("name", lambda each: each.name),
    Column[User]("id", lambda each: each.id),
    Column[User]("enabled", lambda each: each.enabled),
    Column[User]("administrator", lambda each: each.account_owner),
    Column[User]("password", lambda each: each.has_password),
    Column[User]("description", lambda each: each.description),
)


@app.command(name="list")
def list_users(*users: str, asking: Asking = USUAL) -> None:
    """List users.

    Parameters
    ----------
    users:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = find_users(plane, users)
    show(UserList(count=len(found), users=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_user(user: str, /, *, asking: Asking = USUAL) -> None:
    """Show a user with the groups and the policies.

    Parameters
    ----------
    user:
        The user's id or name.
    """
    with asking.connect() as plane:
        found = plane.show_user(find_user(plane, user).id)
    shown = facts(
        ("name", found.name),
        ("id", found.id),
        ("enabled", found.enabled),
        ("administrator", found.account_owner),
        ("password", found.has_password),
        ("description", found.description),
        ("created", moment(found.created_at)),
        ("groups", ", ".join(group.name for group in found.groups)),
        ("policies", ", ".join(policy.name for policy in found.policies)),
    )
    show(found, shown, json=asking.json)


@app.command
def create(name: str, /, *, password_file: SecretFile = None, description: str = "", asking: Asking = USUAL) -> None:
    """Make a user. Without a password the user works by access keys only.

    Parameters
    ----------
    name:
        Name of the user.
    password_file:
        File with the password as its first line, - for standard input.
    description:
        Whatever others should know.
    """
    password = None if password_file is None else read_secret("password", password_file, option="--password-file")
    with asking.connect() as plane:
        made = plane.create_user(UserCreation(name=name, password=password, description=description))
    show(made, made.id, json=asking.json)


@app.command
def update(
    user: str,
    /,
    *,
    name: str | None = None,
    enabled: Annotated[bool | None, Parameter(negative="--disabled")] = None,
    password_file: SecretFile = None,
    description: str | None = None,
    asking: Asking = USUAL,
) -> None:
    """Change a user. What isn't given stays. A new password, or disabling, ends the user's tokens.

    Parameters
    ----------
    user:
        The user's id or name.
    name:
        A new name.
    enabled:
        Whether the user can do anything at all.
    password_file:
        File with a new password as its first line, - for standard input.
    description:
        Whatever others should know.
    """
    password = None if password_file is None else read_secret("password", password_file, option="--password-file")
    change = UserUpdate(name=name, enabled=enabled, password=password, description=description)
    with asking.connect() as plane:
        made = plane.update_user(find_user(plane, user).id, change)
    show(made, table(_COLUMNS, [made]), json=asking.json)


@app.command
def delete(user: str, /, *users: str, yes: Yes = False, asking: Asking = USUAL) -> int:
    """Delete users with their access keys.

    Parameters
    ----------
    user:
        Id, name, or pattern.
    users:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_users(plane, (user, *users))
        confirm("Deleting the user(s)", [each.name for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.delete_user(each.id), lambda each: (each.id, each.name))
    return tell(outcomes, json=asking.json)
