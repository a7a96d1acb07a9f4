"""What the buttons of a task's page send: actions, rehearsals, its landing, its log, deleting it."""

from wherry.console.pages.task import PATH
from wherry.console.visit import Page, Visit
from wherry.contract.enumerations import Action, LandingAction
from wherry.contract.errors import ApiError
from wherry.contract.tasks import LogCollection
from wherry.server.answers import Answer

_SMALL = 4096
_BUCKET = "wherry"
_LANDING = {LandingAction.LAUNCH: "LaunchTarget", LandingAction.ROLL_BACK: "RollBackTarget"}


async def act(visit: Visit) -> Answer:
    """Carry out an action on the task."""
    body: dict[str, object] = {"operation": visit.value("operation")}
    if visit.value("operation") == Action.CLONE_TEST:
        body["template_id"] = visit.value("template_id")
    await visit.perform("UpdateTaskStatus", _parameters(visit), body=body)
    return visit.go(_page(visit), notice="ordered")


async def act_on_landing(visit: Visit) -> Answer:
    """Launch or roll back the landed system."""
    action = visit.value("operation")
    operation = _LANDING.get(LandingAction(action)) if action in set(LandingAction) else None
    if operation is None:
        raise ApiError("SMS.9001", "operation: it isn't one of a landing's", params=("operation",))
    await visit.perform(operation, _parameters(visit), body={})
    return visit.go(_page(visit), notice="ordered")


async def rehearse(visit: Visit) -> Answer:
    """Have the newest checkpoint, or a fresh one, rehearsed with the task's checks."""
    # Only what the form has goes out: the checks and the limit are then the task's own.
    await visit.perform("OrderRehearsal", _parameters(visit), body={"fresh": visit.value("fresh") == "yes"})
    return visit.go(_page(visit), notice="ordered")


async def record(visit: Visit) -> Answer:
    """Have console and screen of the launched target recorded."""
    await visit.perform("RecordTarget", _parameters(visit), body={})
    return visit.go(_page(visit), notice="ordered")


async def show_target_console(visit: Visit) -> Answer:
    """Return what the launched target had written to its console."""
    return await visit.perform("ShowTargetConsole", _parameters(visit))


async def show_target_screen(visit: Visit) -> Answer:
    """Return the picture of the launched target's screen."""
    return await visit.perform("ShowTargetScreenshot", _parameters(visit))


async def delete(visit: Visit) -> Answer:
    """Delete the task."""
    await visit.perform("DeleteTask", _parameters(visit))
    return visit.go("/console/tasks", notice="deleted")


async def collect_log(visit: Visit) -> Answer:
    """Have the agent hand its log in."""
    await visit.perform("CollectLog", _parameters(visit), body=LogCollection(log_bucket=_BUCKET))
    return visit.go(_page(visit), notice="ordered")


async def close_log(visit: Visit) -> Answer:
    """Remove the log that the agent handed in."""
    await visit.perform("CloseLog", _parameters(visit))
    return visit.go(_page(visit), notice="deleted")


async def download_log(visit: Visit) -> Answer:
    """Return the agent's log."""
    return await visit.perform("DownloadLog", _parameters(visit))


async def show_report(visit: Visit) -> Answer:
    """Return the migration's report as a page that stands alone."""
    return await visit.perform("ShowReport", _parameters(visit), query={"format": "html"})


async def download_report(visit: Visit) -> Answer:
    """Return the migration's report as a file for programs."""
    answer = await visit.perform("ShowReport", _parameters(visit), query={"format": "json"})
    return _file(answer, f"wherry-report-{visit.call.parameters['task_id']}.json")


async def show_samples(visit: Visit) -> Answer:
    """Return the samples that the plots are drawn from."""
    return await visit.perform("ListReplicationSamples", _parameters(visit))


async def download_proof(visit: Visit) -> Answer:
    """Return the newest proof as a file for ``wherry verify``."""
    answer = await visit.perform("ShowProof", _parameters(visit))
    return _file(answer, f"wherry-proof-{visit.call.parameters['task_id']}.json")


PAGES = (
    Page("ConsoleTaskAction", "POST", f"{PATH}/action", act, max_body=_SMALL),
    Page("ConsoleTaskLanding", "POST", f"{PATH}/landing", act_on_landing, max_body=_SMALL),
    Page("ConsoleTaskRehearse", "POST", f"{PATH}/rehearse", rehearse, max_body=_SMALL),
    Page("ConsoleTaskRecord", "POST", f"{PATH}/recordings", record, max_body=_SMALL),
    Page("ConsoleTargetConsole", "GET", f"{PATH}/console", show_target_console),
    Page("ConsoleTargetScreen", "GET", f"{PATH}/screenshot", show_target_screen),
    Page("ConsoleTaskDelete", "POST", f"{PATH}/delete", delete, max_body=_SMALL),
    Page("ConsoleTaskLogCollect", "POST", f"{PATH}/log", collect_log, max_body=_SMALL),
    Page("ConsoleTaskLogClose", "POST", f"{PATH}/log/close", close_log, max_body=_SMALL),
    Page("ConsoleTaskLog", "GET", f"{PATH}/log", download_log),
    Page("ConsoleTaskReport", "GET", f"{PATH}/report", show_report),
    Page("ConsoleTaskReportFile", "GET", f"{PATH}/report.json", download_report),
    Page("ConsoleTaskSamples", "GET", f"{PATH}/samples", show_samples),
    Page("ConsoleTaskProof", "GET", f"{PATH}/proof", download_proof),
)


def _parameters(visit: Visit) -> dict[str, str]:
    return {"task_id": visit.call.parameters["task_id"]}


def _page(visit: Visit) -> str:
    return PATH.format(task_id=visit.call.parameters["task_id"])


def _file(answer: Answer, name: str) -> Answer:
    """Return *answer* as a file that the browser saves as *name*."""
    headers = {**answer.headers, "content-disposition": f'attachment; filename="{name}"'}
    return Answer(answer.body, answer.status, answer.content_type, headers)
