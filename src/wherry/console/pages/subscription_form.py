"""The form of a subscription, for a new one and to change one. A secret that is made here is shown once."""

from typing import Any, Final

from wherry.console import event_words
from wherry.console.forms import YES, Answers, Problem, problem_of
from wherry.console.operations import answer_as
from wherry.console.pages.subscription_list import ONE, PATH
from wherry.console.visit import Page, Visit
from wherry.contract.errors import ApiError
from wherry.contract.notifications import EventType, Subscription, SubscriptionCreated, SubscriptionKind
from wherry.iam.permissions import Resource, require
from wherry.server.answers import Answer

_NEW: Final = f"{PATH}/new"
_EDIT: Final = f"{ONE}/edit"
_FIELDS: Final = (
    "name",
    "kind",
    "url",
    "addresses",
    "secret",
    "event_types",
    "enterprise_project_id",
    "source_id",
    "enabled",
)
_CHOICE: Final = tuple(event for event in EventType if event is not EventType.TEST)


async def show_new(visit: Visit) -> Answer:
    """Show the form of a new subscription."""
    require(visit.principal, "CreateSubscription")
    return _form(visit, Answers({"kind": [SubscriptionKind.WEBHOOK], "enabled": [YES]}))


async def create(visit: Visit) -> Answer:
    """Make the subscription that was entered."""
    answers = Answers(visit.form)
    body = {**body_of(answers, answers.text("kind")), "kind": answers.text("kind")}
    try:
        made = answer_as(await visit.perform("CreateSubscription", body=body), SubscriptionCreated)
    except ApiError as error:
        return _form(visit, answers, problem_of(error, _FIELDS))
    page = ONE.format(subscription_id=made.id)
    if made.secret is None:
        return visit.go(page, notice="saved")
    return visit.page("subscription_made.html", name=answers.text("name"), secret=made.secret, page=page, path=PATH)


async def show_one(visit: Visit) -> Answer:
    """Show the form of a subscription that there is."""
    kept = await _kept(visit)
    require(visit.principal, "UpdateSubscription", Resource(kept.id, enterprise_project_id=kept.enterprise_project_id))
    return _form(visit, answers_of(kept))


async def change(visit: Visit) -> Answer:
    """Change the subscription to what was entered; without a secret its own stays."""
    kept = await _kept(visit)
    answers = Answers({**visit.form, "kind": [kept.kind]})
    try:
        await visit.perform("UpdateSubscription", visit.call.parameters, body=body_of(answers, kept.kind))
    except ApiError as error:
        return _form(visit, answers, problem_of(error, _FIELDS))
    return visit.go(ONE.format(subscription_id=kept.id), notice="saved")


PAGES = (
    Page("ConsoleSubscriptionNew", "GET", _NEW, show_new),
    Page("ConsoleSubscriptionNew", "POST", _NEW, create),
    Page("ConsoleSubscriptionEdit", "GET", _EDIT, show_one),
    Page("ConsoleSubscriptionEdit", "POST", _EDIT, change),
)


def answers_of(kept: Subscription) -> Answers:
    """Return the form's fields as they are kept; the secret is told to nobody."""
    return Answers(
        {
            "name": [kept.name],
            "kind": [kept.kind],
            "url": [kept.url],
            "addresses": ["\n".join(kept.addresses)],
            "event_types": kept.event_types,
            "enterprise_project_id": [kept.enterprise_project_id],
            "source_id": [kept.source_id],
            "enabled": [YES] if kept.enabled else [],
        }
    )


def body_of(answers: Answers, kind: str) -> dict[str, Any]:
    """Return the body for the API: of the ways only what belongs to *kind*."""
    body: dict[str, Any] = {
        "name": answers.text("name"),
        "event_types": list(answers.texts("event_types")),
        "enterprise_project_id": answers.text("enterprise_project_id"),
        "source_id": answers.text("source_id"),
        "enabled": answers.on("enabled"),
    }
    if kind == SubscriptionKind.EMAIL:
        return body | {"addresses": answers.lines("addresses")}
    secret = answers.text("secret")
    return body | {"url": answers.text("url")} | ({"secret": secret} if secret else {})


async def _kept(visit: Visit) -> Subscription:
    return await visit.ask(Subscription, "ShowSubscription", visit.call.parameters)


def _form(visit: Visit, answers: Answers, problem: Problem | None = None) -> Answer:
    return visit.page(
        "subscription_form.html",
        status=200 if problem is None else problem.error.status,
        answers=answers,
        problem=problem,
        new="subscription_id" not in visit.call.parameters,
        mail=visit.call.services.sends_mail,
        events={event: event_words.EVENTS[event] for event in _CHOICE},
        kinds=event_words.KINDS,
        back=PATH if "subscription_id" not in visit.call.parameters else ONE.format(**visit.call.parameters),
        path=PATH,
    )
