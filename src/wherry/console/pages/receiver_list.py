"""The receivers: which are connected, how much room each has, what it can do, and the servers that can land there."""

from typing import Any

from wherry.console.languages import N_
from wherry.console.live import Fragments, Rows
from wherry.console.navigation import Entry
from wherry.console.visit import Page, Visit
from wherry.contract.wherry import ReceiverList
from wherry.server.answers import Answer

PATH = "/console/receivers"
ENTRY = Entry(PATH, N_("Receivers"), "receivers", "ListReceivers")


async def show_receivers(visit: Visit) -> Answer:
    """Show them."""
    return visit.page("receiver_list.html", **await _facts(visit))


async def watch_receivers(visit: Visit) -> Fragments:
    """Return each of them, and the list."""
    facts = await _facts(visit)
    each = {
        f"receiver-{receiver.id}": visit.fragment("_parts/receiver.html", receiver=receiver)
        for receiver in facts["receivers"]
    }
    return {"receivers": Rows(each, visit.fragment("_parts/receivers.html", **facts))}


PAGES = (Page("ConsoleReceivers", "GET", PATH, show_receivers),)
LIVE = {"receivers": watch_receivers}


async def _facts(visit: Visit) -> dict[str, Any]:
    receivers = (await visit.ask(ReceiverList, "ListReceivers")).receivers
    return {"receivers": sorted(receivers, key=lambda receiver: receiver.name.casefold())}
