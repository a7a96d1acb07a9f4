"""A rehearsal: its verdict, the stages of the boot, the copy's console and screen, and what was changed to boot it."""

from wherry.console import task_words
from wherry.console.live import Fragments
from wherry.console.pages.task import known
from wherry.console.visit import Page, Visit
from wherry.contract.errors import ApiError
from wherry.contract.landing import Rehearsal
from wherry.contract.tasks import TaskDetail
from wherry.server.answers import Answer

PATH = "/console/rehearsals/{rehearsal_id}"

_SHOWN_CHARACTERS = 60_000
"""How much of the console's end the page itself has; the rest is fetched as a file."""


async def show_rehearsal(visit: Visit) -> Answer:
    """Show it."""
    rehearsal = await _rehearsal(visit)
    return visit.page(
        "rehearsal.html",
        more=task_words,
        rehearsal=rehearsal,
        console=await _console(visit, rehearsal),
        task=await known(visit, TaskDetail, "ShowTask", {"task_id": rehearsal.task_id}),
    )


async def watch_rehearsal(visit: Visit) -> Fragments:
    """Return its live parts."""
    rehearsal = await _rehearsal(visit)
    console = await _console(visit, rehearsal)
    return {"rehearsal": visit.fragment("_parts/rehearsal.html", more=task_words, rehearsal=rehearsal, console=console)}


async def download_console(visit: Visit) -> Answer:
    """Return what the copy wrote to its console."""
    return await visit.perform("ShowRehearsalConsole", visit.call.parameters)


async def show_screenshot(visit: Visit) -> Answer:
    """Return the picture of the copy's screen."""
    return await visit.perform("ShowRehearsalScreenshot", visit.call.parameters)


LIVE = {"rehearsals/{rehearsal_id}": watch_rehearsal}
PAGES = (
    Page("ConsoleRehearsal", "GET", PATH, show_rehearsal),
    Page("ConsoleRehearsalConsole", "GET", f"{PATH}/console", download_console),
    Page("ConsoleRehearsalScreenshot", "GET", f"{PATH}/screenshot", show_screenshot),
)


async def _rehearsal(visit: Visit) -> Rehearsal:
    return await visit.ask(Rehearsal, "ShowRehearsal", visit.call.parameters)


async def _console(visit: Visit, rehearsal: Rehearsal) -> str:
    if not rehearsal.console_bytes:
        return ""
    try:
        answer = await visit.perform("ShowRehearsalConsole", visit.call.parameters)
    except ApiError as error:
        if error.status in {403, 404}:
            return ""
        raise
    return answer.body.decode("utf-8", "replace")[-_SHOWN_CHARACTERS:]
