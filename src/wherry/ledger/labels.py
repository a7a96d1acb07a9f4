"""The enterprise projects of an account: labels that sources and tasks bear, and that policies look at."""

from sqlalchemy import Connection, select, union

from wherry.ledger import schema

_source, _task, _project = schema.source, schema.task, schema.migproject

DEFAULT = "default"
"""The label of what has no other."""


def of_account(connection: Connection, account_id: str) -> frozenset[str]:
    """Return the labels that sources or tasks of the account bear, or would get from its migration projects."""
    borne = union(
        select(_source.c.enterprise_project_id).where(_source.c.account_id == account_id),
        select(_task.c.enterprise_project_id).where(_task.c.account_id == account_id),
    )
    documents = connection.execute(select(_project.c.document).where(_project.c.account_id == account_id)).scalars()
    given = {document.get("enterprise_project") or DEFAULT for document in documents}
    return frozenset(connection.execute(borne).scalars()) | given
