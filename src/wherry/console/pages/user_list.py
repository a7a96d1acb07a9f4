"""The users of the account: the list, and the form of a new one."""

from typing import Final

from wherry.console.entry_form import EntryForm, Field, show_form
from wherry.console.forms import YES, Answers, problem_of
from wherry.console.languages import N_
from wherry.console.navigation import Entry
from wherry.console.operations import answer_as
from wherry.console.paging import page_number, pages_of
from wherry.console.visit import Page, Visit
from wherry.contract.accounts import User, UserList
from wherry.contract.errors import ApiError
from wherry.iam.permissions import require
from wherry.server.answers import Answer

PATH: Final = "/console/access"
ONE: Final = f"{PATH}/users/{{user_id}}"
ENTRY = Entry(PATH, N_("Access"), "access", "ListUsers")

PASSWORD = Field("password", N_("Password"), "password", N_("Empty: none; such a user works with access keys only"))
DETAILS = (Field("description", N_("Description")), Field("enabled", N_("May sign in"), "tick"))

_NEW: Final = f"{PATH}/users/new"
_FORM = EntryForm(N_("New user"), (Field("name", N_("Name")), PASSWORD, *DETAILS), PATH)
_PAGE: Final = 100


async def show_users(visit: Visit) -> Answer:
    """Show a page of them, by name."""
    page = page_number(visit.query)
    found = await visit.ask(UserList, "ListUsers", limit=_PAGE, offset=(page - 1) * _PAGE)
    pages = pages_of(found.count, _PAGE)
    return visit.page("user_list.html", users=found.users, page=page, pages=pages, path=PATH, tab="users")


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new user."""
    require(visit.principal, "CreateUser")
    return show_form(visit, _FORM, Answers({"enabled": [YES]}))


async def create(visit: Visit) -> Answer:
    """Make the user that was entered."""
    answers = Answers(visit.form)
    body = {
        "name": answers.text("name"),
        "description": answers.text("description"),
        "enabled": answers.on("enabled"),
        "password": answers.secret("password") or None,
    }
    try:
        made = answer_as(await visit.perform("CreateUser", body=body), User)
    except ApiError as error:
        return show_form(visit, _FORM, answers.replaced(password=""), problem_of(error, _FORM.names))
    return visit.go(ONE.format(user_id=made.id), notice="saved")


PAGES = (
    Page("ConsoleUsers", "GET", PATH, show_users),
    Page("ConsoleUserNew", "GET", _NEW, show_new),
    Page("ConsoleUserNew", "POST", _NEW, create),
)
