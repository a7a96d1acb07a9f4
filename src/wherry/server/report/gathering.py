"""ShowReport: reads what the ledger has of a migration, in one view, and answers its report."""

import asyncio
import importlib.metadata

from sqlalchemy import Connection

from wherry.contract.decoding import decode
from wherry.contract.errors import ApiError
from wherry.contract.report import Report, ReportQuery
from wherry.contract.wherry import Proof, ReplicationFigures
from wherry.iam.proof_signatures import is_signed
from wherry.ledger import channels, consistency, landings, receivers, rehearsals, sources, state_changes
from wherry.ledger.rehearsals import RehearsalFilter
from wherry.server.accept import preferred
from wherry.server.access import task_of
from wherry.server.answers import JSON, Answer, json_answer
from wherry.server.call import Call
from wherry.server.report.building import Stored, build
from wherry.server.report.page import HTML, SECURITY_HEADERS, render

_MOST_REHEARSALS = 100
_FORMATS = {"json": JSON, "html": "text/html"}


async def show_report(call: Call) -> Answer:
    """Return the report of a migration: as JSON, or as a page for people (`format=html`, or the header Accept)."""
    wanted = call.query(ReportQuery).format
    if wanted is not None and wanted not in _FORMATS:
        raise ApiError("SMS.9001", "format: it is json or html", params=("format",))
    form = preferred(call.headers, list(_FORMATS.values())) if wanted is None else _FORMATS[wanted]
    report = await call.services.ledger.read(lambda connection: _report(connection, call))
    if form == JSON:
        return json_answer(report)
    page = await asyncio.to_thread(render, report)
    return Answer(page.encode(), 200, HTML, SECURITY_HEADERS)


def _report(connection: Connection, call: Call) -> Report:
    return build(_stored(connection, call), at=call.at, version=importlib.metadata.version("wherry"))


def _stored(connection: Connection, call: Call) -> Stored:
    task = task_of(connection, call, call.parameters["task_id"])
    source = sources.find(connection, call.account_id, task.source_id)
    if source is None:
        raise ApiError("SMS.7602", status=404)
    figures = channels.figures_of(connection, task.id)
    proven = channels.proof_of(connection, call.account_id, task.id, None)
    proof = None if proven is None else decode(proven.document, Proof)
    receiver = None if task.receiver_id is None else receivers.find(connection, call.account_id, task.receiver_id)
    wanted = RehearsalFilter(task_id=task.id)
    _, rehearsed = rehearsals.find_page(connection, call.account_id, wanted, limit=_MOST_REHEARSALS, offset=0)
    checks = consistency.of_task(connection, task.id)
    return Stored(
        task=task,
        source=source,
        receiver=receiver,
        history=state_changes.of_task(connection, task.id),
        figures=None if figures is None else decode(figures, ReplicationFigures),
        proof=proof,
        proof_holds=proof is not None and is_signed(proof, call.services.authority.certificate_pem),
        landing=landings.of_task(connection, task.id),
        rehearsals=rehearsed,
        consistency=checks[-1] if checks else None,
    )
