"""Notifications: who is told of what, one subscription with its deliveries, tests, and what is sent once more."""

from typing import Any, Final

from wherry.console import event_words
from wherry.console.languages import N_
from wherry.console.live import Fragments
from wherry.console.navigation import Entry
from wherry.console.paging import page_number, pages_of
from wherry.console.visit import Page, Visit
from wherry.contract.notifications import (
    MAX_SUBSCRIPTIONS,
    Delivery,
    DeliveryList,
    DeliveryState,
    Subscription,
    SubscriptionList,
)
from wherry.server.answers import Answer

PATH: Final = "/console/subscriptions"
ONE: Final = f"{PATH}/{{subscription_id}}"
ENTRY = Entry(PATH, N_("Notifications"), "notifications", "ListSubscriptions")

_PAGE: Final = 50


async def show_subscriptions(visit: Visit) -> Answer:
    """Show all of them: an account has 50 at most."""
    found = await visit.ask(SubscriptionList, "ListSubscriptions")
    return visit.page(
        "subscription_list.html",
        subscriptions=found.subscriptions,
        most=MAX_SUBSCRIPTIONS,
        sayings=event_words,
        path=PATH,
    )


async def show_subscription(visit: Visit) -> Answer:
    """Show a subscription and what became of its deliveries, the newest first."""
    subscription = await visit.ask(Subscription, "ShowSubscription", visit.call.parameters)
    return visit.page("subscription.html", subscription=subscription, path=PATH, **await _facts(visit))


async def watch_subscription(visit: Visit) -> Fragments:
    """Return the rows of the deliveries."""
    return {"deliveries": visit.fragment("_parts/deliveries.html", **await _facts(visit))}


async def send_test(visit: Visit) -> Answer:
    """Send a test by the way of all events."""
    await visit.perform("TestSubscription", visit.call.parameters)
    return visit.go(_page(visit.call.parameters["subscription_id"]), notice="ordered")


async def delete(visit: Visit) -> Answer:
    """Remove a subscription."""
    await visit.perform("DeleteSubscription", visit.call.parameters)
    return visit.go(PATH, notice="deleted")


async def repeat(visit: Visit) -> Answer:
    """Send a delivery that has ended once more."""
    delivery = await visit.ask(Delivery, "ShowDelivery", visit.call.parameters)
    await visit.perform("RepeatDelivery", visit.call.parameters)
    return visit.go(_page(delivery.subscription_id), notice="ordered")


PAGES = (
    Page("ConsoleSubscriptions", "GET", PATH, show_subscriptions),
    Page("ConsoleSubscription", "GET", ONE, show_subscription),
    Page("ConsoleSubscriptionTest", "POST", f"{ONE}/test", send_test),
    Page("ConsoleSubscriptionDelete", "POST", f"{ONE}/delete", delete),
    Page("ConsoleDeliveryRepeat", "POST", "/console/deliveries/{delivery_id}/repeat", repeat),
)
LIVE = {"subscriptions/{subscription_id}": watch_subscription}


async def _facts(visit: Visit) -> dict[str, Any]:
    page, state = page_number(visit.query), visit.query.get("state", "")
    state = state if state in set(DeliveryState) else ""
    found = await visit.ask(
        DeliveryList,
        "ListDeliveries",
        visit.call.parameters,
        state=state,
        limit=_PAGE,
        offset=(page - 1) * _PAGE,
    )
    return {
        "deliveries": found.deliveries,
        "count": found.count,
        "page": page,
        "pages": pages_of(found.count, _PAGE),
        "state": state,
        "sayings": event_words,
    }


def _page(subscription_id: str) -> str:
    return ONE.format(subscription_id=subscription_id)
