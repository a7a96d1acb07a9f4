"""`wherry policy`: what users may do."""

from pathlib import Path
from typing import Any, Final

import msgspec
from cyclopts import App

from wherry.cli.asking import USUAL, Asking
from wherry.cli.confirming import Yes, confirm
from wherry.cli.directory import find_group, find_policies, find_policy, find_user
from wherry.cli.errors import FileUnreadable, OptionMissing, OptionsExclude
from wherry.cli.output import Column, as_json, facts, show, table
from wherry.contract.accounts import Policy, PolicyCreation, PolicyList, PolicyUpdate

app = App(name="policy")

_COLUMNS: Final = (
    Column[Policy]("name", lambda each: each.name),
    Column[Policy]("id", lambda each: each.id),
    Column[Policy]("type", lambda each: each.type),
    Column[Policy]("description", lambda each: each.description),
)


@app.command(name="list")
def list_policies(*policies: str, asking: Asking = USUAL) -> None:
    """List policies: the system's, and the account's own.

    Parameters
    ----------
    policies:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = find_policies(plane, policies)
    show(PolicyList(count=len(found), policies=found), table(_COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_policy(policy: str, /, *, asking: Asking = USUAL) -> None:
    """Show a policy with its document.

    Parameters
    ----------
    policy:
        Its id or its name.
    """
    with asking.connect() as plane:
        found = find_policy(plane, policy)
    known = facts(("name", found.name), ("id", found.id), ("type", found.type), ("description", found.description))
    show(found, known, as_json(found.document).rstrip(), json=asking.json)


@app.command
def create(name: str, document: Path, /, *, description: str = "", asking: Asking = USUAL) -> None:
    """Make a policy.

    Parameters
    ----------
    name:
        Name of the policy.
    document:
        File with the document as JSON, of version 1.1 or 5.0.
    description:
        Whatever others should know.
    """
    content = read_document(document)
    with asking.connect() as plane:
        made = plane.create_policy(PolicyCreation(name=name, document=content, description=description))
    show(made, made.id, json=asking.json)


@app.command
def update(
    policy: str,
    /,
    *,
    name: str | None = None,
    document: Path | None = None,
    description: str | None = None,
    asking: Asking = USUAL,
) -> None:
    """Change a policy of the account's own. What isn't given stays.

    Parameters
    ----------
    policy:
        Its id or its name.
    name:
        A new name.
    document:
        File with a new document as JSON.
    description:
        Whatever others should know.
    """
    content = None if document is None else read_document(document)
    with asking.connect() as plane:
        change = PolicyUpdate(name=name, document=content, description=description)
        made = plane.update_policy(find_policy(plane, policy).id, change)
    show(made, table(_COLUMNS, [made]), json=asking.json)


@app.command
def delete(policy: str, /, *, yes: Yes = False, asking: Asking = USUAL) -> None:
    """Delete a policy; who had it by this policy may do so no more.

    Parameters
    ----------
    policy:
        Its id or its name.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_policy(plane, policy)
        confirm("Deleting the policy", [found.name], yes=yes)
        plane.delete_policy(found.id)


@app.command
def attach(policy: str, /, *, user: str = "", group: str = "", asking: Asking = USUAL) -> None:
    """Give a policy to a user or a group.

    Parameters
    ----------
    policy:
        Its id or its name.
    user:
        Id or name of the user.
    group:
        Id or name of the group.
    """
    _check_holder(user, group)
    with asking.connect() as plane:
        policy_id = find_policy(plane, policy).id
        if user:
            plane.attach_user_policy(find_user(plane, user).id, policy_id)
        else:
            plane.attach_group_policy(find_group(plane, group).id, policy_id)


@app.command
def detach(policy: str, /, *, user: str = "", group: str = "", asking: Asking = USUAL) -> None:
    """Take a policy from a user or a group.

    Parameters
    ----------
    policy:
        Its id or its name.
    user:
        Id or name of the user.
    group:
        Id or name of the group.
    """
    _check_holder(user, group)
    with asking.connect() as plane:
        policy_id = find_policy(plane, policy).id
        if user:
            plane.detach_user_policy(find_user(plane, user).id, policy_id)
        else:
            plane.detach_group_policy(find_group(plane, group).id, policy_id)


def _check_holder(user: str, group: str) -> None:
    """Return when exactly one of the two is named. Raises OptionsExclude, OptionMissing."""
    if user and group:
        raise OptionsExclude(first="--user", second="--group")
    if not user and not group:
        raise OptionMissing(options="--user or --group")


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises FileUnreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FileUnreadable(path=path, what="a JSON object", reason=str(error)) from error
