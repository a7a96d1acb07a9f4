"""Policies: the list, and one with its document, which is entered as JSON."""

from typing import Any, Final

import msgspec

from wherry.console.entry_form import EntryForm, Field, show_form
from wherry.console.forms import Answers, Problem, problem_of
from wherry.console.languages import N_
from wherry.console.operations import answer_as
from wherry.console.visit import Page, Visit
from wherry.contract.accounts import MAX_POLICIES, Policy, PolicyList
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

PATH: Final = "/console/access/policies"
ONE: Final = f"{PATH}/{{policy_id}}"

_NEW: Final = f"{PATH}/new"
_FIELDS = (
    Field("name", N_("Name")),
    Field("description", N_("Description")),
    Field("document", N_("Document"), "lines", N_("As JSON, of version 1.1 or 5.0")),
)
_NOT_VALID: Final = "WHERRY.5806"
_EXAMPLE = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["sms:server:list", "sms:server:get"]}]}


async def show_policies(visit: Visit) -> Answer:
    """Show the system policies, then the account's own."""
    found = await visit.ask(PolicyList, "ListPolicies")
    own = sum(policy.type != "system" for policy in found.policies)
    return visit.page("policy_list.html", policies=found.policies, full=own >= MAX_POLICIES, path=PATH, tab="policies")


async def show_policy(visit: Visit) -> Answer:
    """Show a policy with its document."""
    policy = await visit.ask(Policy, "ShowPolicy", visit.call.parameters)
    own = policy.type != "system"
    return visit.page(
        "policy.html",
        policy=policy,
        document=_text(policy.document),
        changes=own and visit.may("UpdatePolicy", Resource(policy.id)),
        deletes=own and visit.may("DeletePolicy", Resource(policy.id)),
        page=visit.path,
        path=PATH,
    )


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new policy, with an example."""
    require(visit.principal, "CreatePolicy")
    return show_form(visit, _form(visit), Answers({"document": [_text(_EXAMPLE)]}))


async def create(visit: Visit) -> Answer:
    """Make the policy that was entered."""
    answers = Answers(visit.form)
    try:
        made = answer_as(await visit.perform("CreatePolicy", body=body_of(answers)), Policy)
    except ApiError as error:
        return show_form(visit, _form(visit), answers, _problem(error))
    return visit.go(ONE.format(policy_id=made.id), notice="saved")


async def show_edit(visit: Visit) -> Answer:
    """Show the form of a policy that there is."""
    policy = await visit.ask(Policy, "ShowPolicy", visit.call.parameters)
    require(visit.principal, "UpdatePolicy", Resource(policy.id))
    fields = {"name": policy.name, "description": policy.description, "document": _text(policy.document)}
    return show_form(visit, _form(visit), Answers({name: [value] for name, value in fields.items()}))


async def change(visit: Visit) -> Answer:
    """Change the policy to what was entered."""
    answers = Answers(visit.form)
    try:
        await visit.perform("UpdatePolicy", visit.call.parameters, body=body_of(answers))
    except ApiError as error:
        return show_form(visit, _form(visit), answers, _problem(error))
    return visit.go(ONE.format(**visit.call.parameters), notice="saved")


async def delete(visit: Visit) -> Answer:
    """Delete a policy that is attached to nobody."""
    await visit.perform("DeletePolicy", visit.call.parameters)
    return visit.go(PATH, notice="deleted")


PAGES = (
    Page("ConsolePolicies", "GET", PATH, show_policies),
    Page("ConsolePolicyNew", "GET", _NEW, show_new),
    Page("ConsolePolicyNew", "POST", _NEW, create),
    Page("ConsolePolicy", "GET", ONE, show_policy),
    Page("ConsolePolicyEdit", "GET", f"{ONE}/edit", show_edit),
    Page("ConsolePolicyEdit", "POST", f"{ONE}/edit", change),
    Page("ConsolePolicyDelete", "POST", f"{ONE}/delete", delete),
)


def body_of(answers: Answers) -> dict[str, Any]:
    """Return the body for the API. Raises ApiError WHERRY.5806 where the document is no JSON."""
    try:
        document = msgspec.json.decode(answers.text("document"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ApiError(_NOT_VALID, f"it is no JSON: {error}") from None
    return {"name": answers.text("name"), "description": answers.text("description"), "document": document}


def _problem(error: ApiError) -> Problem:
    # The faults of a document are named by their places within it.
    return (
        Problem("document", error) if error.code == _NOT_VALID else problem_of(error, [each.name for each in _FIELDS])
    )


def _form(visit: Visit) -> EntryForm:
    if "policy_id" in visit.call.parameters:
        return EntryForm(N_("Change the policy"), _FIELDS, ONE.format(**visit.call.parameters))
    return EntryForm(N_("New policy"), _FIELDS, PATH)


def _text(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
