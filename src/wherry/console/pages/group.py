"""Groups of users: the list, the form of a new one, and a group with its members and policies."""

from typing import Final

from wherry.console.entry_form import EntryForm, Field, show_form
from wherry.console.forms import Answers, problem_of
from wherry.console.languages import N_
from wherry.console.operations import answer_as
from wherry.console.paging import page_number, pages_of
from wherry.console.visit import Page, Visit
from wherry.contract.accounts import Group, GroupDetail, GroupList, PolicyList, UserList
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

PATH: Final = "/console/access/groups"
ONE: Final = f"{PATH}/{{group_id}}"

_NEW: Final = f"{PATH}/new"
_FORM = EntryForm(N_("New group"), (Field("name", N_("Name")), Field("description", N_("Description"))), PATH)
_PAGE: Final = 100
_MOST_USERS: Final = 200
_CHANGES: Final = ("DeleteGroup", "AddGroupMember", "RemoveGroupMember", "AttachGroupPolicy", "DetachGroupPolicy")


async def show_groups(visit: Visit) -> Answer:
    """Show a page of them, by name."""
    page = page_number(visit.query)
    found = await visit.ask(GroupList, "ListGroups", limit=_PAGE, offset=(page - 1) * _PAGE)
    pages = pages_of(found.count, _PAGE)
    return visit.page("group_list.html", groups=found.groups, page=page, pages=pages, path=PATH, tab="groups")


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new group."""
    require(visit.principal, "CreateGroup")
    return show_form(visit, _FORM, Answers({}))


async def create(visit: Visit) -> Answer:
    """Make the group that was entered."""
    answers = Answers(visit.form)
    body = {name: answers.text(name) for name in _FORM.names}
    try:
        made = answer_as(await visit.perform("CreateGroup", body=body), Group)
    except ApiError as error:
        return show_form(visit, _FORM, answers, problem_of(error, _FORM.names))
    return visit.go(ONE.format(group_id=made.id), notice="saved")


async def show_group(visit: Visit) -> Answer:
    """Show a group; beside it the users and policies that can be added."""
    group = await visit.ask(GroupDetail, "ShowGroup", _id(visit))
    attached, members = {policy.id for policy in group.policies}, {member.id for member in group.members}
    policies = await visit.ask(PolicyList, "ListPolicies") if visit.may("ListPolicies") else None
    users = await visit.ask(UserList, "ListUsers", limit=_MOST_USERS) if visit.may("ListUsers") else None
    return visit.page(
        "group.html",
        group=group,
        can={operation: visit.may(operation, Resource(group.id)) for operation in _CHANGES},
        attachable=[] if policies is None else [each for each in policies.policies if each.id not in attached],
        strangers=[] if users is None else [each for each in users.users if each.id not in members],
        page=visit.path,
        path=PATH,
    )


async def delete(visit: Visit) -> Answer:
    """Delete the group."""
    await visit.perform("DeleteGroup", _id(visit))
    return visit.go(PATH, notice="deleted")


async def add_member(visit: Visit) -> Answer:
    """Put a user into the group."""
    await visit.perform("AddGroupMember", {**_id(visit), "user_id": visit.value("user_id")})
    return visit.go(_page(visit), notice="saved")


async def remove_member(visit: Visit) -> Answer:
    """Take a user out of the group."""
    await visit.perform("RemoveGroupMember", visit.call.parameters)
    return visit.go(_page(visit), notice="saved")


async def attach(visit: Visit) -> Answer:
    """Attach a policy to the group."""
    await visit.perform("AttachGroupPolicy", {**_id(visit), "policy_id": visit.value("policy_id")})
    return visit.go(_page(visit), notice="saved")


async def detach(visit: Visit) -> Answer:
    """Detach a policy from the group."""
    await visit.perform("DetachGroupPolicy", visit.call.parameters)
    return visit.go(_page(visit), notice="saved")


PAGES = (
    Page("ConsoleGroups", "GET", PATH, show_groups),
    Page("ConsoleGroupNew", "GET", _NEW, show_new),
    Page("ConsoleGroupNew", "POST", _NEW, create),
    Page("ConsoleGroup", "GET", ONE, show_group),
    Page("ConsoleGroupDelete", "POST", f"{ONE}/delete", delete),
    Page("ConsoleGroupAdd", "POST", f"{ONE}/members", add_member),
    Page("ConsoleGroupRemove", "POST", f"{ONE}/members/{{user_id}}/remove", remove_member),
    Page("ConsoleGroupAttach", "POST", f"{ONE}/policies", attach),
    Page("ConsoleGroupDetach", "POST", f"{ONE}/policies/{{policy_id}}/detach", detach),
)


def _id(visit: Visit) -> dict[str, str]:
    return {"group_id": visit.call.parameters["group_id"]}


def _page(visit: Visit) -> str:
    return ONE.format(**_id(visit))
