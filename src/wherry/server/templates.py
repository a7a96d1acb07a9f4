"""Templates of target servers. The password of a target is sealed, and told by ShowTargetPassword alone."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from msgspec import convert, to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.templates import (
    ListTemplatesQuery,
    TargetPassword,
    Template,
    TemplateAnswer,
    TemplateBody,
    TemplateDetail,
    TemplateIds,
    TemplateList,
    TemplateUpdate,
)
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource
from wherry.ledger import tasks, templates
from wherry.ledger.templates import TemplateFilter, TemplateRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 50


async def create_template(call: Call) -> Answer:
    """Store a template and return its id."""
    allow(call)
    wanted = call.decode(TemplateBody).template
    _check_network(wanted)
    row = TemplateRow(id=str(uuid4()), account_id=call.account_id, created_at=call.at, **_columns(call, wanted))

    def unit(tx: Transaction) -> None:
        templates.insert(tx.connection, row)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return json_answer(CreatedId(id=row.id))


async def list_templates(call: Call) -> Answer:
    """Return the templates that match, and how many there are."""
    allow(call)
    query = call.query(ListTemplatesQuery)
    wanted = TemplateFilter(query.id or "", query.name or "", query.availability_zone or "", query.region or "")

    def read(connection: Connection) -> TemplateList:
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = templates.find_page(connection, call.account_id, wanted, limit=limit, offset=offset)
        return TemplateList(count=count, templates=[_shown(row) for row in page])

    return json_answer(await call.services.ledger.read(read))


async def show_template(call: Call) -> Answer:
    """Return a template."""
    row = await call.services.ledger.read(lambda connection: _template_of(connection, call, call.parameters["id"]))
    return json_answer(TemplateAnswer(template=_shown(row)))


async def update_template(call: Call) -> Answer:
    """Replace a template. A password that isn't sent stays; without a template nothing changes."""
    wanted = call.decode(TemplateUpdate).template
    if wanted is not None:
        _check_network(wanted)

    def unit(tx: Transaction) -> None:
        row = _template_of(tx.connection, call, call.parameters["id"])
        call.record(tx, row.id)
        if wanted is None:
            return
        values = _columns(call, wanted)
        if wanted.target_password is None:
            values["sealed_password"] = row.sealed_password
        templates.change(tx.connection, row.id, values)

    await call.services.ledger.write(unit)
    return EMPTY


async def delete_template(call: Call) -> Answer:
    """Remove a template that no task uses."""
    await _delete(call, [call.parameters["id"]])
    return EMPTY


async def delete_templates(call: Call) -> Answer:
    """Remove several templates: all or none."""
    await _delete(call, call.decode(TemplateIds).ids)
    return EMPTY


async def show_target_password(call: Call) -> Answer:
    """Return the password of the targets that a template makes; empty where none was given."""
    row = await call.services.ledger.read(lambda connection: _template_of(connection, call, call.parameters["id"]))
    password = "" if row.sealed_password is None else call.services.secret_box.open(row.sealed_password)
    return json_answer(TargetPassword(template_id=row.id, target_password=password))


async def _delete(call: Call, template_ids: Sequence[str]) -> None:
    def unit(tx: Transaction) -> None:
        for template_id in dict.fromkeys(template_ids):
            row = _template_of(tx.connection, call, template_id)
            if tasks.using_template(tx.connection, call.account_id, row.id) is not None:
                raise ApiError("SMS.7111", params=(row.id,))
            templates.delete(tx.connection, row.id)
            call.record(tx, row.id)

    await call.services.ledger.write(unit)


def _template_of(connection: Connection, call: Call, template_id: str) -> TemplateRow:
    row = templates.find(connection, call.account_id, template_id)
    if row is None:
        raise ApiError("SMS.7101", status=404)
    allow(call, Resource(row.id))
    return row


def _columns(call: Call, wanted: Template) -> dict[str, Any]:
    document = to_builtins(wanted)
    password = document.pop("target_password", None)
    return {
        "name": wanted.name,
        "availability_zone": wanted.availability_zone or "",
        "region": wanted.region or "",
        "sealed_password": None if password is None else call.services.secret_box.seal(password),
        "document": document,
    }


def _check_network(wanted: Template) -> None:
    """Raise ApiError SMS.6102 for network cards and security groups that lack what the protocol asks of them."""
    for index, nic in enumerate(wanted.nics or ()):
        if not nic.id or nic.name is None or nic.cidr is None:
            raise ApiError("SMS.6102", f"nics[{index}]", params=(f"template.nics[{index}]",))
    for index, group in enumerate(wanted.security_groups or ()):
        if not group.id or group.name is None:
            raise ApiError("SMS.6102", f"security_groups[{index}]", params=(f"template.security_groups[{index}]",))


def _shown(row: TemplateRow) -> TemplateDetail:
    shown = {**row.document, "id": row.id}
    if "is_template" in shown:
        shown["is_template"] = "true" if shown["is_template"] else "false"
    return convert(shown, TemplateDetail)
