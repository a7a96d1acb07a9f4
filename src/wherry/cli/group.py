"""`wherry group`: groups of users."""

from typing import Final

from cyclopts import App

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.directory import find_group, find_groups, find_users
from wherry.cli.output import Column, facts, moment, show, table
from wherry.contract.accounts import Group, GroupCreation, GroupList

app = App(name="group")

_COLUMNS: Final = (
    Column[Group]("name", lambda each: each.name),
    Column[Group]("id", lambda each: each.id),
    Column[Group]("description", lambda each: each.description),
    Column[Group]("created", lambda each: moment(each.created_at)),
)


@app.command(name="list")
def list_groups(*groups: str, asking: Asking = USUAL) -> None:
    """List groups.

    Parameters
    ----------
    groups:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = find_groups(plane, groups)
    show(GroupList(count=len(found), groups=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_group(group: str, /, *, asking: Asking = USUAL) -> None:
    """Show a group with its members and its policies.

    Parameters
    ----------
    group:
        Its id or its name.
    """
    with asking.connect() as plane:
        found = plane.show_group(find_group(plane, group).id)
    shown = facts(
        ("name", found.name),
        ("id", found.id),
        ("description", found.description),
        ("members", ", ".join(member.name for member in found.members)),
        ("policies", ", ".join(policy.name for policy in found.policies)),
    )
    show(found, shown, json=asking.json)


@app.command
def create(name: str, /, *, description: str = "", asking: Asking = USUAL) -> None:
    """Make a group.

    Parameters
    ----------
    name:
        Name of the group.
    description:
        Whatever others should know.
    """
    with asking.connect() as plane:
        made = plane.create_group(GroupCreation(name=name, description=description))
    show(made, made.id, json=asking.json)


@app.command
def delete(group: str, /, *, yes: Yes = False, asking: Asking = USUAL) -> None:
    """Delete a group. Its members stay.

    Parameters
    ----------
    group:
        Its id or its name.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_group(plane, group)
        confirm("Deleting the group", [found.name], yes=yes)
        plane.delete_group(found.id)


@app.command(name="add")
def add_members(group: str, user: str, /, *users: str, asking: Asking = USUAL) -> int:
    """Put users into a group.

    Parameters
    ----------
    group:
        Its id or its name.
    user:
        Id, name, or pattern of a user.
    users:
        More of them.
    """
    with asking.connect() as plane:
        known = find_group(plane, group)
        found = find_users(plane, (user, *users))
        outcomes = do_each(
            found, lambda each: plane.add_group_member(known.id, each.id), lambda each: (each.id, each.name)
        )
    return tell(outcomes, json=asking.json)


@app.command(name="remove")
def remove_members(group: str, user: str, /, *users: str, asking: Asking = USUAL) -> int:
    """Take users out of a group.

    Parameters
    ----------
    group:
        Its id or its name.
    user:
        Id, name, or pattern of a user.
    users:
        More of them.
    """
    with asking.connect() as plane:
        known = find_group(plane, group)
        found = find_users(plane, (user, *users))
        outcomes = do_each(
            found, lambda each: plane.remove_group_member(known.id, each.id), lambda each: (each.id, each.name)
        )
    return tell(outcomes, json=asking.json)
