"""Migration projects: the drawers that sources lie in. One of them is the default, where new sources register."""

from typing import Any
from uuid import uuid4

from msgspec import convert, to_builtins
from sqlalchemy import Connection

from wherry.contract.errors import ApiError
from wherry.contract.projects import (
    MAX_PROJECTS,
    ListMigprojectsQuery,
    MigprojectCreation,
    MigprojectDetail,
    MigprojectList,
    MigprojectSummary,
    MigprojectUpdate,
)
from wherry.contract.values import CreatedId
from wherry.iam.permissions import Resource
from wherry.ledger import migprojects, sources
from wherry.ledger.migprojects import MigprojectRow
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_DEFAULT_LIMIT = 50
_KEPT_IN_COLUMNS = frozenset({"name", "isdefault"})


async def create_migproject(call: Call) -> Answer:
    """Store a project and return its id."""
    allow(call)
    wanted = call.decode(MigprojectCreation)
    row = MigprojectRow(str(uuid4()), call.account_id, wanted.name, False, call.at, _document(to_builtins(wanted)))  # noqa: FBT003

    def unit(tx: Transaction) -> None:
        if migprojects.count_of(tx.connection, call.account_id) >= MAX_PROJECTS:
            raise ApiError("SMS.8115")
        _check_name(tx.connection, call, wanted.name)
        migprojects.insert(tx.connection, row)
        if wanted.is_default:
            migprojects.make_default(tx.connection, call.account_id, row.id)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return json_answer(CreatedId(id=row.id))


async def list_migprojects(call: Call) -> Answer:
    """Return the projects of the account, and how many there are."""
    allow(call)
    query = call.query(ListMigprojectsQuery)

    def read(connection: Connection) -> MigprojectList:
        limit, offset = query.limit or _DEFAULT_LIMIT, query.offset or 0
        count, page = migprojects.find_page(connection, call.account_id, limit=limit, offset=offset)
        shown = [convert({**_shown(row), "id": row.id}, MigprojectSummary) for row in page]
        return MigprojectList(count=count, migprojects=shown)

    return json_answer(await call.services.ledger.read(read))


async def show_migproject(call: Call) -> Answer:
    """Return a project."""
    row = await call.services.ledger.read(lambda connection: _project_of(connection, call))
    return json_answer(convert(_shown(row), MigprojectDetail))


async def update_migproject(call: Call) -> Answer:
    """Change what the request names; the rest stays."""
    changed = to_builtins(call.decode(MigprojectUpdate))

    def unit(tx: Transaction) -> None:
        row = _project_of(tx.connection, call)
        values: dict[str, Any] = {"document": {**row.document, **_document(changed)}}
        if changed.get("name", row.name) != row.name:
            _check_name(tx.connection, call, changed["name"])
            values["name"] = changed["name"]
        migprojects.change(tx.connection, row.id, values)
        if changed.get("isdefault"):
            migprojects.make_default(tx.connection, call.account_id, row.id)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def update_default_migproject(call: Call) -> Answer:
    """Make a project the default one, and no other."""

    def unit(tx: Transaction) -> None:
        row = _project_of(tx.connection, call)
        migprojects.make_default(tx.connection, call.account_id, row.id)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY


async def delete_migproject(call: Call) -> Answer:
    """Remove a project that no source belongs to and that isn't the default one."""

    def unit(tx: Transaction) -> None:
        row = _project_of(tx.connection, call)
        if row.is_default:
            raise ApiError("SMS.9001", "the default migration project cannot be deleted", params=(row.id,))
        if sources.count_in_migproject(tx.connection, row.id):
            raise ApiError("SMS.9001", "the migration project still has source servers", params=(row.id,))
        migprojects.delete(tx.connection, row.id)
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY


def _project_of(connection: Connection, call: Call) -> MigprojectRow:
    row = migprojects.find(connection, call.account_id, call.parameters["mig_project_id"])
    if row is None:
        raise ApiError("SMS.9001", "the migration project does not exist", status=404, params=("mig_project_id",))
    allow(call, Resource(row.id))
    return row


def _check_name(connection: Connection, call: Call, name: str) -> None:
    if migprojects.find_by_name(connection, call.account_id, name) is not None:
        raise ApiError("SMS.9001", f"name: there is a migration project {name!r} already", params=("name",))


def _document(sent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if name not in _KEPT_IN_COLUMNS}


def _shown(row: MigprojectRow) -> dict[str, Any]:
    return {**row.document, "name": row.name, "isdefault": row.is_default}
