"""A user: his rights and groups, his access keys, his password. Everybody may look at himself."""

from typing import Final

from wherry.console.entry_form import EntryForm, Field, show_form
from wherry.console.forms import YES, Answers, problem_of
from wherry.console.languages import N_
from wherry.console.operations import answer_as
from wherry.console.pages.user_list import DETAILS, ONE, PATH
from wherry.console.visit import Page, Visit
from wherry.contract.accounts import AccessKeyCreated, AccessKeyList, PolicyList, UserDetail
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

_CHANGES: Final = (
    "UpdateUser",
    "DeleteUser",
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "AttachUserPolicy",
    "DetachUserPolicy",
)
_KEPT = N_("Empty: it stays. With another one, who has signed in has to do so again")


async def show_user(visit: Visit) -> Answer:
    """Show a user, with his keys where the visitor may see them."""
    user = await _user(visit)
    keys = await visit.ask(AccessKeyList, "ListAccessKeys", _id(visit)) if _may(visit, "ListAccessKeys", user) else None
    can = {operation: _may(visit, operation, user, changes=True) for operation in _CHANGES}
    attached = {policy.id for policy in user.policies}
    policies = await visit.ask(PolicyList, "ListPolicies") if visit.may("ListPolicies") else None
    return visit.page(
        "user.html",
        user=user,
        keys=None if keys is None else keys.access_keys,
        can=can,
        himself=user.id == visit.principal.user_id,
        attachable=[] if policies is None else [each for each in policies.policies if each.id not in attached],
        page=visit.path,
        path=PATH,
    )


async def delete(visit: Visit) -> Answer:
    """Delete the user."""
    await visit.perform("DeleteUser", _id(visit))
    return visit.go(PATH, notice="deleted")


async def show_edit(visit: Visit) -> Answer:
    """Show the form of the user."""
    user = await _user(visit)
    require(visit.principal, "UpdateUser", Resource(user.id, of_owner=user.account_owner))
    fields = {"name": [user.name], "description": [user.description], "enabled": [YES] if user.enabled else []}
    return show_form(visit, _edit_form(visit), Answers(fields))


async def change(visit: Visit) -> Answer:
    """Change the user to what was entered."""
    answers, form = Answers(visit.form), _edit_form(visit)
    body = {
        "name": answers.text("name"),
        "description": answers.text("description"),
        "enabled": answers.on("enabled"),
        "password": answers.secret("password") or None,
    }
    try:
        await visit.perform("UpdateUser", _id(visit), body=body)
    except ApiError as error:
        return show_form(visit, form, answers.replaced(password=""), problem_of(error, form.names))
    return visit.go(_page(visit), notice="saved")


async def show_password(visit: Visit) -> Answer:
    """Show the form by which a user changes his own password."""
    user = await _user(visit)
    require(visit.principal, "ChangePassword", Resource(user.id))
    return show_form(visit, _password_form(visit), Answers({}))


async def change_password(visit: Visit) -> Answer:
    """Change the visitor's own password; he signs in with the new one."""
    answers, form = Answers(visit.form), _password_form(visit)
    body = {name: answers.secret(name) for name in form.names}
    try:
        await visit.perform("ChangePassword", _id(visit), body=body)
    except ApiError as error:
        return show_form(visit, form, Answers({}), problem_of(error, form.names))
    return visit.go(_page(visit))


async def create_key(visit: Visit) -> Answer:
    """Make an access key and show it: its secret isn't shown again."""
    body = {"description": visit.value("description")}
    key = answer_as(await visit.perform("CreateAccessKey", _id(visit), body=body), AccessKeyCreated)
    return visit.page("access_key_made.html", key=key, back=_page(visit))


async def switch_key(visit: Visit) -> Answer:
    """Let an access key count, or count no more."""
    body = {"enabled": visit.value("enabled") == YES}
    await visit.perform("UpdateAccessKey", visit.call.parameters, body=body)
    return visit.go(_page(visit), notice="saved")


async def delete_key(visit: Visit) -> Answer:
    """Delete an access key."""
    await visit.perform("DeleteAccessKey", visit.call.parameters)
    return visit.go(_page(visit), notice="deleted")


async def attach(visit: Visit) -> Answer:
    """Attach a policy to the user."""
    await visit.perform("AttachUserPolicy", {**_id(visit), "policy_id": visit.value("policy_id")})
    return visit.go(_page(visit), notice="saved")


async def detach(visit: Visit) -> Answer:
    """Detach a policy from the user."""
    await visit.perform("DetachUserPolicy", visit.call.parameters)
    return visit.go(_page(visit), notice="saved")


PAGES = (
    Page("ConsoleUser", "GET", ONE, show_user),
    Page("ConsoleUserDelete", "POST", f"{ONE}/delete", delete),
    Page("ConsoleUserEdit", "GET", f"{ONE}/edit", show_edit),
    Page("ConsoleUserEdit", "POST", f"{ONE}/edit", change),
    Page("ConsolePassword", "GET", f"{ONE}/password", show_password),
    Page("ConsolePassword", "POST", f"{ONE}/password", change_password),
    Page("ConsoleKeyNew", "POST", f"{ONE}/keys", create_key),
    Page("ConsoleKeySwitch", "POST", f"{ONE}/keys/{{access_key}}/enabled", switch_key),
    Page("ConsoleKeyDelete", "POST", f"{ONE}/keys/{{access_key}}/delete", delete_key),
    Page("ConsoleUserAttach", "POST", f"{ONE}/policies", attach),
    Page("ConsoleUserDetach", "POST", f"{ONE}/policies/{{policy_id}}/detach", detach),
)


def _edit_form(visit: Visit) -> EntryForm:
    fields = (Field("name", N_("Name")), Field("password", N_("Password"), "password", _KEPT), *DETAILS)
    return EntryForm(N_("Change the user"), fields, _page(visit))


def _password_form(visit: Visit) -> EntryForm:
    fields = (
        Field("original_password", N_("Password until now"), "password"),
        Field("password", N_("New password"), "password", N_("8 characters at least. You sign in again with it")),
    )
    return EntryForm(N_("Change the password"), fields, _page(visit))


async def _user(visit: Visit) -> UserDetail:
    return await visit.ask(UserDetail, "ShowUser", _id(visit))


def _may(visit: Visit, operation: str, user: UserDetail, *, changes: bool = False) -> bool:
    return visit.may(operation, Resource(user.id, of_owner=changes and user.account_owner))


def _id(visit: Visit) -> dict[str, str]:
    return {"user_id": visit.call.parameters["user_id"]}


def _page(visit: Visit) -> str:
    return ONE.format(**_id(visit))
